import OTLP
import Pipeline
import TraceModel

/// The policies of one sampler, with the conditions that spans are tested for as they arrive.
///
/// Combines votes as the Collector does: drop policies are asked first, whatever their place, and one that says drop
/// decides; else the first policy in the list that votes to keep is credited; else the trace is dropped. A policy that
/// would have kept it but for its limit is named as the reason.
final class PolicyList {
    struct Verdict: Equatable {
        var isKept: Bool
        /// Index of the deciding policy among all nodes, or `DecisionRecord.noPolicy`.
        var policyIndex: UInt16
        /// That a trace like this is kept, from where it began: what samplers before let through is counted in.
        var probability: Double
        /// The part of it that this sampler adds.
        var ownProbability: Double
        var cause: Cause
        /// What the budget decided, where a budget did.
        var budget: BudgetDecision?
        /// What an adaptive policy says of it, for the decision log.
        var detail = DecisionDetail(.none)

        enum Cause: Equatable {
            case matched
            case noneMatched
            case dropPolicy
            case limited
            /// A rule was for it, and its sampling left it out.
            case sampledOut
            case tooLarge
        }
    }

    /// More would not fit a decision record's index.
    static let maximumCount = Int(DecisionRecord.noPolicy)

    let top: [PolicyNode]
    /// All policies, sub-policies after the one they belong to.
    let nodes: [PolicyNode]
    private let conditions: ConditionTable
    private let stopwatch: PolicyStopwatch
    /// Drop policies first, then the others, both in the order of the list.
    private let order: [PolicyNode]
    /// Per policy in `order`: which of `chances` its probability belongs to.
    private let groups: [Int]
    /// The highest probability of each source of randomness; reused from trace to trace.
    private var chances: [Double]
    private let dropCount: Int
    private let observers: [(PolicyNode, any DecisionObserver)]
    private let arrivalObservers: [any ArrivalObserver]
    /// Policies that decide the traces of a tick together, and the batch positions of the traces that each has noted.
    private let batchNodes: [(node: PolicyNode, policy: any BatchPolicy)]
    private var notedPositions: [[Int]]
    private var batchPosition = 0
    /// Per policy in `order`, where it says more of its votes than their probability.
    private let detailing: [(any DetailingPolicy)?]
    /// With which a trace like the one last asked about came here.
    private(set) var lastUpstreamProbability = 1.0
    private let stopsAtFirstMatch: Bool
    /// Words for conditions beyond 64, by the window's index of the trace. Allocated only where a sampler has that many.
    private var extra: UnsafeMutablePointer<UInt64>?
    private var extraCount = 0

    /// - Parameters:
    ///   - stopsAtFirstMatch: the Collector's `sample_on_first_match`: policies after the first that keeps are not asked.
    ///   - clock: monotonic nanoseconds, for the metric of time spent; nil measures nothing.
    init(_ policies: [any SamplingPolicy], stopsAtFirstMatch: Bool = false, clock: (() -> UInt64)? = nil) {
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
        order = drops + top.filter { !($0.policy is DropPolicy) }
        dropCount = drops.count
        // Policies that look at the same random number keep nested sets of traces: the highest probability counts. Those
        // with numbers of their own choose independently.
        var sources: [String: Int] = [:]
        groups = order.map { node in
            let source = node.policy.randomness ?? ""
            return sources[source]
                ?? {
                    sources[source] = sources.count
                    return sources.count - 1
                }()
        }
        chances = Array(repeating: 0, count: max(1, sources.count))
        observers = nodes.compactMap { node in (node.policy as? any DecisionObserver).map { (node, $0) } }
        arrivalObservers = nodes.compactMap { $0.policy as? any ArrivalObserver }
        detailing = order.map { $0.policy as? any DetailingPolicy }
        batchNodes = top.compactMap { node in (node.policy as? any BatchPolicy).map { (node, $0) } }
        notedPositions = batchNodes.map { _ in [] }
    }

