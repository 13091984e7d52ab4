import OTLP
import Pipeline
import TraceModel

@testable import Sampling

/// A sampler on its own, fed with spans at stream times; records everything that leaves it.
final class SamplerDriver: SamplerOutput {
    struct Ref: Hashable {
        var offset: Int64
        var index: UInt32
    }

    static let partition = PartitionID(cluster: "test", topic: "spans", partition: 0)

    let sampler: WindowSampler
    let wantsDropped: Bool
    private var scanner = OTLPScanner()
    private let batch = SpanBatch()
    private(set) var nextOffset: Int64 = 0

    private(set) var kept: [KeptTrace] = []
    private(set) var droppedTraces: [DroppedTrace] = []
    private(set) var decisions: [DecisionRecord] = []
    private(set) var droppedSpans = 0
    private(set) var leftOutSpans = 0
    private(set) var lateDroppedSpans = 0
    private(set) var duplicates = 0
    /// Refs in custody.
    private(set) var open: Set<Ref> = []
    /// Refs that were given back twice, or never taken.
    private(set) var wrongRefs: [Ref] = []

    init(
        _ settings: WindowSettings = WindowSettings(), policies: [any SamplingPolicy]? = nil,
        wantsDropped: Bool = false,
        scrubbers: [any SpanScrubber] = [], spillFiles: (any SpillFileSource)? = nil
    ) {
        let environment = StageEnvironment(
            workingDirectory: ".", storeDirectory: ".", incarnation: "test", pipelineName: "test")
        let context = SamplerContext(
            environment: environment, partition: Self.partition, scrubbers: scrubbers, policyVersion: 7)
        sampler = WindowSampler(
            settings: settings, policies: policies ?? [AlwaysSamplePolicy(name: "all")], context: context,
            spillFiles: spillFiles)
        self.wantsDropped = wantsDropped
    }

    /// Feeds one record at a stream time, given in milliseconds.
    func send(_ spans: [SentSpan], at time: Int64, offset: Int64? = nil, skipping: Set<UInt32> = []) throws {
        try send(TestSpans.encode(spans), at: time, offset: offset, skipping: skipping)
    }

    /// Feeds one record as it is on the wire.
    func send(_ bytes: [UInt8], at time: Int64, offset: Int64? = nil, skipping: Set<UInt32> = []) throws {
        let offset = offset ?? nextOffset
        nextOffset = offset + 1
        try bytes.withUnsafeBytes { record in
            try scanner.scan(record, into: batch)
            let selection = (0..<UInt32(batch.count)).filter { !skipping.contains($0) }
            for index in selection { open.insert(Ref(offset: offset, index: index)) }
            let context = RecordContext(partition: Self.partition, offset: offset, timestamp: time, streamTime: time)
            sampler.add(batch, selection, context: context, to: self)
            sampler.advance(to: time, output: self)
            batch.forget()
        }
    }

    func advance(to time: Int64) { sampler.advance(to: time, output: self) }

    func closeAll() { sampler.closeAll(output: self) }

    func decision(of trace: UInt64) -> DecisionRecord? { decisions.first { $0.traceID == TestSpans.traceID(trace) } }

    func storedSpans() throws -> [DecodedSpan] { try kept.flatMap { try TestSpans.decode($0.payload) } }

    // MARK: - SamplerOutput

    func kept(_ trace: KeptTrace, duplicates: Int) {
        kept.append(trace)
        self.duplicates += duplicates
    }

    func dropped(spans: Int) { droppedSpans += spans }

    func leftOut(spans: Int) { leftOutSpans += spans }

    func dropped(_ trace: DroppedTrace) { droppedTraces.append(trace) }

    func lateDropped(spans: Int) { lateDroppedSpans += spans }

    func done(offset: Int64, firstIndex: UInt32, count: UInt32) {
        for index in firstIndex..<(firstIndex + count) {
            let ref = Ref(offset: offset, index: index)
            if open.remove(ref) == nil { wrongRefs.append(ref) }
        }
    }

    func decided(_ record: DecisionRecord) { decisions.append(record) }
}

/// Drops everything.
final class KeepNothingPolicy: SamplingPolicy {
    let name = "nothing"
    let conditions: [any SpanCondition] = []

    func vote(on trace: TraceEvidence, matched: ConditionBits) -> SamplingVote { .pass(probability: 0) }
}

extension WindowSettings {
    /// Closes `max` after the first span and at nothing else.
    static func only(max: Int64, tick: Int64 = 1000) -> WindowSettings {
        var settings = WindowSettings()
        settings.max = max
        settings.settle = nil
        settings.idle = nil
        settings.tick = tick
        return settings
    }
}
