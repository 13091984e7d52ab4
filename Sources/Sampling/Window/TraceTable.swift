import TraceModel

/// Undecided traces by id: open addressing over one block of memory, no allocation and no hashing protocol per span.
///
/// A slot holds 32 bits of hash and an index, so that a look-up touches one cache line of slots and one state. States keep
/// their index while they live. Linear probing with backward-shift deletion (Knuth, TAOCP 6.4, algorithm R).
struct TraceTable: ~Copyable {
    static let none = UInt32.max

    private var slots: UnsafeMutablePointer<UInt64>
    private var mask: Int
    private var states: UnsafeMutablePointer<TraceState>
    private var stateCapacity: Int
    private var stateCount = 0
    private var freeStates: [UInt32] = []
    /// Given to the last trace that was inserted; 0 is nobody's.
    private var lastGeneration: UInt32 = 0
    private(set) var count = 0

    init() {
        mask = 1023
        slots = .allocate(capacity: 1024)
        slots.initialize(repeating: 0, count: 1024)
        stateCapacity = 512
        states = GrowingMemory.allocate(512)
    }

    deinit {
        slots.deallocate()
        GrowingMemory.release(states)
    }

    var byteCount: Int { (mask + 1) * 8 + stateCapacity * MemoryLayout<TraceState>.stride }

    subscript(index: UInt32) -> TraceState {
        @inline(__always) get { states[Int(index)] }
        @inline(__always) nonmutating _modify { yield &states[Int(index)] }
    }

    /// Trace ids are random in their lower half by W3C's rules, but not everybody follows them: both halves are mixed.
    @inline(__always)
    static func hash(_ id: TraceID) -> UInt64 {
        let product = (id.high ^ 0x9e37_79b9_7f4a_7c15).multipliedFullWidth(by: id.low ^ 0xe703_7ed1_a0b4_28db)
        // The halves again: where a factor is zero, the product says nothing of the other. Multiplied once more, for where a factor
        // is one the product is the other half, and the two would cancel out.
        let sum = (id.high &+ (id.low << 29 | id.low >> 35)) &* 0xd6e8_feb8_6659_fd93
        return product.high ^ product.low ^ sum ^ sum >> 32
    }

    @inline(__always)
    func find(_ id: TraceID) -> UInt32 {
        let hash = Self.hash(id)
        var position = Int(truncatingIfNeeded: hash) & mask
        let tag = hash >> 32
        while true {
            let slot = slots[position]
            if slot == 0 { return Self.none }
            if slot >> 32 == tag {
                let index = UInt32(truncatingIfNeeded: slot) &- 1
                if states[Int(index)].traceID == id { return index }
            }
            position = (position &+ 1) & mask
        }
    }

    /// Adds a trace that is not in the table.
    mutating func insert(_ id: TraceID, seen: Int64) -> UInt32 {
        if (count + 1) * 4 > (mask + 1) * 3 { growSlots() }
        let index: UInt32
        if let free = freeStates.popLast() {
            index = free
        } else {
            if stateCount == stateCapacity { growStates() }
            index = UInt32(stateCount)
            stateCount += 1
        }
        lastGeneration = lastGeneration == .max ? 1 : lastGeneration + 1
        states[Int(index)] = TraceState(traceID: id, seen: seen)
        states[Int(index)].generation = lastGeneration
        place(index, Self.hash(id))
        count += 1
        return index
    }

    mutating func remove(_ index: UInt32) {
        let id = states[Int(index)].traceID
        let hash = Self.hash(id)
        var hole = Int(truncatingIfNeeded: hash) & mask
        while UInt32(truncatingIfNeeded: slots[hole]) != index &+ 1 {
            if slots[hole] == 0 { return }
            hole = (hole + 1) & mask
        }
        var next = hole
        while true {
            next = (next + 1) & mask
            let slot = slots[next]
            if slot == 0 { break }
            let home =
                Int(truncatingIfNeeded: Self.hash(states[Int(UInt32(truncatingIfNeeded: slot) &- 1)].traceID)) & mask
            // A slot may move into the hole only if its home does not lie cyclically in (hole, next].
            if (next - home) & mask >= (next - hole) & mask {
                slots[hole] = slot
                hole = next
            }
        }
        slots[hole] = 0
        states[Int(index)].generation = 0
        freeStates.append(index)
        count -= 1
    }

    /// Indices of the traces in the table.
    var openIndices: [UInt32] { (0..<UInt32(stateCount)).filter { states[Int($0)].generation != 0 } }

    /// Whether `index` still belongs to the trace it had at that generation.
    @inline(__always)
    func isCurrent(_ index: UInt32, generation: UInt32) -> Bool {
        Int(index) < stateCount && states[Int(index)].generation == generation
    }

    /// Back to the initial size; for when no trace is in the table. Indices and generations given before stay stale.
    mutating func releaseMemory() {
        guard count == 0 else { return }
        stateCount = 0
        freeStates.removeAll(keepingCapacity: stateCapacity <= 65_536)
        guard stateCapacity > 65_536 || mask >= 131_072 else { return }
        slots.deallocate()
        GrowingMemory.release(states)
        mask = 1023
        slots = .allocate(capacity: 1024)
        slots.initialize(repeating: 0, count: 1024)
        stateCapacity = 512
        states = GrowingMemory.allocate(512)
    }

    private func place(_ index: UInt32, _ hash: UInt64) {
        var position = Int(truncatingIfNeeded: hash) & mask
        while slots[position] != 0 { position = (position + 1) & mask }
        slots[position] = hash & 0xffff_ffff_0000_0000 | UInt64(index &+ 1)
    }

    private mutating func growSlots() {
        let oldCount = mask + 1
        let old = slots
        slots = .allocate(capacity: oldCount * 2)
        slots.initialize(repeating: 0, count: oldCount * 2)
        mask = oldCount * 2 - 1
        for position in 0..<oldCount where old[position] != 0 {
            let index = UInt32(truncatingIfNeeded: old[position]) &- 1
            place(index, Self.hash(states[Int(index)].traceID))
        }
        old.deallocate()
    }

    private mutating func growStates() {
        stateCapacity *= 2
        states = GrowingMemory.resized(states, to: stateCapacity)
    }
}
