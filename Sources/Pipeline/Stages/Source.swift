/// A stage that reads partitions of a log and hands their records to the worker.
///
/// `run` is called once on a thread of its own. The source calls the host from that thread only; the host's answers may
/// block for a bounded time (a revoke waits for the last flush).
public protocol Source: AnyObject, Sendable {
    /// Reads until `stop` is called or the log ends.
    func run(_ host: any SourceHost) throws
    /// Asks `run` to return soon: partitions are revoked first. Callable from any thread.
    func stop()
    /// Stops and restarts the delivery of partitions' records. Callable from any thread, also for partitions that are just being
    /// assigned (from within `SourceHost.assign`): these start paused.
    func pause(_ partitions: [PartitionID])
    func resume(_ partitions: [PartitionID])
    /// Tells the log how far it was processed: the watermark, a hint for lag and for a lost store. Callable from any thread.
    func commit(_ offsets: [PartitionID: CommittedOffset], wait: Bool) throws
    /// Asks the source to give its partitions back and to ask for them again. Callable from any thread.
    func rejoin()
    /// State for `/metrics` and `/readyz`. Callable from any thread.
    var status: SourceStatus { get }
}

extension Source {
    /// A source without a group has nobody to share with.
    public func rejoin() {}
}

/// What is committed to the log for one partition.
public struct CommittedOffset: Sendable, Equatable {
    /// The next offset to read: the watermark.
    public var offset: Int64
    /// Base64 text (librdkafka before 2.6.1 mishandles zero bytes): the stream time.
    public var metadata: String

    public init(offset: Int64, metadata: String) {
        self.offset = offset
        self.metadata = metadata
    }
}

public struct SourceStatus: Sendable {
    public var isConnected = false
    public var lastError: String?
    /// Records behind the end of the log, by partition.
    public var lag: [PartitionID: Int64] = [:]
    /// Of the whole log, whoever reads them; nil while it is not known.
    public var partitionCount: Int?

    public init() {}
}

/// What a source sees of the worker.
public protocol SourceHost: AnyObject, Sendable {
    /// Partitions were assigned: takes their epochs and restores their state.
    ///
    /// - Returns: the offset to start at for every partition the store knows; a partition that is missing here starts at the
    ///   log's committed offset.
    func assign(_ partitions: [PartitionID]) throws -> [PartitionID: Int64]
    /// Partitions go. Unless `lost`, what has been decided is published and committed before this returns (bounded by the
    /// revoke deadline).
    func revoke(_ partitions: [PartitionID], lost: Bool)
    /// Records of one partition, in offset order. The host releases the batch when it has copied what it needs.
    func deliver(_ batch: any RecordBatch)
    /// The partition has been read to its end at this moment: the idle clock may run up to now. To be said again while it
    /// stays so, at least once per second.
    func reachedEnd(_ partition: PartitionID)
    /// The log has ended for good, as files do: what is open is decided.
    func ended(_ partition: PartitionID)
    /// Offsets that should exist but do not (retention, truncation, a recreated topic): reported, never silent.
    func dataLoss(_ partition: PartitionID, from: Int64, to: Int64, explanation: String)
    /// The source goes on at a lower offset, since the log was recreated or cut: what is known of its offsets is void. Called
    /// before the first record from there, and only where the operator has allowed it.
    func logRestarted(_ partition: PartitionID, at offset: Int64)
    func log(_ message: String)
}

extension SourceHost {
    public func logRestarted(_ partition: PartitionID, at offset: Int64) {}
}

/// Records of one partition, borrowed from their source until `release`.
public protocol RecordBatch: AnyObject, Sendable {
    var partition: PartitionID { get }
    var count: Int { get }
    var byteCount: Int { get }
    /// The record at `index`; its bytes are valid until `release`.
    func record(at index: Int) -> SourceRecord
    func release()
}

/// One record of a log; borrows its bytes.
public struct SourceRecord {
    public var offset: Int64
    /// Milliseconds since the Unix epoch.
    public var timestamp: Int64
    public var key: UnsafeRawBufferPointer
    public var payload: UnsafeRawBufferPointer

    public init(offset: Int64, timestamp: Int64, key: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer) {
        self.offset = offset
        self.timestamp = timestamp
        self.key = key
        self.payload = payload
    }
}

/// How a source's records are encoded.
public enum RecordEncoding: String, Sendable, CaseIterable {
    case otlpProto = "otlp_proto"
    case otlpJSON = "otlp_json"
}
