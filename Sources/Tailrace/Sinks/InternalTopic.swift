import Kafka
import Pipeline
import Synchronization

/// The internal topic of a repartition: made where it is missing, with as many partitions as the outer one.
///
/// One per sink, used by its writer thread.
final class InternalTopic: RepartitionTopic {
    private struct State {
        var producer: KafkaProducer?
        var counts: (outer: Int, inner: Int)?
        /// Monotonic milliseconds.
        var countedAt: Int64 = 0
    }

    let name: String
    private let configuration: KafkaProducer.Configuration
    private let state = Mutex(State())
    /// Partitions may be added while a worker runs.
    private static let countInterval: Int64 = 30_000

    init(name: String, configuration: KafkaProducer.Configuration) {
        self.name = name
        self.configuration = configuration
    }

    /// The partitions of both topics; asks the brokers, at most every half minute.
    func partitionCounts(outer: String) throws -> (outer: Int, inner: Int) {
        try state.withLock { state in
            let now = WallClock.monotonic()
            if let counts = state.counts, now - state.countedAt < Self.countInterval { return counts }
            let admin = try KafkaAdmin(configuration.client)
            let outerCount = try admin.topic(outer).partitionCount
            let counts = (outer: outerCount, inner: try makeIfMissing(admin, partitions: outerCount))
            state.counts = counts
            state.countedAt = now
            return counts
        }
    }

    private func makeIfMissing(_ admin: KafkaAdmin, partitions: Int) throws -> Int {
        do {
            return try admin.topic(name).partitionCount
        } catch let error where error.code == .unknownTopic {
            // The producers' timestamps are what windows close on, whatever the brokers' default is; and what the outer topic
            // takes must fit. -1: as many copies as the brokers make by default.
            try admin.createTopicIfMissing(
                name, partitions: partitions, replication: -1,
                config: [
                    ("message.timestamp.type", "CreateTime"),
                    ("max.message.bytes", String(configuration.maxMessageBytes)),
                ])
            return try admin.topic(name).partitionCount
        }
    }

    /// Runs `body` with the producer; one that can send no more is replaced for the next attempt.
    func send(_ body: (any RepartitionWriter) throws -> Void) throws {
        let producer = try state.withLock { state in
            if let producer = state.producer { return producer }
            let producer = try KafkaProducer(configuration)
            state.producer = producer
            return producer
        }
        do {
            try body(Writer(producer: producer, topic: name))
        } catch let error as KafkaError where error.isFatal {
            state.withLock { $0.producer = nil }
            throw error
        }
    }

    private struct Writer: RepartitionWriter {
        let producer: KafkaProducer
        let topic: String

        func send(
            partition: Int32?, key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, timestamp: Int64
        ) throws {
            if let partition {
                try producer.send(topic: topic, partition: partition, key: key, value: value, timestampMs: timestamp)
            } else {
                try producer.send(topic: topic, key: key, value: value, timestampMs: timestamp)
            }
        }

        func flush() throws { try producer.flush(timeoutMs: 60_000) }
    }
}
