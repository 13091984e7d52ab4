import CLibrdkafka
import Glibc

/// Owns an `rd_kafka_t`. The last reference destroys it: clients, calls under way and message batches hold one each, so
/// that no call meets a destroyed client and librdkafka never waits for messages that are still out.
final class ClientHandle: @unchecked Sendable {
    let client: OpaquePointer
    let context: ClientContext
    /// The consumer's queue, nil for clients that consume nothing.
    let consumerQueue: OpaquePointer?

    init(
        _ type: rd_kafka_type_t, _ builder: ConfigurationBuilder, context: ClientContext,
        pollsConsumerQueue: Bool = false
    ) throws(KafkaError) {
        context.register(on: builder.configuration)
        var text = [CChar](repeating: 0, count: 512)
        guard let client = rd_kafka_new(type, builder.configuration, &text, text.count) else {
            let cause = rd_kafka_last_error()
            throw KafkaError(
                .configuration, "cannot make a Kafka client: \(string(fromBuffer: text))",
                librdkafkaCode: cause.rawValue)
        }
        builder.handedOver()
        self.client = client
        self.context = context
        if pollsConsumerQueue {
            // Errors, statistics and commit results come through the consumer's queue too, so one poll serves all.
            rd_kafka_poll_set_consumer(client)
            consumerQueue = rd_kafka_queue_get_consumer(client)
        } else {
            consumerQueue = nil
        }
    }

    deinit {
        if let consumerQueue { rd_kafka_queue_destroy(consumerQueue) }
        // A consumer was closed explicitly; without the flag librdkafka would do it again, with callbacks.
        rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE)
    }
}
