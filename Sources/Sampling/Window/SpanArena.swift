import Glibc

/// Memory for the bytes of undecided spans: large chunks filled in order of arrival and released whole.
///
/// A chunk counts the runs that still lie in it; when the last one is decided, the chunk goes back. Since chunks are filled
/// in order of time, and traces live for seconds, chunks empty in about the order they were filled: no free lists of small
/// pieces, no fragmentation, and dropping a trace touches none of its bytes.
///
/// Unsafe by construction (it hands out addresses), safe by contract: an address is valid until its run is released.
/// Owned by one sampler, used by one thread.
struct SpanArena: ~Copyable {
    /// Large enough that the system's page tables and our chunk table stay small, small enough to be released soon.
    static let chunkSize = 1 << 20
    /// Chunks kept for reuse: fresh pages cost a zeroing each.
    static let spareChunks = 16

    private struct Chunk {
        var base: UnsafeMutableRawPointer?
        var capacity: Int
        var used: Int
        var liveRuns: Int
    }

    private var chunks: [Chunk] = []
    private var freeSlots: [UInt32] = []
    private var spares: [UnsafeMutableRawPointer] = []
    private var current: Int = -1
    /// Bytes of memory held in chunks, spare ones included.
    private(set) var byteCount = 0

    deinit {
        for chunk in chunks {
            if let base = chunk.base { munmap(base, chunk.capacity) }
        }
        for spare in spares { munmap(spare, Self.chunkSize) }
    }

    /// Whether `count` more bytes fit into the chunk being filled.
    func fits(_ count: Int) -> Bool {
        current >= 0 && chunks[current].used + count <= chunks[current].capacity
    }

    /// Opens a chunk with room for `count` bytes. A span larger than a chunk gets one of its own size.
    mutating func openChunk(for count: Int) {
        // A chunk that was filled and whose runs are all gone by now would otherwise never be looked at again.
        if current >= 0, chunks[current].liveRuns == 0 { recycle(current) }
        let capacity = max(Self.chunkSize, (count + 4095) & ~4095)
        let base: UnsafeMutableRawPointer
        if capacity == Self.chunkSize, let spare = spares.popLast() {
            base = spare
        } else {
            base = Self.map(capacity)
            byteCount += capacity
        }
        let chunk = Chunk(base: base, capacity: capacity, used: 0, liveRuns: 0)
        if let slot = freeSlots.popLast() {
            chunks[Int(slot)] = chunk
            current = Int(slot)
        } else {
            current = chunks.count
            chunks.append(chunk)
        }
    }

    /// Fresh memory. The pages are asked for at once: they will all be written, and a fault for each would cost more than
    /// the copy into it. (Huge pages were measured too, and cost more: zeroing 2 MB evicts what the scanner works on.)
    private static func map(_ capacity: Int) -> UnsafeMutableRawPointer {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE
        let mapped = mmap(nil, capacity, PROT_READ | PROT_WRITE, flags, -1, 0)
        // Out of address space: the same end as a failed malloc. The budget keeps well below it.
        guard let mapped, mapped != MAP_FAILED else { fatalError("out of memory for the window") }
        return mapped
    }

    /// The chunk being filled and the position in it where the next byte goes.
    var position: (chunk: UInt32, offset: UInt32) {
        (UInt32(current), UInt32(chunks[current].used))
    }

    /// Starts a run at the present position.
    mutating func retainRun() { chunks[current].liveRuns += 1 }

    /// Appends a length and that many bytes. The caller has checked `fits`.
    @inline(__always)
    mutating func append(_ bytes: UnsafeRawPointer, count: Int) {
        let used = chunks[current].used
        guard let base = chunks[current].base else { return }
        (base + used).storeBytes(of: UInt32(truncatingIfNeeded: count), as: UInt32.self)
        (base + used + 4).copyMemory(from: bytes, byteCount: count)
        chunks[current].used = used &+ 4 &+ count
    }

    /// The address of a position inside a live run.
    func address(chunk: UInt32, offset: UInt32) -> UnsafeRawPointer? {
        chunks[Int(chunk)].base.map { UnsafeRawPointer($0 + Int(offset)) }
    }

    /// Ends a run; its chunk goes back when it was the last.
    @inline(__always)
    mutating func releaseRun(chunk: UInt32) {
        let index = Int(chunk)
        chunks[index].liveRuns &-= 1
        // The chunk being filled stays, unless it was made for one large span.
        if chunks[index].liveRuns == 0, index != current || chunks[index].capacity != Self.chunkSize { recycle(index) }
    }

    private mutating func recycle(_ index: Int) {
        guard let base = chunks[index].base else { return }
        if chunks[index].capacity == Self.chunkSize, spares.count < Self.spareChunks {
            spares.append(base)
        } else {
            munmap(base, chunks[index].capacity)
            byteCount -= chunks[index].capacity
        }
        chunks[index].base = nil
        freeSlots.append(UInt32(index))
        if index == current { current = -1 }
    }

    /// Bytes that hold live or recently live spans (spare chunks are not counted).
    var usedBytes: Int { byteCount - spares.count * Self.chunkSize }
}
