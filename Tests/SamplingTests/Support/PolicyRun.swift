import OTLP
import Pipeline
import TraceModel

@testable import Sampling

/// A sampler as a pipeline file declares it, fed with decoded spans at stream times in milliseconds.
final class PolicyRun {
    let driver: SamplerDriver
    private var nextSpan: UInt64 = 1

    /// - Parameter lines: the sampler's options; without a window a trace is decided 1 s after its first span.
    init(_ lines: String) throws {
        let isTimed = lines.contains("window:") || lines.contains("decision_wait:")
        let (settings, policies) = try TestPipeline.sampler(isTimed ? lines : "decision_wait: 1s\n" + lines)
        driver = SamplerDriver(settings, policies: policies, wantsDropped: true)
    }

    /// One policy, in YAML's flow form.
    convenience init(policy: String) throws { try self.init("policies: [\(policy)]") }

    func send(
        _ trace: UInt64, at time: Int64 = 1000, _ attributes: [Attribute] = [], parent: UInt64 = 0, name: String = "op",
        kind: SpanKind = .internal, resource: [Attribute] = [Attribute("service.name", .string("shop"))],
        scope: InstrumentationScope = InstrumentationScope(), milliseconds: UInt64 = 10, state: String = "",
        flags: UInt32 = 0, events: [SpanEvent] = [], links: [UInt64] = [], status: SpanStatus = SpanStatus(),
        id: TraceID? = nil, span: UInt64? = nil
    ) throws {
        let span = Span(
            traceID: id ?? TestSpans.traceID(trace), spanID: SpanID(span ?? nextSpan), parentSpanID: SpanID(parent),
            traceState: state, flags: flags, name: name, kind: kind, startTime: 1_000_000_000,
            endTime: 1_000_000_000 + milliseconds * 1_000_000, attributes: attributes, events: events,
            links: links.map { SpanLink(traceID: TestSpans.traceID($0), spanID: SpanID(9)) }, status: status)
        nextSpan += 1
        let request = [
            ResourceSpans(
                resource: Resource(attributes: resource), scopeSpans: [ScopeSpans(scope: scope, spans: [span])])
        ]
        try driver.send(OTLPEncoder.encode(request), at: time)
    }

    /// Ends the recording; whether a trace was kept.
    @discardableResult
    func keeps(_ trace: UInt64) -> Bool {
        driver.closeAll()
        return driver.decision(of: trace)?.isKept ?? false
    }

    /// What became of a trace.
    func decision(_ trace: UInt64) -> Decision? {
        driver.closeAll()
        let id = TestSpans.traceID(trace)
        return driver.kept.first { $0.summary.traceID == id }?.decision
            ?? driver.droppedTraces.first { $0.summary.traceID == id }?.decision
    }
}
