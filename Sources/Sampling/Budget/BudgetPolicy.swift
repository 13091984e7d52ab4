import OTLP
import Pipeline
import TraceModel

/// `budget`: keeps what fits a budget, every rare thing first, with weights that tell the truth. See docs/adaptive-sampling.md.
///
/// Traces that another policy of the sampler keeps are not the budget's, and cost it nothing.
public final class BudgetPolicy: StatefulPolicy, BatchPolicy {
    public let name: String
    public let subpolicies: [PolicyNode]
    private let keys: TraceKeys
    private let usesShapes: Bool
    private let operations = OperationKeys()
    private(set) var sampler: BudgetSampler
    private var noted: [BudgetTrace] = []
    private var open: [BudgetTrace] = []
    private let usesOutlines: Bool
    private var outline = TraceOutline()

    /// - Parameter ruleConditions: per rule of the settings the policy that says whether a trace meets it.
    init(
        name: String, settings: BudgetSettings, keyFields: [TraceKeys.Field], usesShapes: Bool,
        ruleConditions: [any SamplingPolicy]
    ) {
        self.name = name
        self.usesShapes = usesShapes
        keys = TraceKeys(keyFields)
        subpolicies = ruleConditions.map { PolicyNode($0) }
        sampler = BudgetSampler(settings: settings)
        usesOutlines = settings.mustKeep.errors && settings.mustKeep.outlines && settings.unit != .traces
    }

    public var needsWholeTrace: Bool { true }
    public var randomness: String? { nil }

    func use(_ scrubbers: ScrubberChain) { keys.use(scrubbers) }

    /// This task's part of the budget, 0…1: what the fleet's agreement or the number of partitions says.
    public var share: Double {
        get { sampler.rate / sampler.settings.rate }
        set { sampler.rate = sampler.settings.rate * min(1, max(1e-9, newValue)) }
    }

    /// Charges seconds of this task's part that others had.
    func charge(seconds: Double) { sampler.charge(seconds: seconds) }

    package var counters: BudgetCounters { sampler.counters }

    /// What is shared among tasks, and by what.
    var gauge: BudgetGauge {
        let settings = sampler.settings
        return BudgetGauge(
            policy: name, unit: settings.unit.name, rate: settings.rate, share: share, demand: sampler.demand,
            offeredCost: sampler.counters.offeredCost, balance: sampler.balance)
    }

    var figures: BudgetFigures {
        let counters = sampler.counters
        var figures = BudgetFigures(unit: sampler.settings.unit.name)
        figures.tiers = BudgetTier.allCases.map { tier in
            let index = Int(tier.rawValue)
            return BudgetFigures.Tier(
                name: tier.name, offeredTraces: counters.offeredTraces[index], keptTraces: counters.keptTraces[index],
                keptCost: counters.keptCost[index])
        }
        figures.offeredCost = counters.offeredCost
        figures.lateCost = counters.lateCost
        figures.outlines = counters.outlines
        figures.leftOutCost = counters.leftOutCost
        figures.oversizeKept = counters.oversizeKept
        figures.oversizeDropped = counters.oversizeDropped
        figures.coverageSuspendedTicks = counters.coverageSuspendedTicks
        figures.mustKeepSampledTicks = counters.mustKeepSampledTicks
        figures.dryRunKept = counters.dryRunKept
        for (rule, matches) in zip(sampler.settings.rules, counters.ruleMatches) {
            figures.ruleMatches[rule.name, default: 0] &+= matches
        }
        return figures
    }

    // MARK: - Votes

    /// Notes the trace; the decision comes with those of its tick.
    public func vote(on trace: TraceEvidence, matched: ConditionBits) -> SamplingVote {
        let hasError = trace.errorCount > 0
        var key: UInt64 = 0
        var duration = trace.duration
        if let root = trace.spans.root {
            key = keys.key(of: root, hasError: hasError)
            if trace.hasRoot {
                let fields = SpanFields(root.span)
                duration = fields.endTime > fields.startTime ? fields.endTime - fields.startTime : 0
            }
        }
        let isOutlined = hasError && usesOutlines
        if usesShapes || isOutlined { operations.read(trace.spans) }
        var noted = BudgetTrace(
            traceID: trace.traceID, spanCount: trace.spanCount, byteCount: trace.byteCount, key: key,
            shape: usesShapes ? operations.shape() ?? 0 : 0, hasError: hasError, duration: duration)
        if isOutlined { addOutline(to: &noted) }
        noted.randomness = trace.upstream.randomness(of: trace.traceID)
        noted.upstreamThreshold = trace.upstream.threshold ?? 0
        for (index, node) in subpolicies.enumerated().prefix(64) {
            if node.vote(on: trace, matched: matched).isKeep { noted.rules |= 1 << UInt64(index) }
        }
        self.noted.append(noted)
        return .pass(probability: 0)
    }

