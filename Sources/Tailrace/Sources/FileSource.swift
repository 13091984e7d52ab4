import OTLP
import Pipeline
import Synchronization

/// Definition of the stage kind `file`: recorded spans.
enum FileSourceStage {
    static let definition = StageDefinition(
        kind: "file", role: .source,
        summary: "Reads recorded spans: OTLP/JSON lines (plain, gzip, zstd) or the Collector's file exporter format.",
        inputs: [],
        outputs: [
            OutputPort("spans", .spans, summary: "spans of the records"),
            OutputPort("rejected", .rejects, isSide: true, summary: "records that cannot be decoded, unchanged"),
        ],
        options: [
            StageOption("path", .string, required: true, summary: "the file, or - for standard input"),
            StageOption(
                "max_record_bytes", .size, default: "256MiB", summary: "a larger record goes to the dead letters"),
        ],
        make: .source { settings, _ in FileSource(path: settings.string("path") ?? "") })
}

/// Reads a file of recorded spans as one partition; an offset is the number of the record. Ends at the end of the file.
final class FileSource: Source, @unchecked Sendable {
    private let path: String
    private let stopping = Atomic<Bool>(false)
    private let paused = Atomic<Bool>(false)
    private let lastError = Mutex<String?>(nil)

    init(path: String) { self.path = path }

    func run(_ host: any SourceHost) throws {
        let reader = try SpanFileReader(path: path)
        let partition = PartitionID(cluster: "file", topic: path, partition: 0)
        let start = try host.assign([partition])[partition] ?? 0
        var clock = RecordingClock()
        var offset: Int64 = 0
        while !stopping.load(ordering: .relaxed), let item = try reader.next() {
            while paused.load(ordering: .relaxed), !stopping.load(ordering: .relaxed) {
                NamedThread.pause(milliseconds: 10)
            }
            switch item {
            case .request(let record):
                let timestamp = clock.timestamp(of: record)
                if offset >= start {
                    host.deliver(
                        OwnedRecordBatch(partition, offset: offset, timestamp: timestamp, payload: record.protobuf))
                }
            case .malformed(let error):
                lastError.withLock { $0 = error.description }
                host.log(error.description)
            }
            offset += 1
        }
        if !stopping.load(ordering: .relaxed) { host.ended(partition) }
        host.revoke([partition], lost: false)
    }

    func stop() { stopping.store(true, ordering: .relaxed) }
    func pause(_ partitions: [PartitionID]) { paused.store(true, ordering: .relaxed) }
    func resume(_ partitions: [PartitionID]) { paused.store(false, ordering: .relaxed) }
    /// A file has no place for offsets; the store's manifest holds them.
    func commit(_ offsets: [PartitionID: CommittedOffset], wait: Bool) {}

    var status: SourceStatus {
        var status = SourceStatus()
        status.isConnected = true
        status.partitionCount = 1
        status.lastError = lastError.withLock { $0 }
        return status
    }
}

/// Stream time of recordings: the recorded arrival, or the latest span end seen so far. Milliseconds.
public struct RecordingClock {
    private var latest: Int64 = 0
    private var scanner = OTLPScanner()
    private let batch = SpanBatch()

    public init() {}

    public mutating func timestamp(of record: SpanFileRecord) -> Int64 {
        if let arrival = record.arrivalMilliseconds {
            latest = max(latest, arrival)
            return latest
        }
        record.protobuf.withUnsafeBytes { bytes in
            guard (try? scanner.scan(bytes, into: batch)) != nil else { return }
            for head in batch.heads { latest = max(latest, Int64(clamping: head.endTime / 1_000_000)) }
            batch.forget()
        }
        return latest
    }
}

/// One record that owns its bytes.
public final class OwnedRecordBatch: RecordBatch, @unchecked Sendable {
    public let partition: PartitionID
    private let offset: Int64
    private let timestamp: Int64
    private let bytes: UnsafeMutableRawBufferPointer

    public init(_ partition: PartitionID, offset: Int64, timestamp: Int64, payload: [UInt8]) {
        self.partition = partition
        self.offset = offset
        self.timestamp = timestamp
        bytes = .allocate(byteCount: max(1, payload.count), alignment: 8)
        bytes.copyBytes(from: payload)
        byteCount = payload.count
    }

    deinit { bytes.deallocate() }

    public var count: Int { 1 }
    public let byteCount: Int

    public func record(at index: Int) -> SourceRecord {
        SourceRecord(
            offset: offset, timestamp: timestamp, key: UnsafeRawBufferPointer(start: nil, count: 0),
            payload: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[..<byteCount]))
    }

    /// The bytes are freed with the batch.
    public func release() {}
}
