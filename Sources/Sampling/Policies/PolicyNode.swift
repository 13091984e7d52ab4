/// A policy in its place in a sampler: alone in the list, or part of another one. Counts what it does.
public final class PolicyNode {
    public let policy: any SamplingPolicy
    /// The sampler's index of its first condition.
    private(set) var firstCondition = 0
    /// Position among all policies of the sampler, sub-policies included: what decisions refer to.
    private(set) var index = 0
    /// The names from the top of the list down to this policy.
    private(set) var path: [String] = []
    /// Index of the policy that this one is part of; nil at the top of the list.
    private(set) var parentIndex: Int?
    private var stopwatch: PolicyStopwatch?
    /// Whether asking the policy changes what it says next. Asked once: a dynamic cast costs more than most votes.
    let isCharged: Bool
    let randomness: String?
    /// Memory of its own: what is counted per vote should not cost a check of exclusive access.
    let counting: UnsafeMutablePointer<PolicyNodeCounters>

    public init(_ policy: any SamplingPolicy) {
        self.policy = policy
        isCharged = policy.isCharged
        randomness = policy.randomness
        counting = .allocate(capacity: 1)
        counting.initialize(to: PolicyNodeCounters())
    }

    deinit { counting.deallocate() }

    var counters: PolicyNodeCounters {
        get { counting.pointee }
        set { counting.pointee = newValue }
    }

    /// Gives the node and those below it their numbers, in the order of the list.
    func place(path: [String], _ nodes: inout [PolicyNode], firstCondition: inout Int, stopwatch: PolicyStopwatch) {
        index = nodes.count
        nodes.append(self)
        self.path = path + [policy.name]
        self.firstCondition = firstCondition
        self.stopwatch = stopwatch
        firstCondition += policy.conditions.count
        for child in policy.subpolicies {
            child.parentIndex = index
            child.place(path: self.path, &nodes, firstCondition: &firstCondition, stopwatch: stopwatch)
        }
    }

    /// The policy's vote, counted.
    public func vote(on trace: TraceEvidence, matched: ConditionBits) -> SamplingVote {
        counting.pointee.evaluated &+= 1
        let started = stopwatch?.start() ?? 0
        let vote = policy.vote(on: trace, matched: matched.of(firstCondition))
        if started != 0, let stopwatch { counting.pointee.nanoseconds &+= stopwatch.elapsed(since: started) }
        if vote.isKeep || vote == .drop { counting.pointee.matched &+= 1 }
        return vote
    }
}

/// What one policy did.
struct PolicyNodeCounters {
    /// Traces it was asked about.
    var evaluated: UInt64 = 0
    /// Traces it voted to keep, or to drop.
    var matched: UInt64 = 0
    /// Traces whose fate it decided.
    var decided: UInt64 = 0
    var keptTraces: UInt64 = 0
    var keptSpans: UInt64 = 0
    var keptBytes: UInt64 = 0
    /// Extrapolated from the votes that were timed.
    var nanoseconds: UInt64 = 0
}

/// Times a few votes, for the metric of time spent; decisions never see it.
final class PolicyStopwatch {
    /// One decision in so many is timed.
    static let period: UInt64 = 64

    private let clock: (() -> UInt64)?
    private var decisions: UInt64 = 0
    private(set) var isTiming = false

    /// - Parameter clock: monotonic nanoseconds; nil measures nothing.
    init(clock: (() -> UInt64)?) { self.clock = clock }

    func beginDecision() {
        decisions &+= 1
        isTiming = clock != nil && decisions % Self.period == 1
    }

    /// 0 where this decision is not timed.
    func start() -> UInt64 { isTiming ? clock.map { $0() } ?? 0 : 0 }

    func elapsed(since start: UInt64) -> UInt64 {
        guard let clock else { return 0 }
        return (clock() &- start) &* Self.period
    }
}
