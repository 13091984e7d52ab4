/// Told about the partitions that come and go. Both calls happen on the thread that polls (or closes) the consumer,
/// inside that call, and must return well within the session timeout.
///
/// With the cooperative strategy the partitions are an increment: only those named change.
public protocol KafkaRebalanceHandler: AnyObject {
    /// New partitions. Returns the start offset of each one whose owner knows it (an offset or a `KafkaOffset`); one
    /// left out starts at the group's committed offset, or at `Configuration.startAt` where nothing is committed.
    func assigned(_ partitions: [KafkaPartition]) -> [KafkaPartition: Int64]

    /// Called before the partitions go: the owner flushes and may commit synchronously. With `lost` they have another
    /// owner already: publish and commit nothing.
    func revoked(_ partitions: [KafkaPartition], lost: Bool)
}
