import Comparison
import OTLP
import Pipeline
import Tailrace
import Testing
import TraceModel

/// A span in a line: times in milliseconds.
struct TestSpan {
    var trace: UInt64
    var span: UInt64
    var parent: UInt64 = 0
    var service = "shop"
    var name = "GET /"
    var start: UInt64 = 0
    var milliseconds: UInt64 = 10
    var isError = false
    var attributes: [Attribute] = []

    func encoded() -> [UInt8] {
        let startTime = 1_750_000_000_000_000_000 + start * 1_000_000
        return OTLPEncoder.encode([
            ResourceSpans(
                resource: Resource(attributes: [Attribute("service.name", .string(service))]),
                scopeSpans: [
                    ScopeSpans(
                        scope: InstrumentationScope(),
                        spans: [
                            Span(
                                traceID: TestSpan.id(trace), spanID: SpanID(span), parentSpanID: SpanID(parent),
                                name: name, startTime: startTime, endTime: startTime + milliseconds * 1_000_000,
                                attributes: attributes, status: SpanStatus(code: isError ? .error : .unset))
                        ])
                ])
        ])
    }

    static func id(_ number: UInt64) -> TraceID { TraceID(high: 0xc0, low: number) }
}

enum Fixtures {
    static let partition = PartitionID(cluster: "file", topic: "recording", partition: 0)
    static let errors = "{ name: errors, type: status_code, status_code: { status_codes: [ERROR] } }"
    static let everything = "{ name: everything, type: always_sample }"

    static func slow(_ milliseconds: Int) -> String {
        "{ name: slow, type: latency, latency: { threshold_ms: \(milliseconds) } }"
    }

    static func share(_ percent: Int, name: String = "rest") -> String {
        "{ name: \(name), type: probabilistic, probabilistic: { sampling_percentage: \(percent) } }"
    }

    /// A pipeline with these policies, behind other stages if need be.
    static func pipeline(
        _ policies: [String], stages: String = "", from: String = "spans", path: String = "p.yaml"
    ) throws -> ComparedPipeline {
        let text = """
            pipeline: shop
            stages:
              spans: { kind: kafka, topic: otlp_spans }
            \(stages)
              sample: { kind: tail_sampler, from: \(from), policies: [\(policies.joined(separator: ", "))] }
              out: { kind: discard, from: sample }
            """
        let (plan, diagnostics) = PipelinePlan.load(text: text, registry: .builtIn, environment: [:])
        return ComparedPipeline(
            path: path, plan: try #require(plan, "\(diagnostics.rendered())"), sampler: "sample")
    }

    static func compare(
        _ old: ComparedPipeline, _ new: ComparedPipeline, _ spans: [TestSpan], slow: SlowRule = .percentile(99),
        exampleCount: Int = 10
    ) throws -> ComparisonResult {
        let comparison = TraceComparison(old: old, new: new)
        for span in spans {
            try span.encoded().withUnsafeBytes {
                try comparison.process($0, at: Int64(span.start), partition: partition)
            }
        }
        return comparison.finish(slow: slow, exampleCount: exampleCount)
    }

    /// Traces of two spans each, root and child; every tenth has an error, every seventh takes long.
    static func traffic(_ count: UInt64) -> [TestSpan] {
        (1...count).flatMap { number in
            let isSlow = number % 7 == 0
            let service = ["shop", "search", "pay"][Int(number % 3)]
            let root = TestSpan(
                trace: number &* 0x9e37_79b9_7f4a_7c15, span: number * 2, service: service,
                name: "GET /\(number % 5)", start: number * 40, milliseconds: isSlow ? 900 : 20 + number % 50)
            var child = root
            child.span += 1
            child.parent = root.span
            child.service = "database"
            child.name = "query"
            child.milliseconds = 5
            child.isError = number % 10 == 0
            return [root, child]
        }
    }
}
