public import Kafka
import Pipeline

/// Reads the records of a topic, from a time or its beginning to where it ended when reading began. Joins no group and
/// commits nothing.
public struct TopicRange: Sendable {
    /// Whoever answers nothing for so long is taken to be gone. Milliseconds.
    private static let patience: Int64 = 30_000

    private let address: ClusterAddress
    private let topic: String
    private let from: Int64?

    /// - Parameter from: milliseconds since the Unix epoch; nil for the whole topic. As in Kafka the first record at or after
    ///   it begins the range of a partition, and what follows belongs to it whatever its timestamp is.
    public init(_ address: ClusterAddress, topic: String, from: Int64? = nil) {
        self.address = address
        self.topic = topic
        self.from = from
    }

    /// What is left of a partition: offsets from `start` to before `end`.
    private struct Rest {
        var start: Int64
        var end: Int64
        /// Records from before the range may come first: not every broker can tell where a time begins.
        var isBeforeRange: Bool
        /// The end is also that of the first fetch: not every broker's answer counts the last batch.
        var isBegun = false
    }

    /// Visits the records partition by partition as they come, each partition's in the order of offsets; `body` returns false
    /// to stop. A message is valid during the call only.
    ///
    /// - Throws: a `StageError` when the brokers do not answer, or stop answering for 30 s.
    public func read(_ body: (KafkaMessageBatch, _ index: Int) throws -> Bool) throws {
        let consumer: KafkaConsumer
        var rests: [KafkaPartition: Rest]
        do {
            var configuration = KafkaConsumer.Configuration(client: address.client, groupID: nil)
            configuration.offsetReset = .earliest
            configuration.reportPartitionEnd = true
            rests = try KafkaAdmin(address.client).watermarks(topic: topic).mapValues {
                Rest(start: $0.low, end: $0.high, isBeforeRange: from != nil)
            }
            consumer = try KafkaConsumer(configuration)
            if let from {
                try seek(&rests, to: from, consumer)
                if rests.isEmpty { return }
            }
            try consumer.assign(rests.mapValues(\.start))
        } catch let error as KafkaError {
            throw StageError("cannot read topic \(topic): \(error)")
        }
        defer { consumer.close() }
        var lastProgress = WallClock.monotonic()
        while !rests.isEmpty {
            let result = consumer.poll(maxMessages: 500, timeoutMs: 200)
            for batch in result.batches {
                lastProgress = WallClock.monotonic()
                guard var rest = rests[batch.partition] else { continue }
                if !rest.isBegun, let high = consumer.watermarks(of: batch.partition)?.high {
                    rest.isBegun = true
                    rest.end = max(rest.end, high)
                }
                for index in 0..<batch.count where batch.offset(index) < rest.end {
                    if rest.isBeforeRange, let from, batch.timestampMs(index) < from { continue }
                    rest.isBeforeRange = false
                    if try !body(batch, index) { return }
                }
                rests[batch.partition] = rest
                if let last = batch.lastOffset, last + 1 >= rest.end {
                    rests[batch.partition] = nil
                    // What comes later is not asked for; a busy topic would send it all the same.
                    do { try consumer.pause([batch.partition]) } catch {}
                }
            }
            for event in result.events {
                // The log may end before the offset that was its end: transaction markers and compaction leave gaps.
                if case .partitionEnd(let partition, _) = event { rests[partition] = nil }
            }
            if WallClock.monotonic() - lastProgress > Self.patience {
                throw StageError(
                    "topic \(topic) gave nothing for \(Self.patience / 1000) s; partitions "
                        + rests.keys.sorted().map(\.description).joined(separator: ", ") + " are not read")
            }
        }
    }

    /// Moves each partition's start to the time; partitions that have nothing from then on are left out.
    private func seek(_ rests: inout [KafkaPartition: Rest], to time: Int64, _ consumer: KafkaConsumer) throws {
        var unanswered: [KafkaPartition: Int64] = [:]
        for (partition, offset) in try consumer.offsets(of: Array(rests.keys), at: time) {
            guard let rest = rests[partition], rest.end > rest.start else { continue }
            guard let offset, offset < rest.end else {
                unanswered[partition] = rest.end - 1
                continue
            }
            rests[partition]?.start = max(rest.start, offset)
        }
        if unanswered.isEmpty { return }
        // Nothing since then, or a broker that cannot look up times (librdkafka's embedded one): the last record tells.
        try consumer.assign(unanswered)
        let asked = WallClock.monotonic()
        while !unanswered.isEmpty {
            let result = consumer.poll(maxMessages: 100, timeoutMs: 200)
            for batch in result.batches where batch.count > 0 {
                guard unanswered.removeValue(forKey: batch.partition) != nil else { continue }
                // Then what is before the range has to be read to find where it begins.
                if (0..<batch.count).allSatisfy({ batch.timestampMs($0) < time }) { rests[batch.partition] = nil }
            }
            for event in result.events {
                // A marker at the end: no record there is as late as the time.
                if case .partitionEnd(let partition, _) = event, unanswered.removeValue(forKey: partition) != nil {
                    rests[partition] = nil
                }
            }
            if WallClock.monotonic() - asked > Self.patience {
                throw StageError("topic \(topic) did not give its last records within \(Self.patience / 1000) s")
            }
        }
    }
}
