import Pipeline
import TraceModel

/// Which traces were kept, exactly, and by which decision: 24 bytes each in small tables that grow one at a time.
///
/// Slots come in groups of sixteen. A byte of hash per slot lies apart from the slots: nearly all look-ups of other traces
/// end there, after one or two groups.
/// What many decisions share (policy, version, probability, trigger) is kept once and counted.
struct KeptDecisions: ~Copyable {
    struct Reason: Hashable {
        var policyIndex: UInt16
        var policyVersion: UInt32
        var probability: Double
        var trigger: Decision.Trigger
    }

    private struct Slot {
        var id: TraceID
        /// Number of the reason (28 bits), time (36 bits of milliseconds).
        var packed: UInt64
    }

    private struct Segment {
        /// `capacity` slots, then as many bytes: 0 for an empty slot, or eight bits of the hash.
        var slots: UnsafeMutablePointer<Slot>?
        var capacity: UInt32
        var count: UInt32
    }

    /// By the upper bits of the hash: growing one moves a small part of the entries.
    private static let segmentCount = 256
    private static let groupSize = 16
    private static let slotSize = MemoryLayout<Slot>.stride + 1
    private static let timeMask: UInt64 = (1 << 36) - 1
    private static let mostReasons = (1 << 28) - 2

    private let segments: UnsafeMutablePointer<Segment>
    private var reasons: [(reason: Reason, uses: Int)] = []
    private var reasonNumbers: [Reason: Int] = [:]
    private var freeReasons: [Int] = []
    /// The latest time seen, to which shortened times are near.
    private var latest = Int64.min
    private(set) var count = 0
    private var slotCount = 0
    private var sweepPosition = 0

    init() {
        segments = .allocate(capacity: Self.segmentCount)
        segments.initialize(repeating: Segment(slots: nil, capacity: 0, count: 0), count: Self.segmentCount)
    }

    deinit {
        for index in 0..<Self.segmentCount { segments[index].slots?.deallocate() }
        segments.deallocate()
    }

    var byteCount: Int {
        slotCount * Self.slotSize + Self.segmentCount * MemoryLayout<Segment>.stride
            + reasons.capacity * 48 + reasonNumbers.capacity * 48
    }

    /// The first slot of the group in which an entry is looked for first.
    @inline(__always)
    private static func home(_ hash: UInt64, _ capacity: UInt32) -> Int {
        // Bits that the segment's number does not use.
        Int(truncatingIfNeeded: ((hash >> 16 & 0xffff_ffff) &* UInt64(capacity / 16)) >> 32) &* groupSize
    }

    @inline(__always)
    private static func mark(_ hash: UInt64) -> UInt8 { UInt8(truncatingIfNeeded: hash) | 1 }

    @inline(__always)
    private static func marks(_ segment: Segment, _ slots: UnsafeMutablePointer<Slot>) -> UnsafeMutableRawPointer {
        UnsafeMutableRawPointer(slots + Int(segment.capacity))
    }

    @inline(__always)
    func find(_ id: TraceID, hash: UInt64) -> (reason: Reason, decidedAt: Int64)? {
        let segment = segments[Int(truncatingIfNeeded: hash >> 56)]
        guard let slots = segment.slots else { return nil }
        let marks = Self.marks(segment, slots)
        let mark = Self.mark(hash)
        let wanted = UInt64(mark) &* 0x0101_0101_0101_0101
        var group = Self.home(hash, segment.capacity)
        while true {
            let first = marks.loadUnaligned(fromByteOffset: group, as: UInt64.self)
            let second = marks.loadUnaligned(fromByteOffset: group &+ 8, as: UInt64.self)
            if Self.zeroBytes(first ^ wanted) | Self.zeroBytes(second ^ wanted) != 0 {
                for slot in group..<(group &+ Self.groupSize)
                where marks.load(fromByteOffset: slot, as: UInt8.self) == mark && slots[slot].id == id {
                    let packed = slots[slot].packed
                    return (reasons[Int(packed >> 36)].reason, time(packed))
                }
            }
            if Self.zeroBytes(first) | Self.zeroBytes(second) != 0 { return nil }
            group &+= Self.groupSize
            if group == Int(segment.capacity) { group = 0 }
        }
    }

