import TraceModel

/// What the budget sampler knows of one trace. A trivial value.
package struct BudgetTrace: Sendable, Equatable {
    package var traceID: TraceID
    /// 56 bits: the tracestate's `ot=rv`, else the last seven bytes of the trace id.
    package var randomness: UInt64
    /// The `ot=th` that samplers upstream applied, 56 bits; 0 where everything came through.
    package var upstreamThreshold: UInt64 = 0
    package var spanCount: UInt32
    package var byteCount: UInt64
    /// Spans of its outline, see `TraceOutline`, and their bytes; 0 where the trace has no error, or outlines are not used.
    package var outlineSpanCount: UInt32 = 0
    package var outlineByteCount: UInt64 = 0
    /// Hash of the key fields' values.
    package var key: UInt64
    /// Hash of the set of the trace's edges; 0 where shapes are not used.
    package var shape: UInt64
    package var hasError: Bool
    /// Of the root span, or of the whole trace where the root is missing; nanoseconds.
    package var duration: UInt64
    /// Bit *i* is set where the trace meets the settings' rule *i*. At most 64 rules.
    package var rules: UInt64 = 0

    package init(
        traceID: TraceID, spanCount: UInt32, byteCount: UInt64 = 0, key: UInt64, shape: UInt64 = 0,
        hasError: Bool = false, duration: UInt64 = 0
    ) {
        self.traceID = traceID
        randomness = Randomness.of(traceID)
        self.spanCount = spanCount
        self.byteCount = byteCount
        self.key = key
        self.shape = shape
        self.hasError = hasError
        self.duration = duration
    }

    func cost(in unit: BudgetUnit) -> Double {
        switch unit {
        case .spans: Double(max(1, spanCount))
        case .bytes: Double(max(1, byteCount))
        case .traces: 1
        }
    }

    /// What its outline costs; nil where the trace has none, or one that is no cheaper.
    func outlineCost(in unit: BudgetUnit) -> Double? {
        guard outlineSpanCount > 0 else { return nil }
        let outline: Double =
            switch unit {
            case .spans: Double(outlineSpanCount)
            case .bytes: Double(max(1, outlineByteCount))
            case .traces: 1
            }
        return outline < cost(in: unit) ? outline : nil
    }
}

/// Why a trace was in the tier that decided it.
package enum BudgetTier: UInt8, Sendable, Equatable, CaseIterable {
    /// First of its key and shape in the coverage window.
    case coverage
    case error
    case slow
    /// A rule of the user put it into the must-keep tier.
    case mustKeepRule
    /// A rule's own budget.
    case ownBudget
    case rest
    /// A rule drops it.
    case dropRule

    /// Errors, and what a rule puts beside them.
    var isErrorOrRule: Bool { self == .error || self == .mustKeepRule }

    package var name: String {
        switch self {
        case .coverage: "coverage"
        case .error: "error"
        case .slow: "slow"
        case .mustKeepRule: "must_keep"
        case .ownBudget: "own_budget"
        case .rest: "rest"
        case .dropRule: "drop"
        }
    }
}

/// The sampler's answer for one trace, with everything that explains it. A trivial value.
package struct BudgetDecision: Sendable, Equatable {
    package var isKept: Bool
    /// Only the trace's outline is kept: the spans with an error and those above them.
    package var isOutline = false
    /// With what samplers upstream did: the weight of a kept trace is `1 / probability`.
    package var probability: Double
    /// The same for being kept whole: the weight of the spans outside the outline is `1 / wholeProbability`. Lower than
    /// `probability` where outlines were considered.
    package var wholeProbability: Double
    /// 56 bits: a trace is kept iff its randomness is not below. What is exported as `ot=th`.
    package var threshold: UInt64
    package var tier: BudgetTier
    /// Index of the user's rule that applied, or nil.
    package var rule: Int?
    package var key: UInt64
    package var shape: UInt64
    /// Number of the tick: stream time divided by the tick's length.
    package var tick: Int64
    /// A trace larger than three quarters of what its tier had: decided by itself, see docs/adaptive-sampling.md.
    package var isOversize: Bool
    /// Kept by a dry run only: the budget would have dropped it.
    package var isDryRun = false
    /// In a dry run the probability that the budget would have given it.
    package var dryRunProbability: Double?

    package var weight: Double { probability > 0 ? 1 / probability : 0 }

    /// Whether the spans of the outline stand for fewer than the trace's other spans do.
    package var hasOutline: Bool { isKept && wholeProbability < probability }
}
