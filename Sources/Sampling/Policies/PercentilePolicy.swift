import OTLP

/// `percentile`: keeps traces that are slower than a percentile of the traces with the same root service and operation, as
/// they were of late.
///
/// A trace is compared with those decided before it, then added to them. Operations beyond the limit share sketches, so that
/// a flood of operation names costs accuracy and not memory.
public final class PercentilePolicy: StatefulPolicy {
    public let name: String
    private let share: Double
    private let halfLife: Int64
    private let minimumCount: Double
    private let maximumOperations: Int
    private let keys = OperationKeys()
    private var clock = StreamClock()
    private var sketches: [UInt64: DurationSketch] = [:]

    /// Sketches of operations beyond the limit.
    private static let sharedSketches: UInt64 = 16

    /// - Parameters:
    ///   - percentile: 50 to below 100.
    ///   - halfLife: milliseconds after which a trace counts half.
    ///   - minimumCount: traces of an operation before the policy says anything of it.
    public init(name: String, percentile: Double, halfLife: Int64, minimumCount: Int, maximumOperations: Int) {
        self.name = name
        share = percentile / 100
        self.halfLife = halfLife
        self.minimumCount = Double(minimumCount)
        self.maximumOperations = maximumOperations
    }

    public var needsWholeTrace: Bool { true }

    public func vote(on trace: TraceEvidence, matched: ConditionBits) -> SamplingVote {
        _ = clock.advance(to: trace.decidedAt)
        guard let root = trace.spans.root else { return .pass(probability: 0) }
        let key = slot(keys.operation(SpanFields(root.span).name, root.resource))
        var isSlow = false
        sketches[key, default: DurationSketch(at: clock.now)].fade(to: clock.now, halfLife: halfLife)
        if let sketch = sketches[key], sketch.total >= minimumCount, let limit = sketch.quantile(share) {
            isSlow = DurationSketch.bucket(trace.duration) > limit
        }
        sketches[key]?.add(trace.duration)
        return isSlow ? .keep(probability: 1) : .pass(probability: 0)
    }

    /// The key of an operation's own sketch, or that of one it shares with others.
    private func slot(_ key: UInt64) -> UInt64 {
        if sketches[key] != nil { return key }
        if sketches.count >= maximumOperations { makeRoom() }
        return sketches.count < maximumOperations ? key : key % Self.sharedSketches
    }

    /// Forgets operations that have faded away. Each costs its place again, so this happens at most once per new operation.
    private func makeRoom() {
        guard lastSweep == .min || clock.now &- lastSweep >= halfLife else { return }
        lastSweep = clock.now
        let (now, halfLife) = (clock.now, halfLife)
        sketches = sketches.filter { now &- $0.value.fadedAt < 8 &* halfLife }
    }

    private var lastSweep: Int64 = .min

    public func encodeState(into encoder: inout StateEncoder) {
        encoder.signed(clock.now)
        encoder.signed(lastSweep)
        encoder.number(UInt64(sketches.count))
        for (key, sketch) in sketches.sorted(by: { $0.key < $1.key }) {
            encoder.word(key)
            sketch.encode(into: &encoder)
        }
    }

    public func restoreState(from decoder: inout StateDecoder) {
        guard let now = decoder.signed(), let sweep = decoder.signed(), let count = decoder.count(ofSize: 18) else {
            return
        }
        var restored: [UInt64: DurationSketch] = [:]
        for _ in 0..<count {
            guard let key = decoder.word(), let sketch = DurationSketch(from: &decoder) else { return }
            if restored.count < maximumOperations { restored[key] = sketch }
        }
        clock = StreamClock(now: now)
        lastSweep = sweep
        sketches = restored
    }
}
