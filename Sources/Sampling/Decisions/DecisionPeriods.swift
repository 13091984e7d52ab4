/// The decision horizon cut into periods: what is remembered carries the tag of its period, and is forgotten with it.
///
/// Fourteen periods are alive at a time: the present one and the thirteen that cover the horizon. Tags repeat after fifteen,
/// so a dead period's entries must be gone one period later; `DecisionMemory` sweeps once per period.
struct DecisionPeriods {
    static let covering: Int64 = 13
    private static let tagCount: Int64 = 15

    /// Milliseconds.
    let length: Int64
    /// Number of the newest period; nil before the first decision.
    private(set) var current: Int64?
    /// Bit *t* is set where tag *t* belongs to a living period. Tag 0 is an empty slot's.
    private(set) var living: UInt16 = 0
    /// The one tag of no living period.
    private(set) var deadTag: UInt8 = 0

    /// - Parameter horizon: milliseconds.
    init(horizon: Int64) {
        length = max(1000, horizon / Self.covering + (horizon % Self.covering == 0 ? 0 : 1))
    }

    func number(of time: Int64) -> Int64 { time.flooredDivision(by: length) }

    func tag(of number: Int64) -> UInt8 {
        let remainder = number % Self.tagCount
        return UInt8(remainder < 0 ? remainder + Self.tagCount : remainder) + 1
    }

    @inline(__always)
    func isLiving(_ tag: UInt8) -> Bool { living >> UInt16(tag) & 1 != 0 }

    /// Whether a period is still to be remembered; those ahead of the present one are.
    func isRemembered(_ number: Int64) -> Bool {
        guard let current else { return true }
        return number >= current - Self.covering
    }

    /// Tags that will live when `number` is the present period, and live now.
    func survivors(at number: Int64) -> UInt16 {
        guard let current, number - current <= Self.covering else { return 0 }
        var tags: UInt16 = 0
        for survivor in (number - Self.covering)...current { tags |= 1 << UInt16(tag(of: survivor)) }
        return tags & living
    }

    mutating func move(to number: Int64) {
        current = number
        living = 0
        for period in (number - Self.covering)...number { living |= 1 << UInt16(tag(of: period)) }
        deadTag = tag(of: number + 1)
    }
}

extension Int64 {
    /// Division that rounds towards minus infinity, so that times before 1970 do not share a number with those after.
    func flooredDivision(by divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }
}
