/// What one call changed. A plain value: making one allocates nothing. The sums per rule are `Scrubber.totals`.
public struct ScrubCounts: Hashable, Sendable {
    /// Values and texts changed or removed; one that two rules changed counts twice.
    public var changes: Int
    /// Bit i is set when the rule with index i changed something.
    public var rules: UInt64

    public init(changes: Int = 0, rules: UInt64 = 0) {
        self.changes = changes
        self.rules = rules
    }

    /// Nothing was changed: the output has the input's bytes.
    public var isEmpty: Bool { changes == 0 }
}
