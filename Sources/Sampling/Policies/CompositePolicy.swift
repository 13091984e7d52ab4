/// `composite`: shares a rate of spans per second among sub-policies.
///
/// Asks the sub-policies in `policy_order`. The first that would keep the trace and has room keeps it; one whose share is
/// used up passes it on to the next. Shares are counted per second of the decisions' time. What the others left of their
/// shares in the second before may be used on top of one's own share, as long as the total holds; what they used in it stays
/// reserved for them.
public final class CompositePolicy: StatefulPolicy, CreditingPolicy {
    public struct Part {
        public var policy: any SamplingPolicy
        /// Spans per second.
        public var allocation: Int64

        public init(_ policy: any SamplingPolicy, allocation: Int64) {
            self.policy = policy
            self.allocation = allocation
        }
    }

    public let name: String
    public let subpolicies: [PolicyNode]
    private let allocations: [UInt64]
    private let total: UInt64

    private var clock = StreamClock()
    /// The second that is being counted; `Int64.min` before the first decision.
    private var second: Int64 = .min
    private var used: [UInt64]
    private var usedBefore: [UInt64]
    /// Nothing is lent before a whole second was seen.
    private var knowsSecondBefore = false
    /// By the first sub-policy that would keep a trace: what share of such traces is kept, by whichever sub-policy.
    private var meters: [ShareMeter]
    private(set) var credited: PolicyNode?

    /// - Parameters:
    ///   - parts: in the order in which they are asked.
    ///   - total: spans per second.
    public init(name: String, _ parts: [Part], total: Int64) {
        self.name = name
        subpolicies = parts.map { PolicyNode($0.policy) }
        allocations = parts.map { UInt64(clamping: $0.allocation) }
        self.total = UInt64(clamping: total)
        used = Array(repeating: 0, count: parts.count)
        usedBefore = used
        meters = Array(repeating: ShareMeter(), count: parts.count)
    }

    public var randomness: String? { "limit \(name)" }

    public func vote(on trace: TraceEvidence, matched: ConditionBits) -> SamplingVote {
        advance(to: trace.decidedAt)
        credited = nil
        let amount = UInt64(trace.spanCount)
        var first: (index: Int, probability: Double)?
        var chance = 0.0
        for (index, node) in subpolicies.enumerated() {
            let vote = node.vote(on: trace, matched: matched)
            guard case .keep(let probability) = vote else {
                chance = max(chance, vote.probability)
                continue
            }
            if first == nil {
                first = (index, probability)
                credited = node
                meters[index].offer(amount)
            }
            guard let first, hasRoom(for: amount, index) else { continue }
            used[index] &+= amount
            credited = node
            meters[first.index].pass(amount)
            return .keep(probability: first.probability * meters[first.index].share)
        }
        guard let first else { return .pass(probability: chance) }
        return .limited(probability: first.probability * meters[first.index].share)
    }

    private func hasRoom(for amount: UInt64, _ index: Int) -> Bool {
        let spent = used.reduce(0, &+)
        guard amount <= total, spent <= total - amount else { return false }
        let own = used[index] &+ amount
        if own <= allocations[index] { return true }
        guard knowsSecondBefore else { return false }
        var lent: UInt64 = 0
        var reserved: UInt64 = 0
        for other in allocations.indices where other != index {
            let expected = min(allocations[other], usedBefore[other])
            lent &+= allocations[other] - expected
            if expected > used[other] { reserved &+= expected - used[other] }
        }
        return own <= allocations[index] &+ lent && spent &+ amount &+ reserved <= total
    }

    private func advance(to time: Int64) {
        let elapsed = clock.advance(to: time)
        for index in meters.indices where elapsed > 0 { meters[index].fade(elapsed: elapsed) }
        let current = clock.now.flooredDivision(by: 1000)
        guard current != second else { return }
        knowsSecondBefore = second != .min
        // After a pause the second before had no traces at all.
        usedBefore = current == second &+ 1 ? used : Array(repeating: 0, count: used.count)
        used = Array(repeating: 0, count: used.count)
        second = current
    }

    public func encodeState(into encoder: inout StateEncoder) {
        encoder.number(UInt64(used.count))
        encoder.signed(clock.now)
        encoder.signed(second)
        encoder.number(knowsSecondBefore ? 1 : 0)
        for index in used.indices {
            encoder.number(used[index])
            encoder.number(usedBefore[index])
            meters[index].encode(into: &encoder)
        }
    }

    public func restoreState(from decoder: inout StateDecoder) {
        // With other sub-policies the old shares mean nothing.
        guard decoder.number() == UInt64(used.count), let now = decoder.signed(), let second = decoder.signed(),
            let knows = decoder.number()
        else { return }
        var rows: [(used: UInt64, before: UInt64, meter: ShareMeter)] = []
        for _ in used.indices {
            guard let used = decoder.number(), let before = decoder.number(), let meter = ShareMeter(from: &decoder)
            else { return }
            rows.append((used, before, meter))
        }
        clock = StreamClock(now: now)
        self.second = second
        knowsSecondBefore = knows == 1
        used = rows.map(\.used)
        usedBefore = rows.map(\.before)
        meters = rows.map(\.meter)
    }
}
