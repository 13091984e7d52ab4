/// One partition of one source: what a task owns. Stable across processes, so that a store can be resumed.
public struct PartitionID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Where the log lives: the Kafka cluster's id, or a name such as `file`. A recreated cluster is another log.
    public var cluster: String
    public var topic: String
    public var partition: Int32

    public init(cluster: String, topic: String, partition: Int32) {
        self.cluster = cluster
        self.topic = topic
        self.partition = partition
    }

    public static func < (left: PartitionID, right: PartitionID) -> Bool {
        (left.cluster, left.topic, left.partition) < (right.cluster, right.topic, right.partition)
    }

    public var description: String { "\(topic)/\(partition)" }
}
