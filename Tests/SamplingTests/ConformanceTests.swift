import Foundation
import OTLP
import Pipeline
import Testing
import TraceModel

@testable import Sampling

/// Cases whose expectations were run on a real OpenTelemetry Collector (`cases/README.md` in the shared folder).
struct ConformanceTests {
    static let file: URL = {
        if let path = ProcessInfo.processInfo.environment["TAILRACE_SHARED"] {
            return URL(fileURLWithPath: path).appendingPathComponent("cases/otel_tail_sampling.json")
        }
        var package = URL(fileURLWithPath: #filePath)
        for _ in 0..<3 { package.deleteLastPathComponent() }
        return package.deletingLastPathComponent().appendingPathComponent("shared/cases/otel_tail_sampling.json")
    }()

    struct Case: CustomTestStringConvertible, @unchecked Sendable {
        let name: String
        let content: [String: Any]

        var testDescription: String { name }

        var tailSampling: [String: Any] { content["tail_sampling"] as? [String: Any] ?? [:] }
    }

    static let all: [Case] = {
        guard let data = try? Data(contentsOf: file),
            let list = try? JSONSerialization.jsonObject(with: data) as? [[String: Any]]
        else { return [] }
        return list.compactMap { item in (item["name"] as? String).map { Case(name: $0, content: item) } }
    }()

    /// Cases of policy types and options that this version has.
    static let known: [Case] = all.filter { reasonToSkip($0) == nil }

    static func reasonToSkip(_ one: Case) -> String? {
        for policy in one.tailSampling["policies"] as? [[String: Any]] ?? [] {
            let type = policy["type"] as? String ?? ""
            if BuiltInPolicies[type] == nil { return "policy type \(type)" }
        }
        let known = TailSamplerStage.definition.options.map(\.name)
        return one.tailSampling.keys.first { !known.contains($0) }.map { "option \($0)" }
    }

    @Test(
        .enabled(
            if: !known.isEmpty,
            "no \(file.path); set TAILRACE_SHARED to the folder that holds cases/ to run the Collector's cases"),
        arguments: known)
    func aPolicyDecidesAsTheCollectorDoes(one: Case) throws {
        // JSON is YAML, and the options stand in a sampler as they are.
        let lines = try one.tailSampling.sorted { $0.key < $1.key }.map { key, value in
            "\(key): "
                + String(
                    decoding: try JSONSerialization.data(withJSONObject: value, options: .fragmentsAllowed),
                    as: UTF8.self)
        }
        let (settings, policies) = try TestPipeline.sampler(lines.joined(separator: "\n"))
        let driver = SamplerDriver(settings, policies: policies)
        let spans = (one.content["spans"] as? [[String: Any]] ?? []).sorted { arrival($0) < arrival($1) }
        for span in spans { try driver.send(try self.span(span), at: arrival(span)) }
        driver.closeAll()

        let decided = Dictionary(
            driver.decisions.map { ($0.traceID.hex, $0.isKept ? "keep" : "drop") },
            uniquingKeysWith: { first, _ in first })
        #expect(decided.count == driver.decisions.count, "a trace was decided twice")
        if let expected = one.content["expected"] as? String {
            #expect(!decided.isEmpty)
            for (trace, decision) in decided { #expect(decision == expected, "\(trace): \(one.content["why"] ?? "")") }
        } else {
            #expect(decided == one.content["expected"] as? [String: String], "\(one.content["why"] ?? "")")
        }
        #expect(driver.open.isEmpty && driver.wrongRefs.isEmpty)
    }

    @Test(.enabled(if: !all.isEmpty, "no \(file.path)"))
    func casesThatAreNotRunAreNamed() {
        let skipped = Dictionary(grouping: Self.all, by: { Self.reasonToSkip($0) ?? "" }).filter { $0.key != "" }
        for (reason, cases) in skipped.sorted(by: { $0.key < $1.key }) {
            print("not run, \(reason): \(cases.map(\.name).joined(separator: ", "))")
        }
        #expect(skipped.isEmpty && Self.known.count >= 59)
    }

    private func arrival(_ span: [String: Any]) -> Int64 { (span["arrive_at_ms"] as? NSNumber)?.int64Value ?? 0 }

    private func attributes(_ content: Any?) -> [Attribute] {
        (content as? [String: Any] ?? [:]).sorted { $0.key < $1.key }.map { Attribute($0, value($1)) }
    }

    /// JSON's numbers and truth values are all NSNumber here.
    private func value(_ content: Any) -> AttributeValue {
        guard let number = content as? NSNumber else { return .string(content as? String ?? "") }
        // "c" is how Foundation stores a truth value.
        if String(cString: number.objCType) == "c" { return .bool(number.boolValue) }
        return "\(number)".contains(".") ? .double(number.doubleValue) : .int(number.int64Value)
    }

    private func events(_ content: Any?) -> [SpanEvent] {
        (content as? [[String: Any]] ?? []).map {
            SpanEvent(time: 1, name: $0["name"] as? String ?? "", attributes: attributes($0["attributes"]))
        }
    }

    /// One span of a case as an OTLP request.
    private func span(_ content: [String: Any]) throws -> [UInt8] {
        func text(_ key: String) -> String { content[key] as? String ?? "" }
        func number(_ key: String) -> UInt64 { (content[key] as? NSNumber)?.uint64Value ?? 0 }
        let codes: [String: StatusCode] = ["UNSET": .unset, "OK": .ok, "ERROR": .error]
        let span = Span(
            traceID: try #require(TraceID(hex: text("trace_id"))), spanID: try #require(SpanID(hex: text("span_id"))),
            parentSpanID: SpanID(hex: text("parent_span_id")) ?? SpanID(0), traceState: text("trace_state"),
            flags: UInt32(number("flags")), name: text("name"), startTime: number("start_unix_nano"),
            endTime: number("end_unix_nano"),
            attributes: attributes(content["attributes"]), events: events(content["events"]),
            status: SpanStatus(code: codes[text("status_code")] ?? .unset))
        return OTLPEncoder.encode([
            ResourceSpans(
                resource: Resource(attributes: attributes(content["resource_attributes"])),
                scopeSpans: [ScopeSpans(scope: InstrumentationScope(), spans: [span])])
        ])
    }
}
