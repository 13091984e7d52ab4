/// What an adaptive policy says of a decision besides its probability: what `explain` shows. A trivial value.
public struct DecisionDetail: Sendable, Equatable {
    public enum Kind: UInt8, Sendable {
        case none = 0
        /// A budget decided: all members count.
        case budget = 1
        /// A sample rate by key: `key` and `rate` count.
        case rate = 2
    }

    public var kind: Kind
    /// Index of the policy that says so: the one that decided, or one that would have kept the trace by its rate.
    public var policyIndex: UInt16 = DecisionRecord.noPolicy
    /// Its name is a `DecisionName`.
    public var tier: UInt8 = 0
    /// Index of the rule that applied; its name is a `DecisionName`. `noRule` where none did.
    public var rule: UInt8 = Self.noRule
    /// The trace was too large for its tier's budget, and decided by itself.
    public var isOversize = false
    /// Kept by a dry run only.
    public var isDryRun = false
    /// Hash of the key's values; its text is a `DecisionName`.
    public var key: UInt64 = 0
    /// Hash of the trace's edges; 0 where shapes are not used.
    public var shape: UInt64 = 0
    /// 56 bits: a trace is kept iff its random bits are not below. What `ot=th` says.
    public var threshold: UInt64 = 0
    /// Number of the tick: stream time divided by the tick's length.
    public var tick: Int64 = 0
    /// Of a budget the task's part, 0…1; else the sample rate: one trace in so many.
    public var rate = 1.0

    public static let noRule: UInt8 = .max

    public init(_ kind: Kind) { self.kind = kind }

    /// 2^56.
    public static let thresholdRange: UInt64 = 1 << 56

    /// The smallest randomness that is kept with this probability.
    @inlinable
    public static func threshold(probability: Double) -> UInt64 {
        guard probability > 0 else { return thresholdRange }
        guard probability < 1 else { return 0 }
        return thresholdRange &- UInt64((probability * 0x1p56).rounded(.down))
    }
}

/// Something in a decision's detail that has a name for people. Names are written once per flush.
public struct DecisionName: Hashable, Sendable {
    public enum Kind: UInt8, Sendable {
        case tier = 0
        case rule = 1
        case key = 2
    }

    public var kind: Kind
    public var policyIndex: UInt16
    public var policyVersion: UInt32
    public var value: UInt64

    public init(kind: Kind, policyIndex: UInt16, policyVersion: UInt32, value: UInt64) {
        self.kind = kind
        self.policyIndex = policyIndex
        self.policyVersion = policyVersion
        self.value = value
    }

    /// The names that a record's detail refers to.
    public static func all(in record: DecisionRecord) -> [DecisionName] {
        let detail = record.detail
        func name(_ kind: Kind, _ value: UInt64) -> DecisionName {
            DecisionName(
                kind: kind, policyIndex: detail.policyIndex, policyVersion: record.policyVersion, value: value)
        }
        switch detail.kind {
        case .none: return []
        case .rate: return [name(.key, detail.key)]
        case .budget:
            let names = [name(.tier, UInt64(detail.tier)), name(.key, detail.key)]
            return detail.rule == DecisionDetail.noRule ? names : names + [name(.rule, UInt64(detail.rule))]
        }
    }
}
