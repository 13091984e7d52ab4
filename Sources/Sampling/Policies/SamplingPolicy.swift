public import OTLP
import Pipeline
public import TraceModel

/// A rule of a sampler: looks at a whole trace when its window closes, and votes.
///
/// What it needs from single spans it states as `conditions`: each is evaluated as spans arrive, until one span has met it,
/// and the policy reads the result as a bit. The spans themselves are looked at again only by a policy that asks for them
/// (`TraceEvidence.spans`).
///
/// A vote is a function of the evidence, the matched conditions and the policy's state; time is the decision's stream time,
/// never a clock. One instance per task, used by one thread; it may keep state and need not be `Sendable`.
public protocol SamplingPolicy: AnyObject {
    var name: String { get }
    /// Conditions on single spans, evaluated as they arrive. Those of sub-policies are not among them.
    var conditions: [any SpanCondition] { get }
    /// The policies that this one is made of; their conditions are tested and their votes counted like those of others.
    var subpolicies: [PolicyNode] { get }
    /// Whether `vote` may read `trace.spans`: the planner says so to people, and only such policies pay for it.
    var needsWholeTrace: Bool { get }
    /// Names the random number that the policy looks at: policies with the same one keep nested sets of traces, others choose
    /// independently. Nil for a policy whose votes are certain.
    var randomness: String? { get }
    /// - Parameter matched: element *i* tells whether some span met `conditions[i]`.
    func vote(on trace: TraceEvidence, matched: ConditionBits) -> SamplingVote
}

extension SamplingPolicy {
    public var conditions: [any SpanCondition] { [] }
    public var subpolicies: [PolicyNode] { [] }
    public var needsWholeTrace: Bool { false }
    public var randomness: String? { nil }
}

/// A policy whose votes depend on what it decided before. The state goes into the manifest with the decisions it led to, so
/// that a restart continues exactly where the last flush was.
public protocol StatefulPolicy: SamplingPolicy {
    /// Appends the state. Bounded: it is written with every flush.
    func encodeState(into encoder: inout StateEncoder)
    /// Takes over a state that `encodeState` wrote. A state that cannot be read leaves the policy as it was.
    func restoreState(from decoder: inout StateDecoder)
}

/// A policy that learns from every decision of its sampler, whichever policy made it.
public protocol DecisionObserver: SamplingPolicy {
    /// Called once per decided trace, after the verdict.
    ///
    /// - Parameter matched: as for `vote`.
    func observe(_ trace: TraceEvidence, matched: ConditionBits, isKept: Bool)
}

/// A policy that decides the traces of a tick together: `vote` notes a trace and passes, `decideNoted` decides.
protocol BatchPolicy: SamplingPolicy {
    /// Decides the traces noted since the last call, and forgets them.
    ///
    /// - Parameters:
    ///   - isOpen: for each noted trace, whether it is this policy's to decide; others have a verdict.
    ///   - time: stream time, milliseconds since the Unix epoch: the end of the tick.
    ///   - isForced: the traces are decided early to free memory.
    /// - Returns: one decision per open trace, in order.
    func decideNoted(_ isOpen: [Bool], at time: Int64, isForced: Bool) -> [BudgetDecision]
    /// What is said of traces passes through these first.
    func use(_ scrubbers: ScrubberChain)
    /// Spans came after their trace was kept.
    func chargeLate(spans: Int, bytes: Int)
    /// One sentence for people.
    func explanation(of decision: BudgetDecision) -> String
    /// The same for the decision log. Its policy is filled in by the caller.
    func detail(of decision: BudgetDecision) -> DecisionDetail
    /// What a detail refers to.
    func text(of name: DecisionName) -> String?
}

/// A policy that says more of its votes than their probability.
protocol DetailingPolicy: SamplingPolicy {
    /// Of the last vote.
    var lastDetail: DecisionDetail { get }
    /// What is said of traces passes through these first.
    func use(_ scrubbers: ScrubberChain)
    /// What a detail refers to.
    func text(of name: DecisionName) -> String?
}

