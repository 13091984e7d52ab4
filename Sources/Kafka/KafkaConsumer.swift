import CLibrdkafka
import Synchronization

/// A member of a consumer group, or (with `assign`) a reader of chosen partitions.
///
/// `poll`, `subscribe`, `assign` and `close` belong to one thread. Everything else may be called from any thread, also
/// during a poll and inside the rebalance handler; after `close()` it throws `.closed`.
public final class KafkaConsumer: @unchecked Sendable {
    public let configuration: Configuration
    /// Options of the user's that the librdkafka in use does not know and that were therefore left out.
    public let unsupportedOptions: [KafkaUnsupportedOption]

    private let current: Mutex<ClientHandle?>
    let context: ClientContext
    let rebalancer: Rebalancer
    /// Polling thread only: reused by each poll.
    var rows: UnsafeMutableBufferPointer<UnsafeMutablePointer<rd_kafka_message_t>?>

    /// Makes the client. Does not wait for a connection: an unreachable broker is reported by `poll`.
    public init(_ configuration: Configuration) throws(KafkaError) {
        let builder = try KafkaConsumer.builder(for: configuration)
        let rebalancer = Rebalancer(
            startAt: configuration.startAt, committedTimeoutMs: configuration.committedTimeoutMs)
        let context = ClientContext(onLog: configuration.client.onLog)
        context.rebalancer = rebalancer
        Rebalancer.register(on: builder.configuration)
        current = Mutex(try ClientHandle(RD_KAFKA_CONSUMER, builder, context: context, pollsConsumerQueue: true))
        self.configuration = configuration
        self.context = context
        self.rebalancer = rebalancer
        unsupportedOptions = builder.unsupported
        rows = .allocate(capacity: 0)
    }

    deinit {
        close()
        rows.deallocate()
    }

    func handle() throws(KafkaError) -> ClientHandle {
        guard let handle = current.withLock({ $0 }) else { throw .closedClient }
        return handle
    }

    /// Joins the group for `topics`; partitions come with later polls. The handler is held until `close()`.
    public func subscribe(topics: [String], handler: any KafkaRebalanceHandler) throws(KafkaError) {
        guard configuration.groupID != nil else {
            throw KafkaError(.configuration, "cannot subscribe without a group id; set groupID or use assign")
        }
        guard !topics.isEmpty else { throw KafkaError(.configuration, "no topics to subscribe to") }
        let handle = try handle()
        rebalancer.handler = handler
        let list = PartitionList(topics.map { KafkaPartition(topic: $0, partition: -1) })
        let answer = rd_kafka_subscribe(handle.client, list.pointer)
        guard answer == RD_KAFKA_RESP_ERR_NO_ERROR else {
            throw KafkaError(answer, "cannot subscribe to \(topics.joined(separator: ", "))")
        }
    }

    /// Reads exactly these partitions, from the given offsets or `KafkaOffset`s, without joining a group.
    public func assign(_ offsets: [KafkaPartition: Int64]) throws(KafkaError) {
        let list = PartitionList(offsets)
        let answer = rd_kafka_assign(try handle().client, list.pointer)
        guard answer == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaError(answer, "cannot assign partitions") }
    }

    /// The partitions this consumer owns at the moment.
    public func assignment() throws(KafkaError) -> [KafkaPartition] {
        var list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?
        let answer = rd_kafka_assignment(try handle().client, &list)
        guard answer == RD_KAFKA_RESP_ERR_NO_ERROR, let list else {
            throw KafkaError(answer, "cannot read the assignment")
        }
        defer { rd_kafka_topic_partition_list_destroy(list) }
        return list.partitions.sorted()
    }

    /// Whether partitions were taken away without asking (session timed out, poll came too late).
    public var isAssignmentLost: Bool {
        guard let handle = try? handle() else { return true }
        return rd_kafka_assignment_lost(handle.client) != 0
    }

    /// The newest statistics document of librdkafka (its STATISTICS.md explains it), nil before the first one.
    public var statistics: String? { context.shared.withLock { $0.statistics } }

    /// Revokes what is owned (the handler is called here), then leaves the group. A static member (`groupInstanceID`)
    /// sends no leave-group: the group waits for it until the session timeout. Idempotent. Must not be called by the
    /// rebalance handler.
    public func close() {
        guard let handle = current.withLock({ $0 }) else { return }
        let answer = rd_kafka_consumer_close(handle.client)
        if answer != RD_KAFKA_RESP_ERR_NO_ERROR, answer != RD_KAFKA_RESP_ERR__DESTROY {
            context.add(.error(KafkaError(answer, "leaving the group failed")))
        }
        rebalancer.handler = nil
        current.withLock { $0 = nil }
    }
}
