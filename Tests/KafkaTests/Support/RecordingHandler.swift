import BrokerTestSupport
import Kafka

/// Remembers what it was told, and can answer with offsets and flush on revoke.
final class RecordingHandler: KafkaRebalanceHandler {
    var owned: Set<KafkaPartition> = []
    var assignments: [[KafkaPartition]] = []
    var revocations: [(partitions: [KafkaPartition], lost: Bool)] = []
    var starts: [KafkaPartition: Int64] = [:]
    var onRevoke: ([KafkaPartition], Bool) -> Void = { _, _ in }

    func assigned(_ partitions: [KafkaPartition]) -> [KafkaPartition: Int64] {
        assignments.append(partitions)
        owned.formUnion(partitions)
        return starts.filter { partitions.contains($0.key) }
    }

    func revoked(_ partitions: [KafkaPartition], lost: Bool) {
        onRevoke(partitions, lost)
        revocations.append((partitions, lost))
        owned.subtract(partitions)
    }
}
