/// A set of 64-bit hashes in one flat table with linear probing: 8 bytes a slot, at most three quarters full.
struct FingerprintSet {
    private var slots: [UInt64] = []
    private(set) var count = 0

    var byteCount: Int { slots.count * 8 }

    func contains(_ hash: UInt64) -> Bool {
        if slots.isEmpty { return false }
        let mask = slots.count - 1
        let wanted = Self.nonZero(hash)
        var position = Int(truncatingIfNeeded: hash >> 32) & mask
        while slots[position] != 0 {
            if slots[position] == wanted { return true }
            position = (position + 1) & mask
        }
        return false
    }

    mutating func insert(_ hash: UInt64) {
        if (count + 1) * 4 > slots.count * 3 { grow() }
        if place(Self.nonZero(hash)) { count += 1 }
    }

    private mutating func place(_ hash: UInt64) -> Bool {
        let mask = slots.count - 1
        var position = Int(truncatingIfNeeded: hash >> 32) & mask
        while slots[position] != 0 {
            if slots[position] == hash { return false }
            position = (position + 1) & mask
        }
        slots[position] = hash
        return true
    }

    private mutating func grow() {
        let old = slots
        slots = Array(repeating: 0, count: max(256, old.count * 2))
        for hash in old where hash != 0 { _ = place(hash) }
    }

    private static func nonZero(_ hash: UInt64) -> UInt64 { hash == 0 ? 1 : hash }
}
