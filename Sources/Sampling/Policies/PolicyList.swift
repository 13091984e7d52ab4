import OTLP
import Pipeline
import TraceModel

/// The policies of one sampler, with the conditions that spans are tested for as they arrive.
///
/// Combines votes as the Collector does: drop policies are asked first, whatever their place, and one that says drop
/// decides; else the first policy in the list that votes to keep is credited; else the trace is dropped. A policy that
/// would have kept it but for its limit is named as the reason.
package final class PolicyList {
    /// More would not fit a decision record's index.
    static let maximumCount = Int(DecisionRecord.noPolicy)

    let top: [PolicyNode]
    /// All policies, sub-policies after the one they belong to.
    let nodes: [PolicyNode]
    private let conditions: ConditionTable
    private let stopwatch: PolicyStopwatch
    /// A policy in the order in which they are asked: what a vote needs where it is a plain value. Without references, so that
    /// looking at it counts none.
    private struct Step {
        /// Nil where the policy itself must be asked.
        let directVote: DirectVote?
        let firstCondition: Int
        let counting: UnsafeMutablePointer<PolicyNodeCounters>
        let index: UInt16
        /// Which of `chances` its probability belongs to.
        let group: Int
    }

    /// The same policy where it must be asked, with what its types say: worked out once, not per vote.
    private struct Voter {
        let node: PolicyNode
        let index: UInt16
        /// In `batchNodes`.
        let batch: Int?
        /// Where it says more of its votes than their probability.
        let detailing: (any DetailingPolicy)?
        let crediting: (any CreditingPolicy)?

        /// The sub-policy that a composite kept by, else the policy itself.
        @inline(__always)
        var creditedIndex: UInt16 {
            guard let crediting else { return index }
            return UInt16(truncatingIfNeeded: crediting.credited?.index ?? Int(index))
        }
    }

    /// Drop policies first, then the others, both in the order of the list.
    private let steps: [Step]
    private let voters: [Voter]
    /// The highest probability of each source of randomness; reused from trace to trace.
    private let chances: UnsafeMutableBufferPointer<Double>
    private let dropCount: Int
    private let observers: [(PolicyNode, any DecisionObserver)]
    private let arrivalObservers: [any ArrivalObserver]
    /// Policies that decide the traces of a tick together, and the batch positions of the traces that each has noted.
    private let batchNodes: [(node: PolicyNode, policy: any BatchPolicy)]
    private var notedPositions: [[Int]]
    private var batchPosition = 0
    /// With which a trace like the one last asked about came here.
    private(set) var lastUpstreamProbability = 1.0
    private let stopsAtFirstMatch: Bool
    /// Words for conditions beyond 64, by the window's index of the trace. Allocated only where a sampler has that many.
    private var extra: UnsafeMutablePointer<UInt64>?
    private var extraCount = 0

    /// - Parameters:
    ///   - stopsAtFirstMatch: the Collector's `sample_on_first_match`: policies after the first that keeps are not asked.
    ///   - clock: monotonic nanoseconds, for the metric of time spent; nil measures nothing.
    package init(_ policies: [any SamplingPolicy], stopsAtFirstMatch: Bool = false, clock: (() -> UInt64)? = nil) {
        let stopwatch = PolicyStopwatch(clock: clock)
        let top = policies.map { PolicyNode($0) }
        var nodes: [PolicyNode] = []
        var firstCondition = 0
        for node in top {
            node.place(path: [], &nodes, firstCondition: &firstCondition, stopwatch: stopwatch)
        }
        self.stopwatch = stopwatch
        self.top = top
        self.nodes = nodes
        self.stopsAtFirstMatch = stopsAtFirstMatch
        conditions = ConditionTable(nodes.flatMap(\.policy.conditions))
        let drops = top.filter { $0.policy is DropPolicy }
        let order = drops + top.filter { !($0.policy is DropPolicy) }
        dropCount = drops.count
        // Policies that look at the same random number keep nested sets of traces: the highest probability counts. Those
        // with numbers of their own choose independently.
        var sources: [String: Int] = [:]
        let groups = order.map { node in
            let source = node.policy.randomness ?? ""
            return sources[source]
                ?? {
                    sources[source] = sources.count
                    return sources.count - 1
                }()
        }
        chances = .allocate(capacity: max(1, sources.count))
        chances.initialize(repeating: 0)
        observers = nodes.compactMap { node in (node.policy as? any DecisionObserver).map { (node, $0) } }
        arrivalObservers = nodes.compactMap { $0.policy as? any ArrivalObserver }
        let batchNodes = top.compactMap { node in (node.policy as? any BatchPolicy).map { (node: node, policy: $0) } }
        self.batchNodes = batchNodes
        steps = zip(order, groups).map { node, group in
            Step(
                directVote: (node.policy as? any DirectPolicy)?.directVote, firstCondition: node.firstCondition,
                counting: node.counting, index: UInt16(truncatingIfNeeded: node.index), group: group)
        }
        voters = order.map { node in
            Voter(
                node: node, index: UInt16(truncatingIfNeeded: node.index),
                batch: batchNodes.firstIndex { $0.node === node },
                detailing: node.policy as? any DetailingPolicy, crediting: node.policy as? any CreditingPolicy)
        }
        notedPositions = batchNodes.map { _ in [] }
    }

    deinit {
        extra?.deallocate()
        chances.deallocate()
    }

    // MARK: - Spans

    /// Spans of a record are about to be tested.
    @inline(__always)
    func spansArrive(at streamTime: Int64, decidedBy latest: Int64) {
        for observer in arrivalObservers { observer.spansArrive(at: streamTime, decidedBy: latest) }
    }

    /// A trace begins at an index of the window.
    @inline(__always)
    func opened(_ index: UInt32) {
        if conditions.extraWords > 0 { clearExtra(Int(index)) }
    }

    /// Tests the conditions that no span of the trace has met yet; returns conditions 0 to 63 that are met now.
    ///
    /// - Parameters:
    ///   - record: the batch's bytes.
    ///   - unit: the window's number of the span's resource and scope, which is known by `conditionsMet(byUnit:of:in:)`.
    ///   - unitMet: what that said.
    ///   - index: the window's index of the trace.
    @inline(__always)
    func observe(
        _ span: borrowing SpanHead, in batch: SpanBatch, _ record: UnsafeRawBufferPointer, unit: UInt32,
        unitMet: UInt64, of index: UInt32, matched: UInt64
    ) -> UInt64 {
        guard conditions.extraWords > 0 else {
            return conditions.observe(
                span, in: batch, record, unit: unit, unitMet: unitMet, low: matched, high: nil)
        }
        return observeMany(span, in: batch, record, unit: unit, unitMet: unitMet, of: index, matched: matched)
    }

    private func observeMany(
        _ span: borrowing SpanHead, in batch: SpanBatch, _ record: UnsafeRawBufferPointer, unit: UInt32,
        unitMet: UInt64, of index: UInt32, matched: UInt64
    ) -> UInt64 {
        conditions.observe(
            span, in: batch, record, unit: unit, unitMet: unitMet, low: matched, high: extraWords(of: index))
    }

    /// Conditions 0 to 63 that every span of a unit meets.
    ///
    /// - Parameters:
    ///   - unit: the window's number of a resource and scope.
    ///   - span: one of the unit's spans.
    func conditionsMet(byUnit unit: UInt32, of span: borrowing SpanHead, in batch: SpanBatch) -> UInt64 {
        conditions.conditionsMet(byUnit: unit, of: span, in: batch)
    }

    private func extraWords(of index: UInt32) -> UnsafeMutablePointer<UInt64>? {
        extra.map { $0 + Int(index) * conditions.extraWords }
    }

    private func clearExtra(_ index: Int) {
        let end = (index + 1) * conditions.extraWords
        if extraCount < end {
            let count = max(end, extraCount * 2, 1024)
            let larger = UnsafeMutablePointer<UInt64>.allocate(capacity: count)
            larger.initialize(repeating: 0, count: count)
            if let extra { larger.update(from: extra, count: extraCount) }
            extra?.deallocate()
            extra = larger
            extraCount = count
        }
        for word in (end - conditions.extraWords)..<end { extra?[word] = 0 }
    }

    /// Forgets resources whose numbers will be given to others.
    func forget(_ units: [UInt32]) { conditions.forget(units) }

    /// Gives memory back; for when no trace is open.
    func releaseMemory() {
        extra?.deallocate()
        extra = nil
        extraCount = 0
    }

    /// Bytes that open traces occupy here.
    var byteCount: Int { extraCount * 8 }

    // MARK: - Decisions

    /// - Parameter index: the window's index of the trace.
    package func decide(_ trace: TraceEvidence, matched: UInt64, of index: UInt32) -> Verdict {
        guard conditions.extraWords > 0 else { return decide(trace, ConditionBits(low: matched)) }
        return decide(trace, ConditionBits(low: matched, high: extraWords(of: index).map { UnsafePointer($0) }))
    }

    private func decide(_ trace: TraceEvidence, _ matched: ConditionBits) -> Verdict {
        guard conditions.hasUpstream(matched) else { return vote(on: trace, matched) }
        var trace = trace
        trace.upstream = UpstreamSampling(of: trace.spans)
        return vote(on: trace, matched)
    }

    @inline(__always)
    private func vote(on trace: TraceEvidence, _ matched: ConditionBits) -> Verdict {
        stopwatch.beginDecision()
        lastUpstreamProbability = trace.upstream.probability
        let isTiming = stopwatch.isTiming
        let chances = chances
        var verdict = Verdict(
            isKept: false, policyIndex: DecisionRecord.noPolicy, probability: 0, ownProbability: 0, cause: .noneMatched)
        /// The chance that no drop policy drops a trace like this.
        var spared = 1.0
        for group in 0..<chances.count { chances[group] = 0 }
        for position in 0..<steps.count {
            let step = steps[position]
            // A decision that is timed asks the policies themselves.
            if let direct = step.directVote, !isTiming {
                step.counting.pointee.evaluated &+= 1
                guard direct.isMet(by: trace, matched: matched.of(step.firstCondition)) else { continue }
                step.counting.pointee.matched &+= 1
                chances[step.group] = 1
                if !verdict.isKept { verdict.keep(by: step.index) }
            } else if let dropped = ask(position, trace, matched, &verdict, &spared) {
                return conclude(dropped, trace, matched)
            }
            if verdict.isKept, stopsAtFirstMatch { break }
        }
        // One source (or a certain vote) is the common case, and exact.
        for chance in chances { verdict.probability = max(verdict.probability, chance) }
        if chances.count > 1, verdict.probability < 1 {
            verdict.probability = 1 - chances.reduce(1) { $0 * (1 - $1) }
        }
        verdict.probability *= spared
        verdict.ownProbability = verdict.probability
        verdict.probability *= trace.upstream.probability
        return conclude(verdict, trace, matched)
    }

    /// Has a policy vote, and counts its vote.
    ///
    /// - Parameter spared: the chance that no drop policy drops a trace like this.
    /// - Returns: the verdict where the policy drops the trace.
    private func ask(
        _ position: Int, _ trace: TraceEvidence, _ matched: ConditionBits, _ verdict: inout Verdict,
        _ spared: inout Double
    ) -> Verdict? {
        let voter = voters[position]
        let vote = voter.node.vote(on: trace, matched: matched)
        if let batch = voter.batch { notedPositions[batch].append(batchPosition) }
        if position < dropCount {
            if vote == .drop { return Verdict(.dropPolicy, voter.creditedIndex) }
            spared *= 1 - vote.probability
            return nil
        }
        // A policy that could have kept the trace raises its probability, whichever policy comes first.
        let group = steps[position].group
        chances[group] = max(chances[group], vote.probability)
        if let policy = voter.detailing, !verdict.isKept, verdict.detail.kind == .none || vote.isKeep {
            verdict.detail = policy.lastDetail
            verdict.detail.policyIndex = voter.index
        }
        switch vote {
        case .keep:
            if verdict.isKept { break }
            let detail = voter.detailing == nil ? DecisionDetail(.none) : verdict.detail
            verdict.keep(by: voter.creditedIndex)
            verdict.detail = detail
        case .limited where !verdict.isKept && verdict.cause == .noneMatched:
            verdict.cause = .limited
            verdict.policyIndex = voter.creditedIndex
        case .drop: return Verdict(.dropPolicy, voter.creditedIndex)
        case .pass where !verdict.isKept && verdict.cause == .noneMatched:
            guard let credited = voter.crediting?.credited else { break }
            verdict.cause = .sampledOut
            verdict.policyIndex = UInt16(truncatingIfNeeded: credited.index)
        case .limited, .pass: break
        }
        return nil
    }

    /// Where a batch is decided the verdict is not final yet.
    private func conclude(_ verdict: Verdict, _ trace: TraceEvidence, _ matched: ConditionBits) -> Verdict {
        decidesInBatches ? verdict : finish(verdict, trace, matched)
    }

    private func finish(_ verdict: Verdict, _ trace: TraceEvidence, _ matched: ConditionBits) -> Verdict {
        var node = node(verdict.policyIndex)
        while let current = node {
            current.counting.pointee.decided &+= 1
            node = parent(of: current)
        }
        if observers.isEmpty { return verdict }
        for (node, observer) in observers {
            observer.observe(trace, matched: matched.of(node.firstCondition), isKept: verdict.isKept)
        }
        return verdict
    }

    // MARK: - Batches

    /// What policies say of traces passes through these first.
    func use(_ scrubbers: ScrubberChain) {
        for (_, policy) in batchNodes { policy.use(scrubbers) }
        for node in nodes { (node.policy as? any DetailingPolicy)?.use(scrubbers) }
    }

    /// Whether verdicts are final only after `decideBatch`.
    var decidesInBatches: Bool { !batchNodes.isEmpty }

    /// The next traces asked about belong to a new batch.
    func beginBatch() {
        batchPosition = 0
        for index in notedPositions.indices { notedPositions[index].removeAll(keepingCapacity: true) }
    }

    func nextInBatch() { batchPosition += 1 }

    /// Completes the verdicts of a batch: what no other policy keeps or drops is the budget's to decide.
    ///
    /// - Parameters:
    ///   - time: stream time, milliseconds since the Unix epoch: the end of the tick.
    ///   - isForced: decided early to free memory.
    func decideBatch(_ verdicts: inout [Verdict], upstream: [Double], at time: Int64, isForced: Bool) {
        for (batch, (node, policy)) in batchNodes.enumerated() {
            let positions = notedPositions[batch]
            let isOpen = positions.map { position in
                let verdict = verdicts[position]
                return !verdict.isKept && [.noneMatched, .limited, .sampledOut].contains(verdict.cause)
            }
            let decisions = policy.decideNoted(isOpen, at: time, isForced: isForced)
            var decided = decisions.makeIterator()
            for (position, isOpen) in zip(positions, isOpen) where isOpen {
                guard let decision = decided.next() else { break }
                verdicts[position].apply(decision, by: node, upstream: upstream[position])
                verdicts[position].detail = policy.detail(of: decision)
                verdicts[position].detail.policyIndex = UInt16(truncatingIfNeeded: node.index)
                if decision.isKept { node.counters.matched &+= 1 }
            }
        }
    }

    /// Counts a verdict of a batch, and tells the observers.
    func finishBatched(_ verdict: Verdict, _ trace: TraceEvidence, matched: UInt64, of index: UInt32) {
        let bits = ConditionBits(low: matched, high: extraWords(of: index).map { UnsafePointer($0) })
        _ = finish(verdict, trace, bits)
    }

    /// A span came after the budget kept its trace.
    func chargeLate(policyIndex: UInt16, bytes: Int) {
        (node(policyIndex)?.policy as? any BatchPolicy)?.chargeLate(spans: 1, bytes: bytes)
    }

    /// The budgets that tasks hold together, in the order of the policies.
    var budgets: [BudgetGauge] { batchNodes.compactMap { ($0.policy as? BudgetPolicy)?.gauge } }

    func takeBudgetShare(_ share: Double, policy: String) {
        for (_, batch) in batchNodes where batch.name == policy { (batch as? BudgetPolicy)?.share = share }
    }

    func chargeBudget(seconds: Double, policy: String) {
        for (_, batch) in batchNodes where batch.name == policy { (batch as? BudgetPolicy)?.charge(seconds: seconds) }
    }

    private func parent(of node: PolicyNode) -> PolicyNode? { node.parentIndex.map { nodes[$0] } }

    private func node(_ index: UInt16) -> PolicyNode? {
        Int(index) < nodes.count ? nodes[Int(index)] : nil
    }

    func countKept(policyIndex: UInt16, spans: Int, bytes: Int) {
        var node = node(policyIndex)
        while let current = node {
            current.counting.pointee.keptTraces &+= 1
            current.counting.pointee.keptSpans &+= UInt64(spans)
            current.counting.pointee.keptBytes &+= UInt64(bytes)
            node = parent(of: current)
        }
    }

    // MARK: - Names and figures

    /// The name of the policy in the list that an index belongs to.
    func name(_ policyIndex: UInt16) -> String { node(policyIndex)?.path.first ?? "" }

    /// `"rates" > "errors"` for sub-policy errors of policy rates.
    func quotedPath(_ policyIndex: UInt16) -> String {
        (node(policyIndex)?.path ?? []).map { "\"\($0)\"" }.joined(separator: " > ")
    }

    /// One sentence for people: which rule.
    func reason(_ cause: Verdict.Cause, policyIndex: UInt16, budget: BudgetDecision? = nil) -> String {
        let policy = quotedPath(policyIndex)
        if let budget, let batch = node(policyIndex)?.policy as? any BatchPolicy {
            return "policy \(policy): \(batch.explanation(of: budget))"
        }
        return switch cause {
        case .matched: "policy \(policy) matched"
        case .noneMatched: "no policy matched"
        case .dropPolicy: "policy \(policy) drops"
        case .limited: "policy \(policy) is over its limit"
        case .sampledOut: "policy \(policy) samples and left it out"
        case .tooLarge: "trace is larger than maximum_trace_size_bytes"
        }
    }

    func text(of name: DecisionName) -> String? {
        switch node(name.policyIndex)?.policy {
        case let batch as any BatchPolicy: batch.text(of: name)
        case let policy as any DetailingPolicy: policy.text(of: name)
        default: nil
        }
    }

    /// The verdict on a trace that is dropped for its size.
    func tooLarge() -> Verdict {
        Verdict(
            isKept: false, policyIndex: DecisionRecord.noPolicy, probability: 0, ownProbability: 0, cause: .tooLarge)
    }

    var counters: [PolicyCounters] {
        nodes.map { node in
            var counters = PolicyCounters(name: node.path.joined(separator: " > "))
            counters.isSubpolicy = node.path.count > 1
            counters.evaluatedTraces = node.counters.evaluated
            counters.matchedTraces = node.counters.matched
            counters.decidedTraces = node.counters.decided
            counters.keptTraces = node.counters.keptTraces
            counters.keptSpans = node.counters.keptSpans
            counters.keptBytes = node.counters.keptBytes
            counters.nanoseconds = node.counters.nanoseconds
            counters.budget = (node.policy as? BudgetPolicy)?.figures
            return counters
        }
    }

    /// Whether some policy reads whole traces when it votes.
    var needsWholeTraces: Bool { nodes.contains { $0.policy.needsWholeTrace } }
}

/// A policy that keeps by one of its sub-policies, and says by which.
protocol CreditingPolicy: SamplingPolicy {
    /// The sub-policy that the last vote came from, where it can be named; nil where none had a say.
    var credited: PolicyNode? { get }
}
