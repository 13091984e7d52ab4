import ArgumentParser
import Foundation
import OTLP
import Pipeline
import Query
import TraceModel

struct TraceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace", abstract: "Draws a stored trace as a Gantt chart.",
        discussion: "Example: tailrace trace 4bf92f3577b34da6a3ce929d0e0e4736 --store ./data")

    @Argument(help: "Trace id: 1 to 32 hex digits.") var id: String
    @Option(help: "Directory of a store; ./data by default.") var store: String?
    @Option(help: "URL of a running server, asked instead of a store.") var server: String?
    @Flag(help: "Write OTLP/JSON instead.") var json = false
    @Option(help: "Columns to draw in; those of the terminal by default.") var width: Int?

    func run() async throws {
        guard let traceID = TraceID(hex: id) else {
            throw ValidationError("\(id) is no trace id; it needs 1 to 32 hex digits")
        }
        let trace: StoredTrace?
        switch try TraceClient(store: store, server: server) {
        case .store(let store):
            do { trace = try store.trace(traceID) } catch { throw CommandFailure("\(error)") }
        case .server(let url):
            guard let data = try await TraceClient.get(url, "/v1/traces/\(traceID.hex)") else {
                trace = nil
                break
            }
            trace = try Self.decode(Array(data), traceID)
        }
        guard let trace else {
            throw CommandFailure(
                "trace \(traceID.hex) is not stored: it was dropped, is still in its window, or was never received")
        }
        if json {
            Terminal.output(OTLPJSONEncoder.encode(trace.resourceSpans, pretty: Terminal.outputIsTerminal) + [0x0a])
        } else {
            let renderer = GanttRenderer(
                width: max(60, width ?? Terminal.width), usesColour: Terminal.outputIsTerminal)
            let text = renderer.render(trace)
            Terminal.output(text.hasSuffix("\n") ? text : text + "\n")
        }
    }

    private static func decode(_ bytes: [UInt8], _ id: TraceID) throws -> StoredTrace {
        do {
            let answer = try JSONDecoder().decode(Answer.self, from: Data(bytes))
            return StoredTrace(
                remote: id, resourceSpans: try OTLPJSONDecoder.decodeModel(bytes),
                decision: answer.tailrace?.decision?.decision)
        } catch {
            throw CommandFailure("the server's answer cannot be read: \(error)")
        }
    }

    private struct Answer: Decodable {
        struct Extra: Decodable { var decision: Verdict? }
        struct Verdict: Decodable {
            var policy: String
            var probability: Double
            var policyVersion: UInt32
            var trigger: String
            var decidedAtUnixMilli: Int64
            var reason: String

            var decision: Decision {
                Decision(
                    isKept: true, policy: policy, probability: probability, policyVersion: policyVersion,
                    trigger: Decision.Trigger.allCases.first { $0.name == trigger } ?? .idle,
                    decidedAt: decidedAtUnixMilli, reason: reason)
            }
        }
        var tailrace: Extra?
    }
}
