import ArgumentParser
import Foundation
import FoundationNetworking
import Pipeline
import Query
import Storage
import TraceModel

struct ExplainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain", abstract: "Says why a trace was kept or dropped.",
        discussion: """
            Reads the decision log of a store. With --server a running worker (or query server) is asked, which also knows
            the traces that wait in its windows. Exit code 1 where nothing is known of the trace.
            Example: tailrace explain 4bf92f3577b34da6a3ce929d0e0e4736 --store ./data
                     tailrace explain 4bf92f3577b34da6a3ce929d0e0e4736 --server http://127.0.0.1:16687
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

    @Argument(help: "Trace id: 1 to 32 hex digits.") var id: String
    @Option(help: "Directory of a store; ./data by default.") var store: String?
    @Option(help: "URL of a running worker or server; with --store it is asked where the store knows nothing.")
    var server: String?
    @Option(help: "text or json.") var format = Format.text

    func run() async throws {
        guard let traceID = TraceID(hex: id), !traceID.isZero else {
            throw ValidationError("\(id) is no trace id; it needs 1 to 32 hex digits, not all zero")
        }
        var explanation: TraceExplanation?
        if store != nil || server == nil {
            guard case .store(let traces) = try TraceClient(store: store ?? "./data", server: nil) else { return }
            let explainer = TraceExplainer(layout: StoreLayout(root: store ?? "./data"), store: traces)
            do { explanation = try explainer.explain(traceID) } catch { throw CommandFailure("\(error)") }
        }
        if let server, explanation.map({ $0.decision == .unknown }) ?? true {
            guard case .server(let url) = try TraceClient(store: nil, server: server) else { return }
            explanation = try await Self.ask(url, traceID)
        }
        guard let explanation else { return }
        switch format {
        case .text: Terminal.output(explanation.text(usesColour: Terminal.outputIsTerminal))
        case .json: Terminal.output(explanation.json(pretty: Terminal.outputIsTerminal) + [0x0a])
        }
        if explanation.decision == .unknown { throw ExitCode(1) }
    }

    /// A trace that is not known is answered with 404 and the same JSON.
    private static func ask(_ server: URL, _ id: TraceID) async throws -> TraceExplanation {
        let url = server.appendingPathComponent("v1/decisions/\(id.hex)")
        let data: Data
        let status: Int
        do {
            let (body, response) = try await URLSession.shared.data(from: url)
            data = body
            status = (response as? HTTPURLResponse)?.statusCode ?? 0
        } catch {
            throw CommandFailure("\(server) does not answer: \(error.localizedDescription)")
        }
        guard status == 200 || status == 404, let answer = try? JSONDecoder().decode(TraceExplanation.self, from: data)
        else {
            throw CommandFailure("\(url) answered \(status): \(String(decoding: data.prefix(300), as: UTF8.self))")
        }
        return answer
    }
}
