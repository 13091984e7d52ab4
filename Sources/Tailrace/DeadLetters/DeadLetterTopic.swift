import Kafka
public import Pipeline
public import Storage

/// Where a command finds a cluster: addresses and librdkafka options.
public struct ClusterAddress: Sendable {
    let client: KafkaClientOptions

    public init(brokers: String) { client = KafkaClientOptions(brokers: brokers) }

    /// As a stage of kind `kafka` or `kafka_sink` is told.
    public init(stage: StageSettings) { client = KafkaOptions.client(stage) }
}

/// Reads the dead letters of a topic, from its beginning to where it ended when reading began. Joins no group and commits
/// nothing.
public struct DeadLetterTopic: Sendable {
    private let address: ClusterAddress
    private let topic: String

    public init(_ address: ClusterAddress, topic: String) {
        self.address = address
        self.topic = topic
    }

    /// Visits the letters partition by partition as they come; `body` returns false to stop. Records that are no dead
    /// letters go to `onBadLine` with their place.
    ///
    /// - Throws: a `StageError` when the brokers do not answer, or stop answering for 30 s.
    public func forEach(
        onBadLine: (String) -> Void = { _ in }, _ body: (DeadLetter, _ location: String) throws -> Bool
    ) throws {
        var left: [KafkaPartition: Int64] = [:]
        var starts: [KafkaPartition: Int64] = [:]
        do {
            for (partition, range) in try KafkaAdmin(address.client).watermarks(topic: topic)
            where range.high > range.low {
                left[partition] = range.high
                starts[partition] = range.low
            }
        } catch {
            throw StageError("cannot read topic \(topic): \(error)")
        }
        if left.isEmpty { return }
        var configuration = KafkaConsumer.Configuration(client: address.client, groupID: nil)
        configuration.offsetReset = .earliest
        configuration.reportPartitionEnd = true
        let consumer: KafkaConsumer
        do {
            consumer = try KafkaConsumer(configuration)
            try consumer.assign(starts)
        } catch {
            throw StageError("cannot read topic \(topic): \(error)")
        }
        defer { consumer.close() }
        var lastProgress = WallClock.monotonic()
        while !left.isEmpty {
            let result = consumer.poll(maxMessages: 500, timeoutMs: 200)
            for event in result.events {
                // The log may end before the offset that was its end: transaction markers and compaction leave gaps.
                if case .partitionEnd(let partition, _) = event { left[partition] = nil }
            }
            for batch in result.batches {
                lastProgress = WallClock.monotonic()
                for index in 0..<batch.count where batch.offset(index) < left[batch.partition] ?? .min {
                    let location = "\(batch.partition.topic)/\(batch.partition.partition)/\(batch.offset(index))"
                    let letter = DeadLetterHeaders.read(
                        batch.headers(index), key: batch.key(index).map(Array.init) ?? [],
                        payload: Array(batch.payload(index)))
                    guard let letter else {
                        onBadLine(location)
                        continue
                    }
                    if try !body(letter, location) { return }
                }
                if let last = batch.lastOffset, let end = left[batch.partition], last + 1 >= end {
                    left[batch.partition] = nil
                }
            }
            if WallClock.monotonic() - lastProgress > 30_000 {
                throw StageError("topic \(topic) gave nothing for 30 s; partitions \(left.keys.sorted()) are not read")
            }
        }
    }
}