    /// Not 0 where a byte is 0.
    @inline(__always)
    private static func zeroBytes(_ word: UInt64) -> UInt64 {
        (word &- 0x0101_0101_0101_0101) & ~word & 0x8080_8080_8080_8080
    }

    /// The full time of a shortened one: of all that it may stand for, the one nearest to the latest.
    private func time(_ packed: UInt64) -> Int64 {
        let distance = (packed &- UInt64(bitPattern: latest)) & Self.timeMask
        return latest &+ (Int64(bitPattern: distance << 28) >> 28)
    }

    /// - Parameter oldest: entries from before this time may be forgotten to make room.
    mutating func insert(_ id: TraceID, hash: UInt64, _ reason: Reason, decidedAt: Int64, oldest: Int64) {
        latest = max(latest, decidedAt)
        let index = Int(truncatingIfNeeded: hash >> 56)
        if (segments[index].count + 1) * 14 > segments[index].capacity * 13 { rebuild(index, oldest: oldest, room: 1) }
        let number = use(reason)
        place(
            Slot(id: id, packed: UInt64(number) << 36 | UInt64(bitPattern: decidedAt) & Self.timeMask), hash, index)
    }

    private mutating func place(_ slot: Slot, _ hash: UInt64, _ index: Int) {
        guard let slots = segments[index].slots else { return }
        let marks = Self.marks(segments[index], slots)
        let mark = Self.mark(hash)
        var position = Self.home(hash, segments[index].capacity)
        while true {
            let present = marks.load(fromByteOffset: position, as: UInt8.self)
            if present == 0 { break }
            if present == mark, slots[position].id == slot.id {
                giveBack(slots[position].packed)
                slots[position] = slot
                return
            }
            position &+= 1
            if position == Int(segments[index].capacity) { position = 0 }
        }
        slots[position] = slot
        marks.storeBytes(of: mark, toByteOffset: position, as: UInt8.self)
        segments[index].count += 1
        count += 1
    }

    private static func allocate(_ capacity: Int) -> UnsafeMutablePointer<Slot> {
        let bytes = UnsafeMutableRawPointer.allocate(
            byteCount: capacity * slotSize, alignment: MemoryLayout<Slot>.alignment)
        let slots = bytes.bindMemory(to: Slot.self, capacity: capacity)
        (bytes + capacity * MemoryLayout<Slot>.stride).initializeMemory(as: UInt8.self, repeating: 0, count: capacity)
        return slots
    }

    private static func visit(_ segment: Segment, _ body: (Slot) -> Void) {
        guard let slots = segment.slots else { return }
        let marks = marks(segment, slots)
        for position in 0..<Int(segment.capacity) where marks.load(fromByteOffset: position, as: UInt8.self) != 0 {
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
        let capacity = needed == 0 ? 0 : (needed * 8 / 7 + 1 + Self.groupSize - 1) & ~(Self.groupSize - 1)
        count -= Int(old.count)
        segments[index].count = 0
        if let slots = old.slots, capacity <= old.capacity, capacity > Int(old.capacity) * 7 / 8 {
            Self.marks(old, slots).initializeMemory(as: UInt8.self, repeating: 0, count: Int(old.capacity))
        } else {
            slotCount += capacity - Int(old.capacity)
            old.slots?.deallocate()
            segments[index] = Segment(
                slots: capacity > 0 ? Self.allocate(capacity) : nil, capacity: UInt32(capacity), count: 0)
        }
        for slot in living { place(slot, DecisionMemory.hash(slot.id), index) }
    }

    /// Forgets what is older than `oldest` in `share` of the segments.
    mutating func sweep(share: Double, oldest: Int64) {
        let end = min(Self.segmentCount, Int(Double(Self.segmentCount) * share))
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
            segments[index].slots?.deallocate()
            segments[index] = Segment(slots: nil, capacity: 0, count: 0)
        }
        reasons = []
        reasonNumbers = [:]
        freeReasons = []
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
