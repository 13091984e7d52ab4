import OTLP
import Pipeline
import RemoteSampling
import Testing
import TraceModel

@testable import Tailrace

struct RootSpanCounterTests {
    private static func root(
        _ name: String = "GET /", attributes: [Attribute] = [], traceState: String = "", parent: UInt64 = 0
    ) -> Span {
        var span = Span(
            traceID: TraceID(high: 1, low: 2), spanID: SpanID(3), parentSpanID: SpanID(parent), name: name,
            kind: .server, startTime: 1, endTime: 2, status: SpanStatus(code: .ok))
        span.attributes = attributes
        span.traceState = traceState
        return span
    }

    private static func mark(_ span: Span) throws -> SamplerMark {
        let batch = SpanBatch()
        var scanner = OTLPScanner()
        let bytes = OTLPEncoder.encode([
            ResourceSpans(
                resource: Resource(attributes: []),
                scopeSpans: [ScopeSpans(scope: InstrumentationScope(), spans: [span])])
        ])
        return try bytes.withUnsafeBytes { record in
            try scanner.scan(record, into: batch)
            return RootSpanCounter.mark(of: batch.heads[0], batch)
        }
    }

    @Test("a root span's sampler is read from Jaeger's and OpenTelemetry's attributes, and from tracestate")
    func marks() throws {
        func attributes(_ type: String, _ value: AttributeValue, prefix: String = "") -> [Attribute] {
            [Attribute(prefix + "sampler.type", .string(type)), Attribute(prefix + "sampler.param", value)]
        }
        let cases: [(Span, SamplerMark)] = [
            (Self.root(), .none),
            (Self.root(attributes: attributes("probabilistic", .double(0.25))), .probability(0.25)),
            (Self.root(attributes: attributes("probabilistic", .string("0.5"))), .probability(0.5)),
            (Self.root(attributes: attributes("probabilistic", .double(0.1), prefix: "jaeger.")), .probability(0.1)),
            (Self.root(attributes: attributes("lowerbound", .double(0.1))), .lowerBound),
            (Self.root(attributes: attributes("const", .bool(true))), .probability(1)),
            (Self.root(attributes: attributes("ratelimiting", .double(2))), .probability(1)),
            // Nonsense is no probability.
            (Self.root(attributes: attributes("probabilistic", .double(-1))), .probability(1)),
            (Self.root(attributes: attributes("probabilistic", .string("much"))), .probability(1)),
            (Self.root(traceState: "ot=th:c"), .probability(0.25)),
            (Self.root(traceState: "ot=th:0"), .probability(1)),
            (Self.root(traceState: "ot=th:xyz"), .none),
            (Self.root(traceState: "other=1"), .none),
        ]
        for (span, expected) in cases {
            #expect(try Self.mark(span) == expected, "\(span.attributes) \(span.traceState)")
        }
    }

    private static func load(_ options: String) -> (plan: PipelinePlan?, diagnostics: Diagnostics) {
        PipelinePlan.load(
            text: """
                pipeline: p
                stages:
                  spans: { kind: kafka, topic: t, group: g }
                  rates: { kind: remote_sampling, from: spans\(options) }
                  sample: { kind: tail_sampler, from: rates, policies: [{ name: all, type: always_sample }] }
                  store: { kind: segments, from: [sample, sample.dropped], path: ./data }
                """, registry: .builtIn, environment: [:])
    }

    @Test("every span passes, root spans are counted by service and operation, and clients are answered")
    func counts() throws {
        let plan = try #require(Self.load(", calculation_interval: 1s, unmarked_spans: unsampled").plan)
        let environment = StageEnvironment(
            workingDirectory: ".", storeDirectory: "", incarnation: "i", pipelineName: "p")
        guard let index = plan.index(of: "rates"), case .filter(let make) = plan.stages[index].definition.make else {
            Issue.record("no filter")
            return
        }
        var filter: (any SpanFilter)? = try make(plan.stages[index].settings, environment)
        let bytes = OTLPEncoder.encode([
            ResourceSpans(
                resource: Resource(attributes: [Attribute("service.name", .string("shop"))]),
                scopeSpans: [
                    ScopeSpans(
                        scope: InstrumentationScope(),
                        spans: [Self.root("a"), Self.root("b"), Self.root("a"), Self.root("c", parent: 9)])
                ])
        ])
        let batch = SpanBatch()
        var scanner = OTLPScanner()
        var outputs = SpanFilterOutputs(portCount: 1)
        try bytes.withUnsafeBytes { record in
            try scanner.scan(record, into: batch)
            let now = WallClock.now()
            filter?.sort(
                batch, Array(0..<UInt32(batch.count)),
                context: RecordContext(
                    partition: PartitionID(cluster: "c", topic: "t", partition: 0), offset: 0, timestamp: now,
                    streamTime: now),
                into: &outputs)
        }
        #expect(outputs.ports == [[0, 1, 2, 3]])
        // What was counted is handed over when the task goes.
        filter = nil
        let services = environment.shared.all(RemoteSamplingService.self)
        #expect(services.map(\.name) == ["rates"])
        #expect(services[0].status.counters.unmarkedSpans == 3)
    }

    @Test("wrong options of the stage are refused with their place")
    func wrongOptions() {
        for (options, complaint) in [
            (", target_samples_per_second: -1", "target_samples_per_second"),
            (", calculation_interval: 10ms", "calculation_interval must be at least 1s"),
            (", min_sampling_probability: 0.5, max_sampling_probability: 0.1", "is larger than"),
            (", unmarked_spans: some", "unmarked_spans"),
            (", target: 5", "target"),
        ] {
            let text = Self.load(options).diagnostics.sorted.map(\.description).joined(separator: "\n")
            #expect(text.contains(complaint), "\(options): \(text)")
        }
        #expect(Self.load("").diagnostics.all.isEmpty)
    }
}
