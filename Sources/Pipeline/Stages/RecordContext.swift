/// Where the record being processed came from.
public struct RecordContext: Sendable {
    public var partition: PartitionID
    public var offset: Int64
    /// Record timestamp, milliseconds since the Unix epoch.
    public var timestamp: Int64
    /// Stream time after this record, milliseconds since the Unix epoch.
    public var streamTime: Int64

    public init(partition: PartitionID, offset: Int64, timestamp: Int64, streamTime: Int64) {
        self.partition = partition
        self.offset = offset
        self.timestamp = timestamp
        self.streamTime = streamTime
    }
}
