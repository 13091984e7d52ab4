import Pipeline
import TraceModel

/// Which traces were kept, exactly, and by which decision: 26 bytes each in small tables that grow one at a time.
///
/// Slots come in groups of sixteen; an entry lies in one of two groups, as in `FingerprintTable`. Two bytes of hash per slot lie
/// apart from the slots: nearly all look-ups of other traces end there, after two groups, without a branch on what they hold.
/// (One group after the other until an empty slot came, with a byte per slot, cost 90 ns more: the processor guessed wrong in a
/// third of all look-ups, and the memory of the next one was not asked for before.)
/// What many decisions share (policy, version, probability, trigger) is kept once and counted.
struct KeptDecisions: ~Copyable {
    struct Reason: Hashable {
        var policyIndex: UInt16
        var policyVersion: UInt32
        var probability: Double
        var trigger: Decision.Trigger
        /// Only the outline was kept.
        var isOutline = false
        /// Of the spans beyond the outline, where they had another chance.
        var wholeProbability: Double?
    }

    private struct Slot {
        var id: TraceID
        /// Number of the reason (28 bits), time (36 bits of milliseconds).
        var packed: UInt64
    }

    private struct Segment {
        /// `capacity` slots, then as many marks: 0 for an empty slot, or 16 bits of the hash.
        var slots: UnsafeMutablePointer<Slot>?
        var capacity: UInt32
        var count: UInt32
    }

    /// By the upper bits of the hash: growing one moves a small part of the entries.
    private static let segmentCount = 256
    private static let groupSize = 16
    private static let groupMarksSize = groupSize * MemoryLayout<UInt16>.size
    private static let slotSize = MemoryLayout<Slot>.stride + MemoryLayout<UInt16>.size
    private static let timeMask: UInt64 = (1 << 36) - 1
    private static let mostReasons = (1 << 28) - 2

    /// Where an entry moves its hash is made anew; callers give it otherwise.
    private let hash: @Sendable (TraceID) -> UInt64
    private let segments: UnsafeMutablePointer<Segment>
    private var reasons: [(reason: Reason, uses: Int)] = []
    private var reasonNumbers: [Reason: Int] = [:]
    private var freeReasons: [Int] = []
    /// Entries whose groups are full of entries with the same two groups: ids that somebody chose so. Without them a segment
    /// would grow without end.
    private var crowded: [TraceID: UInt64] = [:]
    /// The latest time seen, to which shortened times are near.
    private var latest = Int64.min
    private(set) var count = 0
    private var slotCount = 0
    private var sweepPosition = 0

    /// - Parameter hash: what callers give as hashes; tests choose ids that have the same one.
    init(hash: @escaping @Sendable (TraceID) -> UInt64 = { DecisionMemory.hash($0) }) {
        self.hash = hash
        segments = .allocate(capacity: Self.segmentCount)
        segments.initialize(repeating: Segment(slots: nil, capacity: 0, count: 0), count: Self.segmentCount)
    }

    deinit {
        for index in 0..<Self.segmentCount { Self.release(segments[index]) }
        segments.deallocate()
    }

    var byteCount: Int {
        slotCount * Self.slotSize + Self.segmentCount * MemoryLayout<Segment>.stride
            + (reasons.capacity + reasonNumbers.capacity + crowded.capacity) * 48
    }

    /// The first slots of the two groups in which an entry may lie.
    @inline(__always)
    private static func homes(_ hash: UInt64, _ capacity: UInt32) -> (Int, Int) {
        let groups = UInt64(capacity / 16)
        // Bits that the segment's number does not use; for the other group mixed once more, with what the mark is made of.
        let first = ((hash >> 16 & 0xffff_ffff) &* groups) >> 32
        let second = ((hash &* 0x9e37_79b9_7f4a_7c15) >> 32 &* groups) >> 32
        return (Int(truncatingIfNeeded: first) &* groupSize, Int(truncatingIfNeeded: second) &* groupSize)
    }

    @inline(__always)
    private static func mark(_ hash: UInt64) -> UInt16 { max(1, UInt16(truncatingIfNeeded: hash)) }

