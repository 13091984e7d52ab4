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

    /// - Parameters:
    ///   - incarnation: the process's unique name; its segments are in a directory of their own, so that no two processes
    ///     ever write the same file and sequence numbers can start at 1.
    ///   - thread: distinguishes the sinks of one process.
    public init(
        layout: StoreLayout, incarnation: String, thread: Int, fileSystem: any FileSystem = LocalFileSystem(),
        compressionLevel: Int32 = 3
    ) {
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

    public func seal() -> (any SinkFlush)? {
        if traces.isEmpty { return nil }
        sequence += 1
        let digits = String(sequence)
        let padded = String(repeating: "0", count: max(0, 12 - digits.count)) + digits
        let flush = SegmentFlush(
            traces: traces, relativePath: "segments/\(incarnation)/\(padded)-\(thread).seg", layout: layout,
            fileSystem: fileSystem, compressionLevel: compressionLevel)
        traces = []
        bufferedBytes = 0
        return flush
    }
}

/// Writes one segment. Safe to perform again: after a failure it starts over under the same name (nothing names a file
/// that was not finished), after a success it returns what it returned.
public final class SegmentFlush: SinkFlush {
    private enum State {
        case pending([KeptTrace])
        case done(SegmentReference)
    }

    private let relativePath: String
    private let layout: StoreLayout
    private let fileSystem: any FileSystem
    private let compressionLevel: Int32
    private let state: Mutex<State>

    init(
        traces: [KeptTrace], relativePath: String, layout: StoreLayout, fileSystem: any FileSystem,
        compressionLevel: Int32
    ) {
        self.relativePath = relativePath
        self.layout = layout
        self.fileSystem = fileSystem
        self.compressionLevel = compressionLevel
        state = Mutex(.pending(traces))
    }

    public func perform() throws -> [SegmentReference] {
        try state.withLock { state in
            switch state {
            case .done(let reference): return [reference]
            case .pending(let traces):
                let reference = try store(traces)
                // The traces' memory is given back here, not when the flush object goes.
                state = .done(reference)
                return [reference]
            }
        }
    }

    private func store(_ traces: [KeptTrace]) throws -> SegmentReference {
        let path = layout.path(relativePath)
        let bytes = try SegmentWriter(traces, compressionLevel: compressionLevel).encode(path: path)
        // Under its final name a segment is always whole: the bytes are synced before the rename, and the name after it.
        try fileSystem.writeDurably(bytes, to: path + ".tmp")
        try fileSystem.renameDurably(path + ".tmp", to: path)
        return SegmentReference(
            path: relativePath, byteCount: UInt64(bytes.count), checksum: Checksum.of(bytes))
    }
}
