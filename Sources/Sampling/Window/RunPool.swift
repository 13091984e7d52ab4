/// Spans of one trace that came together: same record, same resource and scope, side by side in the arena.
///
/// With records keyed by trace id a run covers about a record; per span it then costs a few bytes.
struct SpanRun: BitwiseCopyable {
    /// Offset of the record.
    var offset: Int64
    /// Index of the first span in the record; the others follow without a gap.
    var firstIndex: UInt32
    var spanCount: UInt32
    /// Where the bytes are in the arena.
    var chunk: UInt32
    var position: UInt32
    /// Index in the unit table.
    var unit: UInt32
    /// Next run of the same trace, or `RunPool.none`.
    var next: UInt32
}

/// Runs in one block of memory with a free list: no allocation per run.
struct RunPool: ~Copyable {
    static let none = UInt32.max

    private var storage: UnsafeMutablePointer<SpanRun>
    private var capacity = 1024
    private var count = 0
    private var firstFree = RunPool.none

    init() {
        storage = GrowingMemory.allocate(1024)
    }

    deinit {
        GrowingMemory.release(storage)
    }

    /// Back to the initial size; for when no run is in use.
    mutating func releaseMemory() {
        count = 0
        firstFree = Self.none
        guard capacity > 65_536 else { return }
        GrowingMemory.release(storage)
        capacity = 1024
        storage = GrowingMemory.allocate(capacity)
    }

    var byteCount: Int { capacity * MemoryLayout<SpanRun>.stride }

    subscript(index: UInt32) -> SpanRun {
        @inline(__always) get { storage[Int(index)] }
        @inline(__always) nonmutating _modify { yield &storage[Int(index)] }
    }

    mutating func add(_ run: SpanRun) -> UInt32 {
        if firstFree != Self.none {
            let index = firstFree
            firstFree = storage[Int(index)].next
            storage[Int(index)] = run
            return index
        }
        if count == capacity { grow() }
        storage[count] = run
        count += 1
        return UInt32(count - 1)
    }

    @inline(__always)
    mutating func remove(_ index: UInt32) {
        storage[Int(index)].next = firstFree
        firstFree = index
    }

    private mutating func grow() {
        capacity *= 2
        storage = GrowingMemory.resized(storage, to: capacity)
    }
}