    /// Of the trace that `operations` has read.
    private func addOutline(to noted: inout BudgetTrace) {
        outline.removeAll()
        for call in operations.calls { outline.add(call.id, parent: call.parent, isError: call.isError) }
        outline.find()
        for (isIn, call) in zip(outline.isIn, operations.calls) where isIn {
            noted.outlineSpanCount &+= 1
            noted.outlineByteCount &+= UInt64(call.byteCount)
        }
    }

    func decideNoted(_ isOpen: [Bool], at time: Int64, isForced: Bool) -> [BudgetDecision] {
        open.removeAll(keepingCapacity: true)
        for (trace, isOpen) in zip(noted, isOpen) where isOpen { open.append(trace) }
        noted.removeAll(keepingCapacity: true)
        return sampler.decide(open, at: time, isForced: isForced)
    }

    func chargeLate(spans: Int, bytes: Int) {
        switch sampler.settings.unit {
        case .spans: sampler.chargeLate(cost: Double(spans))
        case .bytes: sampler.chargeLate(cost: Double(bytes))
        case .traces: break
        }
    }

    // MARK: - Explanation

    func explanation(of decision: BudgetDecision) -> String {
        var parts = ["tier \(decision.tier.name)"]
        if let rule = decision.rule { parts.append("rule \"\(sampler.settings.rules[rule].name)\"") }
        parts.append("key \(keys.text(of: decision.key))")
        if usesShapes { parts.append("shape \(Self.hexadecimal(decision.shape))") }
        parts.append("p \(Self.short(decision.dryRunProbability ?? decision.probability))")
        if decision.hasOutline { parts.append("p of the whole trace \(Self.short(decision.wholeProbability))") }
        if decision.threshold < Randomness.range {
            parts.append("th \(String(decoding: SamplingThreshold.text(decision.threshold), as: UTF8.self))")
        }
        parts.append("tick \(decision.tick)")
        if decision.isOversize { parts.append("larger than its tier's budget") }
        if decision.isDryRun { parts.append("dry run: the budget would drop it") }
        return (decision.isOutline ? "outline kept, " : decision.isKept ? "kept, " : "dropped, ")
            + parts.joined(separator: ", ")
    }

    func detail(of decision: BudgetDecision) -> DecisionDetail {
        var detail = DecisionDetail(.budget)
        detail.tier = decision.tier.rawValue
        detail.rule = decision.rule.map { UInt8(truncatingIfNeeded: $0) } ?? DecisionDetail.noRule
        detail.isOversize = decision.isOversize
        detail.isDryRun = decision.isDryRun
        detail.key = decision.key
        detail.shape = usesShapes ? decision.shape : 0
        detail.threshold = decision.threshold
        detail.tick = decision.tick
        detail.rate = share
        return detail
    }

    func text(of name: DecisionName) -> String? {
        switch name.kind {
        case .tier: return UInt8(exactly: name.value).flatMap(BudgetTier.init)?.name
        case .rule:
            let rules = sampler.settings.rules
            return name.value < UInt64(rules.count) ? rules[Int(name.value)].name : nil
        case .key: return keys.knownText(of: name.value)
        }
    }

    private static func hexadecimal(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// Four significant digits.
    private static func short(_ value: Double) -> String {
        guard value > 0, value < 1 else { return value >= 1 ? "1" : "0" }
        var scale = 10_000.0
        while value * scale < 1000, scale < 1e15 { scale *= 10 }
        return "\((value * scale).rounded() / scale)"
    }

    // MARK: - State

    public func encodeState(into encoder: inout StateEncoder) { encoder.blob(sampler.serialized()) }

    public func restoreState(from decoder: inout StateDecoder) {
        guard let bytes = decoder.blob() else { return }
        _ = sampler.restore(bytes)
    }
}