    deinit { extra?.deallocate() }

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
    ///   - unit: the window's number of the span's resource and scope.
    ///   - index: the window's index of the trace.
    @inline(__always)
    func observe(
        _ span: borrowing SpanHead, in batch: SpanBatch, unit: UInt32, of index: UInt32, matched: UInt64
    ) -> UInt64 {
        guard conditions.extraWords > 0 else {
            return conditions.observe(span, in: batch, unit: unit, low: matched, high: nil)
        }
        return observeMany(span, in: batch, unit: unit, of: index, matched: matched)
    }

    private func observeMany(
        _ span: borrowing SpanHead, in batch: SpanBatch, unit: UInt32, of index: UInt32, matched: UInt64
    ) -> UInt64 {
        conditions.observe(span, in: batch, unit: unit, low: matched, high: extraWords(of: index))
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
    func decide(_ trace: TraceEvidence, matched: UInt64, of index: UInt32) -> Verdict {
        guard conditions.extraWords > 0 else { return decide(trace, ConditionBits(low: matched)) }
        return decide(trace, ConditionBits(low: matched, high: extraWords(of: index).map { UnsafePointer($0) }))
    }

    private func decide(_ trace: TraceEvidence, _ matched: ConditionBits) -> Verdict {
        stopwatch.beginDecision()
        var trace = trace
        if conditions.hasUpstream(matched) { trace.upstream = UpstreamSampling(of: trace.spans) }
        lastUpstreamProbability = trace.upstream.probability
        var verdict = Verdict(
            isKept: false, policyIndex: DecisionRecord.noPolicy, probability: 0, ownProbability: 0, cause: .noneMatched)
        /// The chance that no drop policy drops a trace like this.
        var spared = 1.0
        for group in chances.indices { chances[group] = 0 }
        for (position, node) in order.enumerated() {
            let vote = node.vote(on: trace, matched: matched)
            if let batch = batchNodes.firstIndex(where: { $0.node === node }) {
                notedPositions[batch].append(batchPosition)
            }
            if position < dropCount {
                if vote == .drop { return conclude(.init(.dropPolicy, creditedIndex(node)), trace, matched) }
                spared *= 1 - vote.probability
                continue
            }
            // A policy that could have kept the trace raises its probability, whichever policy comes first.
            chances[groups[position]] = max(chances[groups[position]], vote.probability)
            if let policy = detailing[position], !verdict.isKept, verdict.detail.kind == .none || vote.isKeep {
                verdict.detail = policy.lastDetail
                verdict.detail.policyIndex = UInt16(truncatingIfNeeded: node.index)
            }
            switch vote {
            case .keep:
                if !verdict.isKept {
                    if detailing[position] == nil { verdict.detail = DecisionDetail(.none) }
                    verdict.isKept = true
                    verdict.cause = .matched
                    verdict.policyIndex = UInt16(truncatingIfNeeded: creditedIndex(node))
                }
            case .limited where !verdict.isKept && verdict.cause == .noneMatched:
                verdict.cause = .limited
                verdict.policyIndex = UInt16(truncatingIfNeeded: creditedIndex(node))
            case .drop: return conclude(.init(.dropPolicy, creditedIndex(node)), trace, matched)
            case .pass where !verdict.isKept && verdict.cause == .noneMatched:
                guard let credited = (node.policy as? any CreditingPolicy)?.credited else { break }
                verdict.cause = .sampledOut
                verdict.policyIndex = UInt16(truncatingIfNeeded: credited.index)
            case .limited, .pass: break
            }
            if verdict.isKept, stopsAtFirstMatch { break }
        }
        // One source (or a certain vote) is the common case, and exact.
        verdict.probability = chances.max() ?? 0
        if chances.count > 1, verdict.probability < 1 {
            verdict.probability = 1 - chances.reduce(1) { $0 * (1 - $1) }
        }
        verdict.probability *= spared
        verdict.ownProbability = verdict.probability
        verdict.probability *= trace.upstream.probability
        return conclude(verdict, trace, matched)
    }

    /// Where a batch is decided the verdict is not final yet.
    private func conclude(_ verdict: Verdict, _ trace: TraceEvidence, _ matched: ConditionBits) -> Verdict {
        decidesInBatches ? verdict : finish(verdict, trace, matched)
    }

    private func finish(_ verdict: Verdict, _ trace: TraceEvidence, _ matched: ConditionBits) -> Verdict {
        var node = node(verdict.policyIndex)
        while let current = node {
            current.counters.decided &+= 1
            node = current.parent
        }
        for (node, observer) in observers {
            observer.observe(trace, matched: matched.of(node.firstCondition), isKept: verdict.isKept)
        }
        return verdict
    }

    // MARK: - Batches

    /// What policies say of traces passes through these first.
    func use(_ scrubbers: ScrubberChain) {
        for (_, policy) in batchNodes { policy.use(scrubbers) }
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

    /// The sub-policy that a composite kept by, else the policy itself.
    private func creditedIndex(_ node: PolicyNode) -> Int {
        (node.policy as? any CreditingPolicy)?.credited?.index ?? node.index
    }

    private func node(_ index: UInt16) -> PolicyNode? {
        Int(index) < nodes.count ? nodes[Int(index)] : nil
    }

    func countKept(policyIndex: UInt16, spans: Int, bytes: Int) {
        var node = node(policyIndex)
        while let current = node {
            current.counters.keptTraces &+= 1
            current.counters.keptSpans &+= UInt64(spans)
            current.counters.keptBytes &+= UInt64(bytes)
            node = current.parent
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

    // MARK: - State

    private static let stateVersion: UInt64 = 1

    /// What stateful policies remember, by their place in the list; empty where there are none.
    var state: [UInt8] {
        let stateful = nodes.filter { $0.policy is any StatefulPolicy }
        if stateful.isEmpty { return [] }
        var encoder = StateEncoder()
        encoder.number(Self.stateVersion)
        encoder.number(UInt64(stateful.count))
        for node in stateful {
            guard let policy = node.policy as? any StatefulPolicy else { continue }
            var own = StateEncoder()
            policy.encodeState(into: &own)
            encoder.text(Self.stateKey(node))
            encoder.blob(own.bytes)
        }
        return encoder.bytes
    }

    /// Takes over the state of policies that still stand where they stood, with the same type. What cannot be read is left.
    func restore(_ bytes: [UInt8]) {
        var decoder = StateDecoder(bytes)
        guard decoder.number() == Self.stateVersion, let count = decoder.count(ofSize: 2) else { return }
        var states: [String: [UInt8]] = [:]
        for _ in 0..<count {
            guard let key = decoder.text(), let state = decoder.blob() else { break }
            states[key] = state
        }
        for node in nodes {
            guard let policy = node.policy as? any StatefulPolicy, let state = states[Self.stateKey(node)] else {
                continue
            }
            var own = StateDecoder(state)
            policy.restoreState(from: &own)
        }
    }

    private static func stateKey(_ node: PolicyNode) -> String {
        ([String(describing: type(of: node.policy))] + node.path).joined(separator: "\u{0}")
    }

    /// Whether some policy reads whole traces when it votes.
    var needsWholeTraces: Bool { nodes.contains { $0.policy.needsWholeTrace } }
}

extension PolicyList.Verdict {
    /// - Parameter upstream: the probability with which a trace like this came here.
    fileprivate mutating func apply(_ decision: BudgetDecision, by node: PolicyNode, upstream: Double) {
        let own = upstream > 0 ? min(1, decision.probability / upstream) : 0
        // Policies before it that left this trace might have kept it, each by a random number of its own.
        ownProbability = 1 - (1 - ownProbability) * (1 - own)
        probability = ownProbability * upstream
        policyIndex = UInt16(truncatingIfNeeded: node.index)
        isKept = decision.isKept
        if isKept { cause = .matched }
        budget = decision
    }

    fileprivate init(_ cause: Cause, _ policyIndex: Int) {
        self.init(
            isKept: false, policyIndex: UInt16(truncatingIfNeeded: policyIndex), probability: 0, ownProbability: 0,
            cause: cause)
    }
}

/// A policy that keeps by one of its sub-policies, and says by which.
protocol CreditingPolicy: SamplingPolicy {
    /// The sub-policy that the last vote came from, where it can be named; nil where none had a say.
    var credited: PolicyNode? { get }
}
