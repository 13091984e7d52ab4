/// 32-bit fingerprints with the tag of their period, 14 to a cache line: 4.6 bytes each.
///
/// A line holds fourteen fingerprints, then fourteen tags of four bits. An entry lies in one of two lines, and either follows
/// from the other and the fingerprint, so that an entry can be moved to make room (partial-key cuckoo hashing: Fan et al.,
/// "Cuckoo Filter: Practically Better Than Bloom", CoNEXT 2014). A look-up reads two lines that do not wait for each other.
/// Slots of a dead period count as free: nothing is rehashed, the capacity is fixed. Until such a slot is used again or
/// swept, its entry is still found.
///
/// Owns memory that `release` gives back; used by one thread.
struct FingerprintTable {
    static let slotsPerLine = 14
    private static let lineSize = 64
    /// Above this share, in percent, of living entries a table takes no more.
    private static let fullPercent = 97

    private let lines: UnsafeMutableRawPointer
    let lineCount: Int
    /// Entries of living periods.
    private(set) var count = 0
    /// Entries by tag.
    private let counts: UnsafeMutablePointer<Int>
    /// Whether new entries may come here; others only wait until their entries have died.
    var isOpen = true
    /// Next line to be swept.
    private(set) var sweepPosition = 0

    /// - Parameter capacity: slots, rounded up to whole pages of memory.
    init?(capacity: Int) {
        let size = MappedMemory.size(capacity / Self.slotsPerLine * Self.lineSize)
        guard let mapped = MappedMemory.map(size) else { return nil }
        lines = mapped
        lineCount = size / Self.lineSize
        counts = .allocate(capacity: 16)
        counts.initialize(repeating: 0, count: 16)
    }

    func release() {
        MappedMemory.unmap(lines, byteCount)
        counts.deallocate()
    }

    var byteCount: Int { lineCount * Self.lineSize }
    var capacity: Int { lineCount * Self.slotsPerLine }

    var hasRoom: Bool { count &* 100 < capacity &* Self.fullPercent }

    /// Counts anew: another period is the present one.
    mutating func recount(_ periods: DecisionPeriods) {
        count = 0
        for tag in 1..<16 as Range<UInt8> where periods.isLiving(tag) { count += counts[Int(tag)] }
    }

    @inline(__always)
    private func firstLine(_ hash: UInt64) -> Int {
        Int(truncatingIfNeeded: (hash >> 32 &* UInt64(lineCount)) >> 32)
    }

    /// The other line in which an entry of `line` may lie; the other's other line is `line` again.
    @inline(__always)
    private func otherLine(_ line: Int, _ fingerprint: UInt32) -> Int {
        let mixed = UInt64(fingerprint &* 0x9e37_79b1)
        let difference = Int(truncatingIfNeeded: (mixed &* UInt64(lineCount)) >> 32) &- line
        return difference < 0 ? difference &+ lineCount : difference
    }

    /// Fingerprint 0 marks a swept slot.
    @inline(__always)
    private static func fingerprint(_ hash: UInt64) -> UInt32 { max(1, UInt32(truncatingIfNeeded: hash)) }

    func contains(_ hash: UInt64) -> Bool { matches(hash) != 0 }

    /// Not 0 where the hash is held. Without a branch on what the lines hold, so that the next look-up does not wait for this
    /// one's memory.
    @inline(__always)
    func matches(_ hash: UInt64) -> UInt64 {
        let fingerprint = Self.fingerprint(hash)
        let line = firstLine(hash)
        let wanted = UInt64(fingerprint) &* 0x1_0000_0001
        return matches(line, wanted) | matches(otherLine(line, fingerprint), wanted)
    }

    /// Not 0 where one of the line's fingerprints is the one that both halves of `wanted` hold.
    @inline(__always)
    private func matches(_ line: Int, _ wanted: UInt64) -> UInt64 {
        let place = lines + line &* Self.lineSize
        var found: UInt64 = 0
        for pair in 0..<(Self.slotsPerLine / 2) {
            // The usual test for a zero among several small integers in one word (Warren, Hacker's Delight, 6-1).
            let difference = place.load(fromByteOffset: 8 &* pair, as: UInt64.self) ^ wanted
            found |= (difference &- 0x1_0000_0001) & ~difference
        }
        return found & 0x8000_0000_8000_0000
    }

    @inline(__always)
    private func tags(_ line: Int) -> UInt64 {
        (lines + line &* Self.lineSize).load(fromByteOffset: 56, as: UInt64.self)
    }

    /// One bit for each of the fourteen tags of a line.
    private static let lowBits: UInt64 = 0x0011_1111_1111_1111

    /// The lowest bit of each tag that is `wanted`.
    @inline(__always)
    private static func slots(_ tags: UInt64, with wanted: UInt8) -> UInt64 {
        var bits = tags ^ (UInt64(wanted) &* lowBits)
        bits |= bits >> 1
        bits |= bits >> 2
        return ~bits & lowBits
    }

