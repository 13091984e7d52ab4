/// A partition of a topic.
public struct KafkaPartition: Hashable, Sendable, Comparable, CustomStringConvertible {
    public var topic: String
    public var partition: Int32

    public init(topic: String, partition: Int32) {
        self.topic = topic
        self.partition = partition
    }

    public static func < (left: KafkaPartition, right: KafkaPartition) -> Bool {
        left.topic == right.topic ? left.partition < right.partition : left.topic < right.topic
    }

    /// Such as `spans[3]`.
    public var description: String { "\(topic)[\(partition)]" }
}

/// Positions that are no number of a record. Usable wherever a start offset is asked for.
public enum KafkaOffset {
    /// The oldest record that is still in the log.
    public static let earliest: Int64 = -2
    /// After the newest record: only what is produced from now on.
    public static let latest: Int64 = -1
    /// What the group has committed.
    public static let committed: Int64 = -1000
    /// librdkafka's "none".
    static let invalid: Int64 = -1001
}

/// A committed position: the offset of the next record to read, and a text of the owner's.
public struct KafkaCommittedOffset: Sendable, Hashable {
    public var offset: Int64
    public var metadata: String

    public init(offset: Int64, metadata: String = "") {
        self.offset = offset
        self.metadata = metadata
    }
}
