public import OTLP
public import TraceModel

/// A stage that holds spans by trace, and decides. It owns the spans it was given until it reports them done.
///
/// A pure state machine: time comes in as stream time, nothing is read or written. One instance per task and lane, used by
/// one thread. The window sampler of module Sampling is the built-in one.
public protocol Sampler: AnyObject {
    /// Takes custody of the selected spans of one record. `output` receives what follows at once: late spans of kept
    /// traces, refs of late spans of dropped traces.
    func add(
        _ batch: SpanBatch, _ selection: borrowing [UInt32], context: borrowing RecordContext,
        to output: any SamplerOutput)

    /// Moves stream time forward and decides the traces whose windows closed, tick by tick.
    func advance(to streamTime: Int64, output: any SamplerOutput)

    /// Decides the oldest traces until at most `bytes` of window memory are in use.
    func shrink(toBytes bytes: Int, output: any SamplerOutput)

    /// Decides everything that is open, in order of the traces' deadlines: the end of a recording.
    func closeAll(output: any SamplerOutput)

    /// Decisions made before a restart or hand-over; called before the first `add`.
    func restore(_ decisions: [DecisionRecord])

    /// What the sampler's policies remember besides decisions, for the manifest; empty where they remember nothing. Belongs
    /// to the decisions made so far.
    var state: [UInt8] { get }

    /// Takes over a state from before a restart or hand-over; called before the first `add`. What cannot be read is left.
    func restore(state: [UInt8])

    /// Takes over new settings between two records. Open traces and remembered decisions stay; what is decided from here on
    /// is decided by the new settings, with their version.
    ///
    /// - Returns: false where the sampler cannot: it then decides all it holds, and a new one takes its place.
    func reconfigure(_ settings: StageSettings, _ context: SamplerContext) throws -> Bool
    /// What is known of a trace that waits for its decision; nil where it does not.
    func openTrace(_ id: TraceID) -> OpenTrace?

    /// How long decisions are remembered, milliseconds of stream time.
    var decisionHorizon: Int64 { get }

    /// Why the sampler cannot go on; nothing it holds may be published then. Nil while it can.
    var failure: (any Error)? { get }

    var gauges: SamplerGauges { get }
    /// Counters by policy, in the order of the policies; read once per second.
    var policyCounters: [PolicyCounters] { get }

    /// What a decision's detail refers to, for people; nil where it has no name. Asked about decisions just made.
    func text(of name: DecisionName) -> String?

    /// The budgets of its policies that tasks hold together; empty where there are none.
    var budgets: [BudgetGauge] { get }

    /// Says which part of a policy's budget is this sampler's, 0…1: from the next decision on.
    func takeBudgetShare(_ share: Double, policy: String)

    /// Charges a policy's budget for seconds of its part that others had.
    func chargeBudget(seconds: Double, policy: String)
}

extension Sampler {
    public var state: [UInt8] { [] }
    public func restore(state: [UInt8]) {}
    public func reconfigure(_ settings: StageSettings, _ context: SamplerContext) throws -> Bool { false }
    public var failure: (any Error)? { nil }
    public func openTrace(_ id: TraceID) -> OpenTrace? { nil }
    public func text(of name: DecisionName) -> String? { nil }
    public var budgets: [BudgetGauge] { [] }
    public func takeBudgetShare(_ share: Double, policy: String) {}
    public func chargeBudget(seconds: Double, policy: String) {}
}

/// A trace that waits in a window. Times are stream time, milliseconds since the Unix epoch.
public struct OpenTrace: Sendable, Equatable {
    public var spanCount: UInt32
    public var errorCount: UInt32
    public var byteCount: UInt64
    public var hasRoot: Bool
    public var firstSeen: Int64
    public var lastSeen: Int64
    /// When the window closes if no more spans come.
    public var closesAt: Int64

    public init(
        spanCount: UInt32, errorCount: UInt32, byteCount: UInt64, hasRoot: Bool, firstSeen: Int64, lastSeen: Int64,
        closesAt: Int64
    ) {
        self.spanCount = spanCount
        self.errorCount = errorCount
        self.byteCount = byteCount
        self.hasRoot = hasRoot
        self.firstSeen = firstSeen
        self.lastSeen = lastSeen
        self.closesAt = closesAt
    }
}

/// What a sampler holds now.
public struct SamplerGauges: Sendable, Equatable {
    public var openTraces = 0
    public var openSpans = 0
    /// Bytes of memory held by the window.
    public var windowBytes = 0
    /// Bytes of spans on disk, and the files that hold them.
    public var spilledBytes = 0
    public var spillFiles = 0
    /// Bytes written to disk, reads, and failures of either, since the sampler was made.
    public var spillWrittenBytes: UInt64 = 0
    public var spillReads: UInt64 = 0
    public var spillFailures: UInt64 = 0
    /// Why spans cannot go to disk, or come back, at present; nil when they can.
    public var spillError: String?
    /// Remembered decisions.
    public var rememberedDecisions = 0
    /// Those of kept traces.
    public var rememberedKept = 0
    /// Bytes of memory held by remembered decisions; they count towards the worker's budget.
    public var decisionBytes = 0
    /// How long decisions are remembered, milliseconds of stream time; the longest where there are several samplers.
    public var decisionHorizon: Int64 = 0
    /// Computed chance that a new trace is taken for one that was dropped; the highest where there are several samplers.
    public var decisionFalsePositiveRate = 0.0

    public init() {}
}

/// What one policy did.
public struct PolicyCounters: Sendable, Equatable {
    /// `rates > errors` for the sub-policy errors of policy rates.
    public var name: String
    public var isSubpolicy = false
    /// Traces that the policy was asked about.
    public var evaluatedTraces: UInt64 = 0
    /// Traces for which the policy voted to keep (or to drop, where that is its business), whether or not another policy
    /// came first.
    public var matchedTraces: UInt64 = 0
    /// Traces whose fate the policy decided: kept, dropped or refused by its limit.
    public var decidedTraces: UInt64 = 0
    /// Time spent voting, extrapolated from one decision in 64.
    public var nanoseconds: UInt64 = 0
    /// Traces kept because of this policy.
    public var keptTraces: UInt64 = 0
    public var keptSpans: UInt64 = 0
    public var keptBytes: UInt64 = 0
    /// Of a policy that keeps a budget.
    public var budget: BudgetFigures?

    public init(name: String) { self.name = name }
}

/// Receives what a sampler decides. Implemented by the task.
public protocol SamplerOutput: AnyObject {
    /// A decided trace's spans, or late spans of a kept one, leave the sampler. `duplicates` spans were merged away and
    /// `malformed` spans could not be used.
    func kept(_ trace: KeptTrace, duplicates: Int)
    /// Spans of a dropped trace leave the window.
    func dropped(spans: Int)
    /// The summary of a dropped trace; only where `wantsDropped`.
    func dropped(_ trace: DroppedTrace)
    /// Spans of a trace leave the window of which only the outline is kept.
    func leftOut(spans: Int)
    /// Spans that came after the drop decision of their trace.
    func lateDropped(spans: Int)
    /// The same spans again, by their trace: what the decision log counts. Kept ones are known from `kept`.
    func lateDropped(_ traceID: TraceID, spans: Int)
    /// Refs whose effect is complete with the present commit group.
    func done(offset: Int64, firstIndex: UInt32, count: UInt32)
    /// A decision to be remembered.
    func decided(_ record: DecisionRecord)
    /// Whether anyone reads the summaries of dropped traces.
    var wantsDropped: Bool { get }
}

extension SamplerOutput {
    public func lateDropped(_ traceID: TraceID, spans: Int) {}
}