    /// Free slots of a line: empty ones, and those of the one tag that is dead.
    @inline(__always)
    private func freeSlots(_ line: Int, _ periods: DecisionPeriods) -> (count: Int, first: Int) {
        let tags = tags(line)
        let free = Self.slots(tags, with: 0) | Self.slots(tags, with: periods.deadTag)
        return (free.nonzeroBitCount, free.trailingZeroBitCount / 4)
    }

    private mutating func put(_ fingerprint: UInt32, tag: UInt8, _ line: Int, _ slot: Int) {
        let place = lines + line &* Self.lineSize
        let shift = UInt64(4 &* slot)
        let tags = tags(line)
        counts[Int(tags >> shift & 15)] -= 1
        counts[Int(tag)] += 1
        place.storeBytes(of: fingerprint, toByteOffset: 4 &* slot, as: UInt32.self)
        place.storeBytes(of: tags & ~(15 << shift) | UInt64(tag) << shift, toByteOffset: 56, as: UInt64.self)
    }

    /// - Parameter tag: of a living period.
    /// - Returns: false where there is no room in the two lines, and none can be made by moving one entry.
    mutating func insert(_ hash: UInt64, tag: UInt8, _ periods: DecisionPeriods) -> Bool {
        let fingerprint = Self.fingerprint(hash)
        let line = firstLine(hash)
        let other = otherLine(line, fingerprint)
        let free = freeSlots(line, periods)
        let otherFree = freeSlots(other, periods)
        // Into the emptier one: it keeps all lines about equally full.
        if otherFree.count > free.count {
            put(fingerprint, tag: tag, other, otherFree.first)
        } else if free.count > 0 {
            put(fingerprint, tag: tag, line, free.first)
        } else {
            guard
                let (line, slot) = makeRoom(line, periods, depth: 0) ?? makeRoom(other, periods, depth: 0)
                    ?? makeRoom(line, periods)
            else { return false }
            put(fingerprint, tag: tag, line, slot)
        }
        count += 1
        return true
    }

    /// Moves an entry of a full line to its other line; returns the slot that has become free.
    ///
    /// - Parameter depth: how often room may be made in the other line first. Once suffices: where 96 % of all slots are
    ///   taken, one insertion in ten million finds all 28 other lines full, and none finds all of theirs full.
    private mutating func makeRoom(
        _ line: Int, _ periods: DecisionPeriods, depth: Int = 1
    ) -> (line: Int, slot: Int)? {
        for mayDig in [false, true] where !mayDig || depth > 0 {
            for slot in 0..<Self.slotsPerLine {
                let fingerprint = (lines + line &* Self.lineSize).load(fromByteOffset: 4 &* slot, as: UInt32.self)
                let other = otherLine(line, fingerprint)
                if other == line { continue }
                if mayDig, makeRoom(other, periods, depth: depth - 1) == nil { continue }
                let free = freeSlots(other, periods)
                if free.count == 0 { continue }
                put(fingerprint, tag: UInt8(tags(line) >> UInt64(4 &* slot) & 15), other, free.first)
                put(0, tag: 0, line, slot)
                return (line, slot)
            }
        }
        return nil
    }

    /// Empties slots whose tag is not in `living`, in the lines up to `end`.
    mutating func sweep(to end: Int, living: UInt16) {
        let end = min(end, lineCount)
        let dead = (1..<16 as Range<UInt8>).filter { living >> UInt16($0) & 1 == 0 }
        while sweepPosition < end {
            let before = tags(sweepPosition)
            var tags = before
            for tag in dead {
                let found = Self.slots(before, with: tag)
                if found == 0 { continue }
                tags &= ~(found &* 15)
                counts[Int(tag)] -= found.nonzeroBitCount
                forget(found, sweepPosition)
            }
            if tags != before {
                (lines + sweepPosition &* Self.lineSize).storeBytes(of: tags, toByteOffset: 56, as: UInt64.self)
            }
            sweepPosition &+= 1
        }
    }

    private func forget(_ slots: UInt64, _ line: Int) {
        var left = slots
        while left != 0 {
            (lines + line &* Self.lineSize).storeBytes(of: 0, toByteOffset: left.trailingZeroBitCount, as: UInt32.self)
            left &= left &- 1
        }
    }

    /// The next sweep starts at the first line.
    mutating func restartSweep() { sweepPosition = 0 }

    /// Chance that the look-up of an id that is not here says that it is: fingerprints compared, by 2³².
    var falsePositiveRate: Double {
        var held = 0
        for tag in 1..<16 { held += counts[tag] }
        return 2 * Double(held) / Double(lineCount) / 4_294_967_296
    }
}
