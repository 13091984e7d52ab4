import OTLP
import TraceModel

@testable import Pipeline
@testable import Sampling

/// The same sequence for the same seed on every machine: a failing seed can be run again.
struct TaskRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    /// SplitMix64.
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}

/// A span of a test: its number is its span id, so that it can be recognised wherever it ends up.
struct TestSpan {
    var trace: UInt64
    var number: UInt64
    var isRoot = false
    var isError = false
    var service = "shop"
    var secret: String?

    static func traceID(_ trace: UInt64) -> TraceID { TraceID(high: trace &* 0x9e37_79b9, low: trace) }

    /// One OTLP request with a resource per span.
    static func encode(_ spans: [TestSpan]) -> [UInt8] {
        OTLPEncoder.encode(
            spans.map { span in
                let model = Span(
                    traceID: traceID(span.trace), spanID: SpanID(span.number),
                    parentSpanID: SpanID(span.isRoot ? 0 : 1),
                    name: "op", startTime: 1_000_000, endTime: 2_000_000,
                    attributes: span.secret.map { [Attribute("secret", .string($0))] } ?? [],
                    status: SpanStatus(code: span.isError ? .error : .unset))
                return ResourceSpans(
                    resource: Resource(attributes: [Attribute("service.name", .string(span.service))]),
                    scopeSpans: [ScopeSpans(scope: InstrumentationScope(name: "lib"), spans: [model])])
            })
    }

    static func decode(_ payload: [UInt8]) throws -> [Span] {
        try OTLPDecoder.decode(payload).flatMap { $0.scopeSpans.flatMap(\.spans) }
    }
}

/// Stage kinds that run, small enough to see through.
enum RunningRegistry {
    static let registry: StageRegistry = {
        var registry = StageRegistry()
        registry.register(TailSamplerStage.definition)
        for definition in definitions { registry.register(definition) }
        return registry
    }()

    static func plan(_ stages: String) throws -> PipelinePlan {
        let (plan, diagnostics) = PipelinePlan.load(
            text: "pipeline: test\nstages:\n  spans: { kind: input }\n\(stages)\n", registry: registry, environment: [:]
        )
        guard let plan else { throw StageError(diagnostics.sorted.map(\.description).joined(separator: "\n")) }
        return plan
    }

    private static let definitions = [
        StageDefinition(
            kind: "input", role: .source, summary: "", inputs: [],
            outputs: [
                OutputPort("spans", .spans, summary: ""), OutputPort("rejected", .rejects, isSide: true, summary: ""),
            ], options: [], make: .source { _, _ in throw StageError("records are given by hand") }),
        StageDefinition(
            kind: "split", role: .filter, summary: "", inputs: [.spans],
            outputs: [
                OutputPort("even", .spans, summary: ""), OutputPort("odd", .spans, isSide: true, summary: ""),
                OutputPort("rejected", .rejects, isSide: true, summary: ""),
            ],
            options: [StageOption("reads_secret", .boolean, default: "false", summary: "")],
            attributeKeysRead: { $0.boolean("reads_secret") == true ? ["secret"] : [] },
            make: .filter { _, _ in SplitFilter() }),
        StageDefinition(
            kind: "copy", role: .filter, summary: "", inputs: [.spans],
            outputs: [OutputPort("one", .spans, summary: ""), OutputPort("two", .spans, isSide: true, summary: "")],
            options: [], make: .filter { _, _ in CopyFilter() }),
        StageDefinition(
            kind: "mask", role: .scrubber, summary: "", inputs: [.spans],
            outputs: [OutputPort("spans", .spans, summary: "")],
            options: [StageOption("text", .string, default: "***", summary: "")],
            make: .scrubber { settings, _ in MaskScrubber(text: settings.string("text") ?? "***") }),
        StageDefinition(
            kind: "output", role: .sink, summary: "", inputs: [.spans, .traces, .summaries, .rejects], outputs: [],
            options: [], make: .sink { _, _ in throw StageError("sinks are given by hand") }),
    ]
}

/// Sorts spans by the parity of their trace; those whose service is `bad` are rejected.
final class SplitFilter: SpanFilter {
    func sort(
        _ batch: SpanBatch, _ selection: borrowing [UInt32], context: borrowing RecordContext,
        into outputs: inout SpanFilterOutputs
    ) {
        for position in 0..<selection.count {
            let index = selection[position]
            let head = batch.heads[Int(index)]
            let resource = batch.bytes(batch.units[Int(head.unit)].resource)
            if case .string(let name)? = AttributeLookup.value(of: Array("service.name".utf8), in: resource, .resource),
                String(decoding: name, as: UTF8.self) == "bad"
            {
                outputs.rejected.append((index, "bad_service", "the service is bad"))
            } else {
                outputs.ports[Int(head.traceID.low % 2)].append(index)
            }
        }
    }
}