    @inline(__always)
    private static func marks(_ segment: Segment, _ slots: UnsafeMutablePointer<Slot>) -> UnsafeMutableRawPointer {
        UnsafeMutableRawPointer(slots + Int(segment.capacity))
    }

    @inline(__always)
    private static func mark(_ marks: UnsafeMutableRawPointer, _ slot: Int) -> UInt16 {
        marks.load(fromByteOffset: slot &* MemoryLayout<UInt16>.size, as: UInt16.self)
    }

    /// Not 0 where one of a group's marks is the one that `wanted` holds four times; rarely also where none is.
    @inline(__always)
    private static func matches(_ marks: UnsafeMutableRawPointer, _ group: Int, _ wanted: UInt64) -> UInt64 {
        let place = marks + group &* MemoryLayout<UInt16>.size
        var found: UInt64 = 0
        for word in 0..<(groupMarksSize / 8) {
            // As in FingerprintTable.matches, with smaller integers.
            let difference = place.load(fromByteOffset: 8 &* word, as: UInt64.self) ^ wanted
            found |= (difference &- 0x0001_0001_0001_0001) & ~difference
        }
        return found & 0x8000_8000_8000_8000
    }

    @inline(__always)
    func find(_ id: TraceID, hash: UInt64) -> (reason: Reason, decidedAt: Int64)? {
        let segment = segments[Int(truncatingIfNeeded: hash >> 56)]
        guard let slots = segment.slots else { return nil }
        let marks = Self.marks(segment, slots)
        let wanted = UInt64(Self.mark(hash)) &* 0x0001_0001_0001_0001
        let (first, second) = Self.homes(hash, segment.capacity)
        guard Self.matches(marks, first, wanted) | Self.matches(marks, second, wanted) != 0 || !crowded.isEmpty else {
            return nil
        }
        return findExactly(id, hash, segment, slots)
    }

    private func findExactly(
        _ id: TraceID, _ hash: UInt64, _ segment: Segment, _ slots: UnsafeMutablePointer<Slot>
    ) -> (reason: Reason, decidedAt: Int64)? {
        let slot = position(of: id, hash, segment, slots).map { slots[$0].packed }
        guard let packed = slot ?? (crowded.isEmpty ? nil : crowded[id]) else { return nil }
        return (reasons[Int(packed >> 36)].reason, time(packed))
    }

    private func position(
        of id: TraceID, _ hash: UInt64, _ segment: Segment, _ slots: UnsafeMutablePointer<Slot>
    ) -> Int? {
        let marks = Self.marks(segment, slots)
        let mark = Self.mark(hash)
        let wanted = UInt64(mark) &* 0x0001_0001_0001_0001
        let (first, second) = Self.homes(hash, segment.capacity)
        for group in 0..<2 {
            let group = group == 0 ? first : second
            if Self.matches(marks, group, wanted) == 0 { continue }
            for slot in group..<(group &+ Self.groupSize)
            where Self.mark(marks, slot) == mark && slots[slot].id == id {
                return slot
            }
        }
        return nil
    }

    /// The full time of a shortened one: of all that it may stand for, the one nearest to the latest.
    private func time(_ packed: UInt64) -> Int64 {
        let distance = (packed &- UInt64(bitPattern: latest)) & Self.timeMask
        return latest &+ (Int64(bitPattern: distance << 28) >> 28)
    }

    /// Not inlined: most decisions are to drop, and remembering those took 30 % longer with all of this in between.
    ///
    /// - Parameter oldest: entries from before this time may be forgotten to make room.
    @inline(never)
    mutating func insert(_ id: TraceID, hash: UInt64, _ reason: Reason, decidedAt: Int64, oldest: Int64) {
        latest = max(latest, decidedAt)
        let index = Int(truncatingIfNeeded: hash >> 56)
        if (segments[index].count + 1) * 20 > segments[index].capacity * 19 { rebuild(index, oldest: oldest, room: 1) }
        let number = use(reason)
        let slot = Slot(id: id, packed: UInt64(number) << 36 | UInt64(bitPattern: decidedAt) & Self.timeMask)
        if crowded.isEmpty {
            if place(slot, hash, index) { return }
            rebuild(index, oldest: oldest, room: Self.groupSize)
        }
        if crowded[id] != nil || !place(slot, hash, index) { crowd(slot) }
    }

