#if TAILRACE_MUTATIONS
    import Pipeline
#endif

/// Chunks of the window on disk: which slot of which file holds which, and what was read back of them.
///
/// A file has slots of one chunk each; a chunk's slot is free again when its last trace is decided, and a file without
/// chunks is closed. All I/O goes through `SpillFile`. Owned by one arena, used by one thread.
final class SpillStore {
    struct Place {
        var file: Int
        var slot: Int
    }

    static let slotsPerFile = 64
    /// Bytes read at once: a few spans. More would read what other traces left between the runs of this one.
    private static let readSize = 2048

    private struct OpenFile {
        var file: any SpillFile
        var freeSlots: [Int]
        /// Slots from here on were never used.
        var fresh = 0

        var isEmpty: Bool { freeSlots.count == fresh }
    }

    /// A part of a chunk in memory, for the trace that is being decided.
    private struct Extent {
        var place: Place
        var start: Int
        var count: Int
        var bytes: UnsafeMutableRawPointer
    }

    private let source: any SpillFileSource
    private let slotSize: Int
    private var files: [OpenFile?] = []
    private var extents: [Extent] = []
    /// Files that are open.
    private(set) var fileCount = 0
    /// Bytes of chunks that are on disk.
    private(set) var byteCount = 0
    /// Bytes written and reads done since the start.
    private(set) var writtenBytes: UInt64 = 0
    private(set) var reads: UInt64 = 0
    private(set) var failures: UInt64 = 0
    /// Why the last write did not succeed; nil when it did, or when nothing waits for the disk any more.
    private(set) var writeError: SpillError?
    /// Why a chunk could not be read back: its traces cannot be decided here any more.
    private(set) var readError: SpillError?

    init(_ source: any SpillFileSource, slotSize: Int) {
        self.source = source
        self.slotSize = slotSize
    }

    deinit { forgetExtents() }

    // MARK: - Out

    /// Writes a chunk; nil where that did not succeed: it stays in memory then.
    func write(_ bytes: UnsafeRawBufferPointer) -> Place? {
        do throws(SpillError) {
            let place = try takeSlot()
            do throws(SpillError) {
                try files[place.file]?.file.write(bytes, at: place.slot * slotSize)
            } catch {
                giveBack(place)
                throw error
            }
            byteCount += bytes.count
            writtenBytes &+= UInt64(bytes.count)
            writeError = nil
            return place
        } catch {
            failures &+= 1
            writeError = error
            return nil
        }
    }

    /// What the disk refused has been decided meanwhile: a worker that is paused for that must not wait for a write that never
    /// comes (simulator, seed 5261).
    func nothingWaits() { writeError = nil }

    private func takeSlot() throws(SpillError) -> Place {
        #if TAILRACE_MUTATIONS
            if ProtocolMutation.active == .spillSlotShared, let last = files.lastIndex(where: { $0 != nil }) {
                return Place(file: last, slot: 0)
            }
        #endif
        for index in files.indices {
            guard var file = files[index] else { continue }
            if let slot = file.freeSlots.popLast() {
                files[index] = file
                return Place(file: index, slot: slot)
            }
            guard file.fresh < Self.slotsPerFile else { continue }
            file.fresh += 1
            files[index] = file
            return Place(file: index, slot: file.fresh - 1)
        }
        let file = OpenFile(file: try source.make(), freeSlots: [], fresh: 1)
        fileCount += 1
        if let index = files.firstIndex(where: { $0 == nil }) {
            files[index] = file
            return Place(file: index, slot: 0)
        }
        files.append(file)
        return Place(file: files.count - 1, slot: 0)
    }

    /// A chunk is not needed any more.
    func free(_ place: Place, count: Int) {
        byteCount -= count
        files[place.file]?.file.discard(at: place.slot * slotSize, count: slotSize)
        giveBack(place)
    }

    private func giveBack(_ place: Place) {
        files[place.file]?.freeSlots.append(place.slot)
        // Closing it gives its space back; the last file stays, since the next chunk comes soon.
        if files[place.file]?.isEmpty == true, fileCount > 1 {
            files[place.file] = nil
            fileCount -= 1
        }
    }

    // MARK: - Back

    /// The address of a span (its length, then that many bytes) of a chunk on disk, valid until `forgetExtents`; nil where it
    /// cannot be read.
    func address(_ place: Place, offset: Int, used: Int) -> UnsafeRawPointer? {
        for extent in extents.reversed()
        where extent.place.file == place.file && extent.place.slot == place.slot && offset >= extent.start {
            let start = offset - extent.start
            guard start + 4 <= extent.count else { continue }
            let length = Int((extent.bytes + start).loadUnaligned(as: UInt32.self))
            if start + 4 + length <= extent.count { return UnsafeRawPointer(extent.bytes + start) }
        }
        guard let extent = load(place, offset: offset, count: min(Self.readSize, used - offset)) else { return nil }
        let length = Int(extent.bytes.loadUnaligned(as: UInt32.self))
        if 4 + length <= extent.count { return UnsafeRawPointer(extent.bytes) }
        // A span longer than one read.
        guard offset + 4 + length <= used else {
            readError =
                readError
                ?? SpillError(
                    operation: "read back from", path: "a spill file",
                    explanation: "it holds other bytes than were written")
            return nil
        }
        return load(place, offset: offset, count: 4 + length).map { UnsafeRawPointer($0.bytes) }
    }

    private func load(_ place: Place, offset: Int, count: Int) -> Extent? {
        guard count >= 4, let file = files[place.file]?.file else { return nil }
        let bytes = UnsafeMutableRawPointer.allocate(byteCount: count, alignment: 8)
        reads &+= 1
        var problem = ""
        // A second try: some errors pass.
        for _ in 0..<2 {
            do throws(SpillError) {
                let read = try file.read(
                    into: UnsafeMutableRawBufferPointer(start: bytes, count: count), at: place.slot * slotSize + offset)
                if read == count {
                    let extent = Extent(place: place, start: offset, count: count, bytes: bytes)
                    extents.append(extent)
                    return extent
                }
                problem = "the file ends after \(read) of \(count) bytes"
            } catch {
                problem = error.description
            }
        }
        bytes.deallocate()
        failures &+= 1
        readError =
            readError
            ?? SpillError(operation: "read back from", path: "a spill file", explanation: problem)
        return nil
    }

    /// The trace has been decided: what was read for it goes.
    func forgetExtents() {
        for extent in extents { extent.bytes.deallocate() }
        extents.removeAll(keepingCapacity: true)
    }
}
