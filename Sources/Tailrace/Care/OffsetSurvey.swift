import Kafka
import Pipeline
public import Storage

/// Asks a cluster for the offsets that a store is checked against. Joins no group.
public enum OffsetSurvey {
    /// - Parameters:
    ///   - clusterName: what the store calls the cluster where it has no id.
    /// - Throws: a `StageError` when the brokers do not answer.
    public static func read(
        _ address: ClusterAddress, topic: String, group: String, clusterName: String? = nil
    ) throws -> [PartitionOffsets] {
        do {
            let consumer = try KafkaConsumer(KafkaConsumer.Configuration(client: address.client, groupID: group))
            defer { consumer.close() }
            let count = try consumer.partitionCount(topic: topic)
            let partitions = (0..<count).map { KafkaPartition(topic: topic, partition: Int32($0)) }
            let committed = try consumer.committed(partitions)
            let cluster = clusterName ?? consumer.clusterID() ?? ""
            return try partitions.map { partition in
                let range = try consumer.queryWatermarks(of: partition)
                return PartitionOffsets(
                    partition: PartitionID(cluster: cluster, topic: topic, partition: partition.partition),
                    committed: committed[partition]?.offset, start: range.low, end: range.high)
            }
        } catch {
            throw StageError("cannot read the offsets of topic \(topic): \(error)")
        }
    }
}