    private mutating func crowd(_ slot: Slot) {
        if let present = crowded.updateValue(slot.packed, forKey: slot.id) { giveBack(present) } else { count += 1 }
    }

    /// - Returns: false where there is no room in the two groups, and none can be made by moving one entry.
    private mutating func place(_ slot: Slot, _ hash: UInt64, _ index: Int) -> Bool {
        let segment = segments[index]
        guard let slots = segment.slots else { return false }
        if let present = position(of: slot.id, hash, segment, slots) {
            giveBack(slots[present].packed)
            slots[present] = slot
            return true
        }
        return add(slot, hash, index)
    }

    /// As `place`, of an id that is not there.
    private mutating func add(_ slot: Slot, _ hash: UInt64, _ index: Int) -> Bool {
        let segment = segments[index]
        guard let slots = segment.slots, let free = room(hash, segment, slots) else { return false }
        slots[free] = slot
        Self.setMark(Self.mark(hash), free, segment, slots)
        segments[index].count += 1
        count += 1
        return true
    }

    private static func setMark(
        _ mark: UInt16, _ slot: Int, _ segment: Segment, _ slots: UnsafeMutablePointer<Slot>
    ) {
        marks(segment, slots).storeBytes(of: mark, toByteOffset: slot * MemoryLayout<UInt16>.size, as: UInt16.self)
    }

    /// A free slot in one of the two groups, in the emptier one; where both are full, one is made by moving an entry to its
    /// other group.
    private func room(_ hash: UInt64, _ segment: Segment, _ slots: UnsafeMutablePointer<Slot>) -> Int? {
        let (first, second) = Self.homes(hash, segment.capacity)
        if let free = Self.freeSlot(first, second, segment, slots) { return free }
        for place in 0..<(2 * Self.groupSize) {
            let slot = place < Self.groupSize ? first + place : second + place - Self.groupSize
            let hash = self.hash(slots[slot].id)
            // One of them is the full group at hand.
            let (one, other) = Self.homes(hash, segment.capacity)
            guard let free = Self.freeSlot(one, other, segment, slots) else { continue }
            slots[free] = slots[slot]
            Self.setMark(Self.mark(hash), free, segment, slots)
            Self.setMark(0, slot, segment, slots)
            return slot
        }
        return nil
    }

    private static func freeSlot(
        _ first: Int, _ second: Int, _ segment: Segment, _ slots: UnsafeMutablePointer<Slot>
    ) -> Int? {
        let marks = marks(segment, slots)
        let (one, other) = (freeSlots(marks, first), freeSlots(marks, second))
        if one.count == 0, other.count == 0 { return nil }
        // Into the emptier one: it keeps all groups about equally full.
        return other.count > one.count ? second + other.last : first + one.last
    }

    /// How many slots of a group are empty, and the last of them.
    @inline(__always)
    private static func freeSlots(_ marks: UnsafeMutableRawPointer, _ group: Int) -> (count: Int, last: Int) {
        var count = 0
        var last = 0
        for slot in 0..<groupSize where mark(marks, group &+ slot) == 0 {
            count &+= 1
            last = slot
        }
        return (count, last)
    }

    /// Larger segments get pages of their own, bytes.
    private static let mappedFrom = 32 << 10

