import OTLP
import TraceModel

/// `linked`: keeps traces that span links join to a trace that was kept within a horizon: those that a kept trace links to,
/// and those that link to a kept trace.
///
/// Only decisions that follow can be changed by a link, and only traces of the same partition know of each other.
public final class LinkedPolicy: StatefulPolicy, DecisionObserver {
    public enum Direction: Sendable {
        /// Traces that a kept trace links to.
        case from
        /// Traces that link to a kept trace.
        case to
        case both
    }

    public let name: String
    public let conditions: [any SpanCondition]
    private let followsFrom: Bool
    private let followsTo: Bool
    private var clock = StreamClock()
    /// Traces that kept traces link to.
    private var wanted: RecencyTable
    /// Kept traces.
    private var kept: RecencyTable

    /// - Parameters:
    ///   - horizon: milliseconds of stream time.
    ///   - maximumTraces: traces that are remembered of either kind; what comes on top is not followed.
    public init(name: String, direction: Direction, horizon: Int64, maximumTraces: Int) {
        self.name = name
        followsFrom = direction != .to
        followsTo = direction != .from
        conditions = [HasLinkCondition()]
        wanted = RecencyTable(maximumCount: followsFrom ? maximumTraces : 0, interval: horizon)
        kept = RecencyTable(maximumCount: followsTo ? maximumTraces : 0, interval: horizon)
    }

    public var needsWholeTrace: Bool { true }

    public func vote(on trace: TraceEvidence, matched: ConditionBits) -> SamplingVote {
        _ = clock.advance(to: trace.decidedAt)
        var isLinked = followsFrom && wanted.contains(Self.key(trace.traceID), at: clock.now)
        if followsTo, matched[0], !isLinked {
            Self.forEachLink(of: trace) { linked in
                isLinked = kept.contains(Self.key(linked), at: clock.now)
                return !isLinked
            }
        }
        return isLinked ? .keep(probability: 1) : .pass(probability: 0)
    }

    public func observe(_ trace: TraceEvidence, matched: ConditionBits, isKept: Bool) {
        guard isKept else { return }
        _ = clock.advance(to: trace.decidedAt)
        if followsTo { kept.note(Self.key(trace.traceID), at: clock.now) }
        if followsFrom, matched[0] {
            Self.forEachLink(of: trace) { linked in
                if linked != trace.traceID { wanted.note(Self.key(linked), at: clock.now) }
                return true
            }
        }
    }

    private static func forEachLink(of trace: TraceEvidence, _ body: (TraceID) -> Bool) {
        trace.spans.visit { span in
            var goesOn = true
            SpanMessage.forEachLink(in: span.span) { linked in
                goesOn = body(linked)
                return goesOn
            }
            return goesOn
        }
    }

    /// Tables hold 64 bits of an id: two of 10,000 traces share them once in 10¹¹ times.
    private static func key(_ id: TraceID) -> UInt64 { TraceTable.hash(id) }

    public func encodeState(into encoder: inout StateEncoder) {
        encoder.signed(clock.now)
        wanted.encode(into: &encoder)
        kept.encode(into: &encoder)
    }

    public func restoreState(from decoder: inout StateDecoder) {
        guard let now = decoder.signed() else { return }
        clock = StreamClock(now: now)
        wanted.restore(from: &decoder)
        kept.restore(from: &decoder)
    }
}

/// A span has a link.
final class HasLinkCondition: SpanCondition {
    func matches(_ span: borrowing SpanHead, in batch: SpanBatch) -> Bool {
        guard span.hasEventsOrLinks else { return false }
        var hasLink = false
        SpanMessage.forEach(SpanMessage.linkField, in: batch.bytes(span.message)) { _ in
            hasLink = true
            return false
        }
        return hasLink
    }
}
