import OTLP

/// `rare`: keeps the first trace of each service, operation or shape per interval, so that nothing that exists is missing.
///
/// A trace is rare when one of its spans belongs to a service and operation (or the trace has a shape) that the policy has
/// kept no trace of within the interval. Spans are tested as they arrive, with a test that is never too strict, and only
/// traces that may be rare are looked at again when they are decided: what counts is the state at the decision, whatever
/// the order of arrival.
public final class RarePolicy: StatefulPolicy, ArrivalObserver {
    public enum Key: Sendable {
        case service
        /// Service and span name.
        case operation
        /// The set of calls between operations.
        case shape
    }

    public let name: String
    public let conditions: [any SpanCondition]
    private let key: Key
    private let keys = OperationKeys()
    private let table: Table
    private var clock = StreamClock()

    /// The table is shared with the condition that tests spans as they arrive.
    final class Table {
        var seen: RecencyTable
        /// When the traces of the spans that are arriving will be decided at the latest.
        var latestDecision: Int64 = .max
        init(_ seen: RecencyTable) { self.seen = seen }
    }

    /// - Parameters:
    ///   - interval: milliseconds of stream time.
    ///   - maximumKeys: keys that are remembered; while so many are, no other is rare.
    public init(name: String, key: Key, interval: Int64, maximumKeys: Int) {
        self.name = name
        self.key = key
        table = Table(RecencyTable(maximumCount: maximumKeys, interval: interval))
        conditions = key == .shape ? [] : [RareCondition(key, keys, table)]
    }

    public var needsWholeTrace: Bool { true }

    public func vote(on trace: TraceEvidence, matched: ConditionBits) -> SamplingVote {
        _ = clock.advance(to: trace.decidedAt)
        var isRare = false
        if key == .shape {
            if let shape = keys.shape(trace.spans) { isRare = note(shape) }
        } else if matched[0] {
            // All of its keys are seen now, not only the first that is rare.
            trace.spans.visit { span in
                if note(keys.key(key, of: span)) { isRare = true }
                return true
            }
        }
        return isRare ? .keep(probability: 1) : .pass(probability: 0)
    }

    public func spansArrive(at streamTime: Int64, decidedBy latest: Int64) { table.latestDecision = latest }

    /// Notes a key that was not seen within the interval; says whether it was noted.
    private func note(_ key: UInt64) -> Bool {
        if table.seen.contains(key, at: clock.now) { return false }
        return table.seen.note(key, at: clock.now)
    }

    public func encodeState(into encoder: inout StateEncoder) {
        encoder.signed(clock.now)
        table.seen.encode(into: &encoder)
    }

    public func restoreState(from decoder: inout StateDecoder) {
        guard let now = decoder.signed() else { return }
        clock = StreamClock(now: now)
        table.seen.restore(from: &decoder)
    }
}

extension OperationKeys {
    func key(_ kind: RarePolicy.Key, of span: TraceSpan) -> UInt64 {
        kind == .service ? service(span.resource) : operation(SpanFields(span.span).name, span.resource)
    }
}

/// A span whose key may be rare when its trace is decided.
///
/// The table only gains keys, and forgets them by time alone: a key noted at `t` is not rare before `t + interval`. So a span
/// is let through unless its key will still be remembered when its trace is decided at the latest.
final class RareCondition: SpanCondition {
    private let key: RarePolicy.Key
    private let keys: OperationKeys
    private let table: RarePolicy.Table

    init(_ key: RarePolicy.Key, _ keys: OperationKeys, _ table: RarePolicy.Table) {
        self.key = key
        self.keys = keys
        self.table = table
    }

    func matches(_ span: borrowing SpanHead, in batch: SpanBatch) -> Bool {
        let resource = batch.bytes(batch.units[Int(span.unit)].resource)
        let hash = key == .service ? keys.service(resource) : keys.operation(batch.bytes(span.name), resource)
        return !table.seen.contains(hash, at: table.latestDecision)
    }
}