/// Sends every span out of both ports.
final class CopyFilter: SpanFilter {
    func sort(
        _ batch: SpanBatch, _ selection: borrowing [UInt32], context: borrowing RecordContext,
        into outputs: inout SpanFilterOutputs
    ) {
        for position in 0..<selection.count {
            outputs.ports[0].append(selection[position])
            outputs.ports[1].append(selection[position])
        }
    }
}

/// Replaces the attribute `secret`; cannot read spans whose secret is `unreadable`.
final class MaskScrubber: SpanScrubber {
    private let text: String

    init(text: String) { self.text = text }

    func canChange(attributeKey: String) -> Bool { attributeKey == "secret" }
    var canChangeSpanName: Bool { false }

    func scrubSpan(_ message: UnsafeRawBufferPointer, into output: inout [UInt8]) throws(ScanError) {
        var span = try OTLPDecoder.decodeSpan(message)
        for index in span.attributes.indices where span.attributes[index].key == "secret" {
            if span.attributes[index].value == .string("unreadable") { throw ScanError(.truncated, at: 0) }
            span.attributes[index].value = .string(text + span.attributes[index].value.text)
        }
        var writer = ProtobufWriter(reservingCapacity: 100)
        OTLPEncoder.encode(span: span, into: &writer)
        output += writer.bytes
    }

    func scrubResource(_ message: UnsafeRawBufferPointer, into output: inout [UInt8]) throws(ScanError) {
        output += message
    }
    func scrubScope(_ message: UnsafeRawBufferPointer, into output: inout [UInt8]) throws(ScanError) {
        output += message
    }
    func scrubName(_ name: String) -> String { name }
    var counts: [(rule: String, count: UInt64)] { [] }
}

/// Keeps what is written to it.
final class CollectingSink: Sink {
    var traces: [KeptTrace] = []
    var payloads: [SpanPayload] = []
    var summaries: [DroppedTrace] = []
    var rejects: [RejectedRecord] = []
    var refuses = false

    func write(_ trace: KeptTrace) throws {
        if refuses { throw StageError("refused") }
        traces.append(trace)
    }
    func write(_ spans: SpanPayload) throws { payloads.append(spans) }
    func write(_ dropped: DroppedTrace) throws { summaries.append(dropped) }
    func write(_ rejected: RejectedRecord) throws { rejects.append(rejected) }
    var bufferedBytes: Int { 0 }
    func seal() -> (any SinkFlush)? { nil }

    /// Numbers of all spans in traces.
    func numbers() throws -> [UInt64] { try traces.flatMap { try TestSpan.decode($0.payload).map(\.spanID.value) } }

    func secrets() throws -> [String] {
        try traces.flatMap { try TestSpan.decode($0.payload).compactMap { $0.attributes["secret"]?.text } }
    }
}

/// A task with its sinks, fed by hand.
final class TaskDriver {
    static let partition = PartitionID(cluster: "c", topic: "t", partition: 3)

    let task: PartitionTask
    let plan: PipelinePlan
    let deadLetters = CollectingSink()
    private(set) var sinks: [Int: CollectingSink] = [:]

    init(
        _ plan: PipelinePlan, restored: RestoredTask = RestoredTask(epoch: 1, entry: nil),
        encoding: RecordEncoding = .otlpProto,
        decisions: [LaneDecisions] = []
    ) throws {
        self.plan = plan
        for index in plan.sinks { sinks[index] = CollectingSink() }
        let environment = StageEnvironment(
            workingDirectory: ".", storeDirectory: ".", incarnation: "i", pipelineName: "test")
        task = try PartitionTask(
            taskPlan: try TaskPlan.make(plan: plan, source: plan.sources[0], environment: environment),
            settings: PartitionTask.Settings(encoding: encoding, maximumRecordBytes: 100_000, sourceName: "spans"),
            partition: Self.partition, environment: environment, restored: restored, startOffset: 0,
            sinks: WorkerSinks(sinks: sinks, deadLetters: deadLetters))
        for lane in decisions { task.restoreDecisions(sampler: lane.sampler, lane.records) }
    }

    func sink(_ name: String) throws -> CollectingSink {
        guard let index = plan.index(of: name), let sink = sinks[index] else { throw StageError("no sink \(name)") }
        return sink
    }

    func process(_ spans: [TestSpan], offset: Int64, at time: Int64, now: Int64 = .max) {
        process(bytes: TestSpan.encode(spans), offset: offset, at: time, now: now)
    }

    func process(bytes: [UInt8], offset: Int64, at time: Int64, now: Int64 = .max) {
        bytes.withUnsafeBytes { payload in
            task.process(
                SourceRecord(
                    offset: offset, timestamp: time, key: UnsafeRawBufferPointer(start: nil, count: 0), payload: payload
                ),
                now: now)
        }
    }

    var imbalance: Int64 { task.counters.imbalance(inWindow: task.openSpans) }

    var ledgerViolations: [String] { task.lanes.compactMap { $0.ledger.invariantViolation() } }
}
