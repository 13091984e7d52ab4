/// What a poll learned besides messages.
public enum KafkaEvent: Sendable {
    /// A failure of the whole client: broker away, authentication, fenced, unknown topic. librdkafka goes on retrying
    /// unless `isFatal`.
    case error(KafkaError)
    /// A failure of one partition. A topic that is missing or forbidden is an `error`, whatever partition met it.
    case partitionError(KafkaPartition, KafkaError)
    /// The position is not in the log and the policy is not to choose another one silently. The partition delivers
    /// nothing more until `seek` is called.
    case offsetOutOfRange(KafkaPartition, offset: Int64, KafkaError)
    /// Every record up to `offset` (exclusive) was delivered. Only with `reportPartitionEnd`.
    case partitionEnd(KafkaPartition, offset: Int64)
    /// A commit was answered (one that was waited for, too): the offsets, and why it failed if it did.
    case committed([KafkaPartition: Int64], KafkaError?)
}

/// The outcome of a poll.
public struct KafkaPollResult: Sendable {
    /// At most one per partition; the caller owns them.
    public var batches: [KafkaMessageBatch]
    public var events: [KafkaEvent]

    public var messageCount: Int { batches.reduce(0) { $0 + $1.count } }
    public var isEmpty: Bool { batches.isEmpty && events.isEmpty }

    public init(batches: [KafkaMessageBatch] = [], events: [KafkaEvent] = []) {
        self.batches = batches
        self.events = events
    }
}
