import Pipeline
import Synchronization

/// Keeps traces until the next flush and stores them as one segment file.
///
/// One per worker thread and used by it alone, as `Sink` demands; what `seal` returns is performed on the writer thread,
/// where the compression happens too.
public final class SegmentSink: Sink {
    private let layout: StoreLayout
    private let incarnation: String
    private let thread: Int
    private let fileSystem: any FileSystem
    private let compressionLevel: Int32
    private var traces: [KeptTrace] = []
    private var sequence: UInt64 = 0
    public private(set) var bufferedBytes = 0
    private var isSpaceShort = false
    /// Nil where nobody says what was dropped.
    private var dropped: DroppedTallies?

    /// - Parameters:
    ///   - incarnation: the process's unique name; its segments are in a directory of their own, so that no two processes
    ///     ever write the same file and sequence numbers can start at 1.
    ///   - thread: distinguishes the sinks of one process.
    ///   - countsDropped: the sink is told of every dropped trace too, and stores their counts.
    public init(
        layout: StoreLayout, incarnation: String, thread: Int, fileSystem: any FileSystem = LocalFileSystem(),
        compressionLevel: Int32 = 3, countsDropped: Bool = false
    ) {
        dropped = countsDropped ? DroppedTallies() : nil
        self.layout = layout
        self.incarnation = incarnation
        self.thread = thread
        self.fileSystem = fileSystem
        self.compressionLevel = compressionLevel
    }

    /// Without their search attributes traces are found by service, operation, time, duration and error, and by their id.
    public func saveSpace(_ isShort: Bool) { isSpaceShort = isShort }

    public func write(_ trace: KeptTrace) {
        var trace = trace
        if isSpaceShort { trace.attributes = [] }
        traces.append(trace)
        // What a trace occupies besides its payload: summary, decision and what an indexer found.
        bufferedBytes += trace.payload.count + 256 + 64 * (trace.attributes.count + trace.operations.count)
    }

    public func write(_ trace: DroppedTrace) throws {
        guard dropped != nil else { throw StageError("this sink was not told that it counts dropped traces") }
        let before = dropped?.byteCount ?? 0
        dropped?.add(trace)
        bufferedBytes += (dropped?.byteCount ?? 0) - before
    }

    public func seal() -> (any SinkFlush)? {
        if traces.isEmpty, dropped?.isEmpty ?? true { return nil }
        sequence += 1
        let digits = String(sequence)
        let padded = String(repeating: "0", count: max(0, 12 - digits.count)) + digits
        let flush = SegmentFlush(
            traces: traces, relativePath: "segments/\(incarnation)/\(padded)-\(thread).seg", layout: layout,
            fileSystem: fileSystem, compressionLevel: compressionLevel, dropped: dropped?.tallies)
        traces = []
        dropped?.removeAll()
        bufferedBytes = 0
        return flush
    }
}

/// Writes one segment. Safe to perform again: after a failure it starts over under the same name (nothing names a file
/// that was not finished), after a success it returns what it returned.
public final class SegmentFlush: SinkFlush {
    private enum State {
        case pending([KeptTrace], [DroppedTally]?)
        case done(SegmentReference)
    }

    private let relativePath: String
    private let layout: StoreLayout
    private let fileSystem: any FileSystem
    private let compressionLevel: Int32
    private let state: Mutex<State>

    init(
        traces: [KeptTrace], relativePath: String, layout: StoreLayout, fileSystem: any FileSystem,
        compressionLevel: Int32, dropped: [DroppedTally]? = nil
    ) {
        self.relativePath = relativePath
        self.layout = layout
        self.fileSystem = fileSystem
        self.compressionLevel = compressionLevel
        state = Mutex(.pending(traces, dropped))
    }

    public func perform() throws -> [SegmentReference] {
        try state.withLock { state in
            switch state {
            case .done(let reference): return [reference]
            case .pending(let traces, let dropped):
                let reference = try store(traces, dropped)
                // The traces' memory is given back here, not when the flush object goes.
                state = .done(reference)
                return [reference]
            }
        }
    }

    #if TAILRACE_MUTATIONS
        /// What the manifest will say, before there is a file.
        func plannedReference() throws -> SegmentReference {
            try state.withLock { state in
                guard case .pending(let traces, let dropped) = state else { throw StoreError.truncated }
                let bytes = try encode(traces, dropped)
                return SegmentReference(
                    path: relativePath, byteCount: UInt64(bytes.count), checksum: Checksum.of(bytes))
            }
        }
    #endif

    private func encode(_ traces: [KeptTrace], _ dropped: [DroppedTally]?) throws -> [UInt8] {
        var writer = SegmentWriter(traces, compressionLevel: compressionLevel)
        writer.dropped = dropped
        return try writer.encode(path: layout.path(relativePath))
    }

    private func store(_ traces: [KeptTrace], _ dropped: [DroppedTally]?) throws -> SegmentReference {
        let path = layout.path(relativePath)
        let bytes = try encode(traces, dropped)
        // Under its final name a segment is always whole: the bytes are synced before the rename, and the name after it.
        try fileSystem.writeDurably(bytes, to: path + ".tmp")
        try fileSystem.renameDurably(path + ".tmp", to: path)
        return SegmentReference(
            path: relativePath, byteCount: UInt64(bytes.count), checksum: Checksum.of(bytes))
    }
}