/// A policy whose conditions depend on when spans arrive.
public protocol ArrivalObserver: SamplingPolicy {
    /// Called before the spans of a record are tested.
    ///
    /// - Parameters:
    ///   - streamTime: milliseconds since the Unix epoch.
    ///   - latest: no trace that has one of them is decided later.
    func spansArrive(at streamTime: Int64, decidedBy latest: Int64)
}

/// A condition that one span meets or does not.
public protocol SpanCondition: AnyObject {
    func matches(_ span: borrowing SpanHead, in batch: SpanBatch) -> Bool
}

/// What policies know of a trace at its decision.
public struct TraceEvidence {
    public var traceID: TraceID
    /// Latest end minus earliest start of its spans, nanoseconds.
    public var duration: UInt64
    public var spanCount: UInt32
    public var errorCount: UInt32
    /// Bytes of its spans as received.
    public var byteCount: UInt64
    /// Bit per status code that some span has: 1 unset, 2 ok, 4 error.
    public var statusSeen: UInt8
    public var hasRoot: Bool
    /// Stream time of the decision, milliseconds since the Unix epoch. Not quite monotonic: see `StreamClock`.
    public var decidedAt: Int64
    /// What samplers before this one say of the trace.
    public var upstream = UpstreamSampling()
    /// Its spans, read only on demand; valid during the vote.
    public var spans: any TraceSpans

    public init(
        traceID: TraceID, duration: UInt64, spanCount: UInt32, errorCount: UInt32, byteCount: UInt64, statusSeen: UInt8,
        hasRoot: Bool, decidedAt: Int64, spans: any TraceSpans = NoTraceSpans()
    ) {
        self.traceID = traceID
        self.duration = duration
        self.spanCount = spanCount
        self.errorCount = errorCount
        self.byteCount = byteCount
        self.statusSeen = statusSeen
        self.hasRoot = hasRoot
        self.decidedAt = decidedAt
        self.spans = spans
    }
}

/// The spans of a trace that is being decided, as the bytes that came. Valid during one vote.
public protocol TraceSpans: AnyObject {
    /// Visits the spans in order of arrival until `body` returns false. Duplicates are not removed.
    func visit(_ body: (TraceSpan) -> Bool)
    /// The first root span that came, or the first span while no root came; nil where it cannot be read.
    var root: TraceSpan? { get }
    /// Bytes of the trace as one OTLP request with its resources and scopes, about: what the Collector calls its size.
    var requestBytes: UInt64 { get }
}

/// One span of a trace in its bytes; all ranges are borrowed for the time of the visit.
public struct TraceSpan {
    /// The body of the `Span` message.
    public var span: UnsafeRawBufferPointer
    /// The body of the `Resource` message.
    public var resource: UnsafeRawBufferPointer
    /// The body of the `InstrumentationScope` message.
    public var scope: UnsafeRawBufferPointer
    /// Equal numbers mean equal resource and scope, while the trace is being decided.
    public var unit: UInt32

    public init(
        span: UnsafeRawBufferPointer, resource: UnsafeRawBufferPointer, scope: UnsafeRawBufferPointer, unit: UInt32
    ) {
        self.span = span
        self.resource = resource
        self.scope = scope
        self.unit = unit
    }
}

/// No spans: where evidence is made by hand.
public final class NoTraceSpans: TraceSpans {
    public init() {}
    public func visit(_ body: (TraceSpan) -> Bool) {}
    public var root: TraceSpan? { nil }
    public var requestBytes: UInt64 { 0 }
}

/// One policy's answer.
public enum SamplingVote: Sendable, Equatable {
    /// Keep, with the probability that a trace like this had.
    case keep(probability: Double)
    /// No opinion; `probability` is the chance that the policy would have kept a trace like this.
    case pass(probability: Double)
    /// The policy would have kept it, but its limit is used up; `probability` is the share that it lets through.
    case limited(probability: Double)
    /// Drop, whatever the others say.
    case drop

    /// The chance of a `keep`.
    public var probability: Double {
        switch self {
        case .keep(let probability), .pass(let probability), .limited(let probability): probability
        case .drop: 0
        }
    }

    public var isKeep: Bool {
        if case .keep = self { return true }
        return false
    }
}
