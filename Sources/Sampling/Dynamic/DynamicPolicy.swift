import CXXHash
import OTLP
import Pipeline
import TraceModel

/// `dynamic`, `ema_dynamic`, `ema_throughput`, `windowed_throughput`, `total_throughput`: keeps one trace in as many as the
/// sample rate of its key says, by the trace's own 56 random bits.
public final class DynamicPolicy: StatefulPolicy, DetailingPolicy {
    public let name: String
    private let reader: RefineryReader
    private let fields: [(slot: Int, isOfRoot: Bool)]
    private let readsRoot: Bool
    private let usesTraceLength: Bool
    private var sampler: DynamicSampler
    private var clock = StreamClock()
    /// Per field the distinct values of the trace, as hashes of their text. Reused from trace to trace.
    private var values: [[UInt64]]
    private var texts: DynamicKeyTexts
    private(set) var lastDetail = DecisionDetail(.rate)

    /// Refinery stops to collect values at so many.
    private static let maximumValues = 100

    init(name: String, _ sampler: DynamicSampler, fields: [RefineryField], usesTraceLength: Bool) {
        self.name = name
        self.sampler = sampler
        self.usesTraceLength = usesTraceLength
        let reader = RefineryReader(fields.map(\.name))
        self.reader = reader
        self.fields = fields.compactMap { field in reader.slot(of: field.name).map { ($0, field.isOfRoot) } }
        readsRoot = fields.contains(where: \.isOfRoot)
        values = Array(repeating: [], count: self.fields.count)
        texts = DynamicKeyTexts(self.fields, reader: reader, usesTraceLength: usesTraceLength)
    }

    public var needsWholeTrace: Bool { true }
    public var randomness: String? { "w3c" }

    public func vote(on trace: TraceEvidence, matched: ConditionBits) -> SamplingVote {
        _ = clock.advance(to: trace.decidedAt)
        let (key, count) = keyAndCount(of: trace)
        texts.note(key, of: trace, count: count)
        let rate = sampler.rate(of: key, count: Double(count), at: clock.now)
        lastDetail.key = key
        lastDetail.rate = max(1, rate)
        return Self.vote(on: trace, rate: rate)
    }

    /// Keeps one trace in `rate` of those that come here.
    static func vote(on trace: TraceEvidence, rate: Double) -> SamplingVote {
        let probability = 1 / max(1, rate)
        let threshold = SamplingThreshold.threshold(probability: trace.upstream.probability * probability)
        return trace.upstream.randomness(of: trace.traceID) >= threshold
            ? .keep(probability: probability) : .pass(probability: probability)
    }

    /// As Refinery: the distinct values of each field over all spans, span events and links of the trace, whatever their order;
    /// and how many of those the trace has.
    private func keyAndCount(of trace: TraceEvidence) -> (key: UInt64, count: Int64) {
        for index in values.indices { values[index].removeAll(keepingCapacity: true) }
        reader.beginTrace()
        let counts = reader.needsCounts ? reader.count(trace.spans) : .init()
        if readsRoot, trace.hasRoot, let root = trace.spans.root {
            reader.read(root, counts: counts)
            for (index, field) in fields.enumerated() where field.isOfRoot { _ = collect(index, field.slot) }
        }
        var count: Int64 = 0
        var distinct = 0
        reader.visit(trace.spans, counts: counts) {
            count &+= 1
            for (index, field) in fields.enumerated() where !field.isOfRoot && distinct < Self.maximumValues {
                if collect(index, field.slot) { distinct += 1 }
            }
            return true
        }
        var key: UInt64 = usesTraceLength ? UInt64(count) &* 0x9e37_79b9_7f4a_7c15 : 0
        for index in values.indices {
            values[index].sort()
            key = key &* 31 &+ UInt64(index)
            for value in values[index] { key = (key ^ value) &* 0xd6e8_feb8_6659_fd93 }
        }
        return (key, count)
    }

    /// Whether the value that was read is a new one of the field.
    private func collect(_ index: Int, _ slot: Int) -> Bool {
        let value = reader.values[slot]
        guard value.exists else { return false }
        // Refinery compares the texts: the number 200 and the text "200" are the same.
        let hash = value.withText { text in text.baseAddress.map { XXH3_64bits($0, text.count) } ?? 1 }
        if values[index].contains(hash) { return false }
        values[index].append(hash)
        return true
    }

    func use(_ scrubbers: ScrubberChain) { texts.use(scrubbers) }

    func text(of name: DecisionName) -> String? { name.kind == .key ? texts.known[name.value] : nil }

    public func encodeState(into encoder: inout StateEncoder) {
        encoder.signed(clock.now)
        sampler.encode(into: &encoder)
    }

    public func restoreState(from decoder: inout StateDecoder) {
        guard let now = decoder.signed() else { return }
        clock = StreamClock(now: now)
        sampler.restore(from: &decoder)
    }
}

/// `deterministic`: one trace in `SampleRate`, by the trace's own 56 random bits.
public final class DeterministicPolicy: SamplingPolicy {
    public let name: String
    private let rate: Double

    public init(name: String, rate: Double) {
        self.name = name
        self.rate = rate
    }

    public var randomness: String? { "w3c" }

    public func vote(on trace: TraceEvidence, matched: ConditionBits) -> SamplingVote {
        DynamicPolicy.vote(on: trace, rate: rate)
    }
}
