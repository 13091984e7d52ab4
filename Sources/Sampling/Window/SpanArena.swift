import Glibc

/// Memory for the bytes of undecided spans: large chunks filled in order of arrival and released whole.
///
/// A chunk counts the runs that still lie in it; when the last one is decided, the chunk goes back. Since chunks are filled
/// in order of time, and traces live for seconds, chunks empty in about the order they were filled: no free lists of small
/// pieces, no fragmentation, and dropping a trace touches none of its bytes.
///
/// With a spill store chunks that are full can go to disk: the oldest first, and only those of the usual size. They are read
/// back for traces that are kept; one that is dropped is never looked at.
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
        /// Where it is on disk; `base` is nil then.
        var place: SpillStore.Place?
        /// Tells chunks apart that had the same index.
        var number: UInt64
    }

    private var chunks: [Chunk] = []
    private var freeSlots: [UInt32] = []
    private var spares: [UnsafeMutableRawPointer] = []
    private var current: Int = -1
    /// Of the chunk being filled, apart from the list: every span looks at them. No room where there is no such chunk.
    private var currentBase: UnsafeMutableRawPointer?
    private var currentUsed = 0
    private var currentCapacity = 0
    /// Bytes of memory held in chunks, spare ones included.
    private(set) var byteCount = 0
    let spill: SpillStore?
    /// Chunks in memory in the order in which they were opened, those that are gone included.
    private var opened: [(index: UInt32, number: UInt64)] = []
    private var openedHead = 0
    private var lastNumber: UInt64 = 0

    private let spareChunks: Int
    private let chunkSize: Int

    /// - Parameters:
    ///   - spareChunks: chunks of memory kept for reuse.
    ///   - chunkSize: a multiple of the page size; tests with few spans fill smaller ones.
    init(spill: SpillStore? = nil, spareChunks: Int = Self.spareChunks, chunkSize: Int = Self.chunkSize) {
        self.spill = spill
        self.spareChunks = spareChunks
        self.chunkSize = chunkSize
    }

    deinit {
        for chunk in chunks {
            if let base = chunk.base { munmap(base, chunk.capacity) }
        }
        for spare in spares { munmap(spare, chunkSize) }
    }

    /// Whether `count` more bytes fit into the chunk being filled.
    @inline(__always)
    func fits(_ count: Int) -> Bool { currentUsed &+ count <= currentCapacity }

    /// Opens a chunk with room for `count` bytes. A span larger than a chunk gets one of its own size.
    mutating func openChunk(for count: Int) {
        if current >= 0 {
            chunks[current].used = currentUsed
            // A chunk that was filled and whose runs are all gone by now would otherwise never be looked at again.
            if chunks[current].liveRuns == 0 { recycle(current) }
        }
        let capacity = max(chunkSize, (count + 4095) & ~4095)
        let base: UnsafeMutableRawPointer
        if capacity == chunkSize, let spare = spares.popLast() {
            base = spare
        } else {
            base = Self.map(capacity)
            byteCount += capacity
        }
        lastNumber += 1
        let chunk = Chunk(base: base, capacity: capacity, used: 0, liveRuns: 0, place: nil, number: lastNumber)
        if let slot = freeSlots.popLast() {
            chunks[Int(slot)] = chunk
            current = Int(slot)
        } else {
            current = chunks.count
            chunks.append(chunk)
        }
        currentBase = base
        currentUsed = 0
        currentCapacity = capacity
        if spill != nil, capacity == chunkSize { opened.append((UInt32(current), lastNumber)) }
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
    @inline(__always)
    var position: (chunk: UInt32, offset: UInt32) {
        (UInt32(truncatingIfNeeded: current), UInt32(truncatingIfNeeded: currentUsed))
    }

    /// Starts a run at the present position.
    mutating func retainRun() { chunks[current].liveRuns += 1 }

    /// Appends a length and that many bytes. The caller has checked `fits`.
    @inline(__always)
    mutating func append(_ bytes: UnsafeRawPointer, count: Int) {
        guard let base = currentBase else { return }
        (base + currentUsed).storeBytes(of: UInt32(truncatingIfNeeded: count), as: UInt32.self)
        (base + currentUsed + 4).copyMemory(from: bytes, byteCount: count)
        currentUsed = currentUsed &+ 4 &+ count
    }

    /// The address of a span inside a live run. Of a chunk on disk it is valid until `forgetWhatWasRead`, and nil where the
    /// disk fails: see `spill.readError`.
    func address(chunk: UInt32, offset: UInt32) -> UnsafeRawPointer? {
        if let base = chunks[Int(chunk)].base { return UnsafeRawPointer(base + Int(offset)) }
        guard let place = chunks[Int(chunk)].place else { return nil }
        return spill?.address(place, offset: Int(offset), used: chunks[Int(chunk)].used)
    }

    // MARK: - Disk

    /// Writes full chunks to disk, the oldest first, until at most `count` bytes of memory are in use.
    ///
    /// - Returns: false where the disk refused.
    mutating func spill(toBytes count: Int) -> Bool {
        guard let spill else { return true }
        while usedBytes > count {
            guard let index = oldestInMemory() else {
                spill.nothingWaits()
                return true
            }
            guard let base = chunks[index].base else { continue }
            // Kept at the front when the disk refuses: the next attempt starts with it again.
            guard let place = spill.write(UnsafeRawBufferPointer(start: base, count: chunks[index].used)) else {
                openedHead -= 1
                return false
            }
            chunks[index].place = place
            chunks[index].base = nil
            giveBack(base)
        }
        return true
    }

    /// Takes the oldest chunk that is in memory and not being filled.
    private mutating func oldestInMemory() -> Int? {
        while openedHead < opened.count {
            let (index, number) = opened[openedHead]
            let chunk = chunks[Int(index)]
            if Int(index) == current, chunk.number == number { return nil }
            openedHead += 1
            if openedHead > 1024, openedHead * 2 > opened.count {
                opened.removeFirst(openedHead - 1)
                openedHead = 1
            }
            if chunk.number == number, chunk.base != nil { return Int(index) }
        }
        return nil
    }

    /// The addresses that were given of chunks on disk are not used any more.
    func forgetWhatWasRead() { spill?.forgetExtents() }

    /// Ends a run; its chunk goes back when it was the last.
    @inline(__always)
    mutating func releaseRun(chunk: UInt32) {
        let index = Int(chunk)
        chunks[index].liveRuns &-= 1
        // The chunk being filled stays, unless it was made for one large span.
        if chunks[index].liveRuns == 0, index != current || chunks[index].capacity != chunkSize { recycle(index) }
    }

    private mutating func recycle(_ index: Int) {
        if let base = chunks[index].base {
            if chunks[index].capacity == chunkSize {
                giveBack(base)
            } else {
                munmap(base, chunks[index].capacity)
                byteCount -= chunks[index].capacity
            }
        } else if let place = chunks[index].place {
            spill?.free(place, count: chunks[index].used)
        } else {
            return
        }
        chunks[index].base = nil
        chunks[index].place = nil
        freeSlots.append(UInt32(index))
        if index == current {
            current = -1
            currentBase = nil
            currentUsed = 0
            currentCapacity = 0
        }
    }

    private mutating func giveBack(_ base: UnsafeMutableRawPointer) {
        if spares.count < spareChunks {
            spares.append(base)
        } else {
            munmap(base, chunkSize)
            byteCount -= chunkSize
        }
    }

    /// Bytes that hold live or recently live spans (spare chunks are not counted).
    var usedBytes: Int { byteCount - spares.count * chunkSize }
}
