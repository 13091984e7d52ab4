/// Which conditions some span of a trace has met, seen from one policy: element 0 is its first condition.
///
/// Borrowed from the window for the time of a vote.
public struct ConditionBits {
    /// Conditions 0 to 63 of the sampler.
    private let low: UInt64
    /// Conditions from 64 on, where a sampler has that many.
    private let high: UnsafePointer<UInt64>?
    /// The policy's first condition.
    private let first: Int

    package init(low: UInt64, high: UnsafePointer<UInt64>? = nil, first: Int = 0) {
        self.low = low
        self.high = high
        self.first = first
    }

    /// Whether some span met the policy's condition with this index.
    public subscript(index: Int) -> Bool {
        let bit = first &+ index
        if bit < 64 { return low &>> UInt64(bit) & 1 != 0 }
        guard let high else { return false }
        return high[(bit &- 64) >> 6] &>> UInt64(bit & 63) & 1 != 0
    }

    /// The same bits seen from the policy whose first condition is the sampler's condition `first`.
    func of(_ first: Int) -> ConditionBits { ConditionBits(low: low, high: high, first: first) }
}