    private static func allocate(_ capacity: Int) -> UnsafeMutablePointer<Slot> {
        let size = capacity * slotSize
        // Sixteen slots are six cache lines: from such a start each group's marks lie in one line.
        guard size >= mappedFrom else {
            let bytes = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 64)
            clearMarks(bytes + capacity * MemoryLayout<Slot>.stride, capacity)
            return bytes.bindMemory(to: Slot.self, capacity: capacity)
        }
        // Out of address space: the same end as a failed allocation.
        guard let bytes = MappedMemory.map(size) else { fatalError("out of memory for remembered decisions") }
        return bytes.bindMemory(to: Slot.self, capacity: capacity)
    }

    private static func release(_ segment: Segment) {
        guard let slots = segment.slots else { return }
        let size = Int(segment.capacity) * slotSize
        if size < mappedFrom { slots.deallocate() } else { MappedMemory.unmap(UnsafeMutableRawPointer(slots), size) }
    }

    private static func clearMarks(_ marks: UnsafeMutableRawPointer, _ capacity: Int) {
        marks.initializeMemory(as: UInt8.self, repeating: 0, count: capacity * MemoryLayout<UInt16>.size)
    }

    private static func visit(_ segment: Segment, _ body: (Slot) -> Void) {
        guard let slots = segment.slots else { return }
        let marks = marks(segment, slots)
        for position in 0..<Int(segment.capacity) where mark(marks, position) != 0 {
            body(slots[position])
        }
    }

    /// Fills a segment anew without what is older than `oldest`. Its memory is kept where it has about the right size.
    private mutating func rebuild(_ index: Int, oldest: Int64, room: Int) {
        let old = segments[index]
        var living: [Slot] = []
        living.reserveCapacity(Int(old.count))
        var expired: [Slot] = []
        Self.visit(old) { slot in
            if time(slot.packed) >= oldest { living.append(slot) } else { expired.append(slot) }
        }
        for slot in expired { giveBack(slot.packed) }
        let needed = living.count + room
        let capacity = needed == 0 ? 0 : (needed * 10 / 9 + Self.groupSize) & ~(Self.groupSize - 1)
        count -= Int(old.count)
        if let slots = old.slots, capacity <= old.capacity, capacity > Int(old.capacity) * 7 / 8 {
            Self.clearMarks(Self.marks(old, slots), Int(old.capacity))
            segments[index].count = 0
        } else {
            replace(index, capacity: capacity)
        }
        for slot in living where !add(slot, hash(slot.id), index) { crowd(slot) }
    }

    /// Gives a segment other memory, with nothing in it.
    private mutating func replace(_ index: Int, capacity: Int) {
        let old = segments[index]
        slotCount += capacity - Int(old.capacity)
        Self.release(old)
        segments[index] = Segment(
            slots: capacity > 0 ? Self.allocate(capacity) : nil, capacity: UInt32(capacity), count: 0)
    }

    /// Forgets what is older than `oldest` in `share` of the segments.
    mutating func sweep(share: Double, oldest: Int64) {
        let end = min(Self.segmentCount, Int(Double(Self.segmentCount) * share))
        if sweepPosition == 0, end > 0, !crowded.isEmpty {
            for (id, packed) in crowded where time(packed) < oldest {
                crowded[id] = nil
                giveBack(packed)
                count -= 1
            }
        }
        while sweepPosition < end {
            let segment = segments[sweepPosition]
            var dead = 0
            Self.visit(segment) { if time($0.packed) < oldest { dead += 1 } }
            if dead > 0 { rebuild(sweepPosition, oldest: oldest, room: 0) }
            sweepPosition += 1
        }
    }

    mutating func restartSweep() { sweepPosition = 0 }

    mutating func removeAll() {
        for index in 0..<Self.segmentCount {
            Self.release(segments[index])
            segments[index] = Segment(slots: nil, capacity: 0, count: 0)
        }
        reasons = []
        reasonNumbers = [:]
        freeReasons = []
        crowded = [:]
        count = 0
        slotCount = 0
        sweepPosition = 0
    }

    // MARK: - Reasons

    private mutating func use(_ reason: Reason) -> Int {
        if let number = reasonNumbers[reason] {
            reasons[number].uses += 1
            return number
        }
        let number: Int
        if let free = freeReasons.popLast() {
            number = free
            reasons[free] = (reason, 1)
        } else if reasons.count < Self.mostReasons {
            number = reasons.count
            reasons.append((reason, 1))
        } else {
            // 268 million different ones are more than memory holds entries for.
            reasons[Self.mostReasons - 1].uses += 1
            return Self.mostReasons - 1
        }
        reasonNumbers[reason] = number
        return number
    }

    private mutating func giveBack(_ packed: UInt64) {
        let number = Int(packed >> 36)
        reasons[number].uses -= 1
        guard reasons[number].uses == 0 else { return }
        reasonNumbers[reasons[number].reason] = nil
        freeReasons.append(number)
    }
}
