import BrokerTestSupport
import Kafka
import Testing

@Suite("offsets")
struct OffsetTests {
    @Test("a commit keeps its metadata and may move back", arguments: TestCluster.available)
    func commit(_ kind: TestCluster) throws {
        let cluster = try kind.start()
        let topic = try cluster.makeTopic(partitions: 2)
        let partitions = [partition(topic, 0), partition(topic, 1)]
        let consumer = try cluster.makeConsumer(group: uniqueName("group"))
        defer { consumer.close() }
        #expect(try consumer.committed(partitions).isEmpty)
        let first = KafkaCommittedOffset(offset: 10, metadata: "v1;stream=1700000000000")
        try consumer.commit([partitions[0]: first], wait: true)
        // tansu 0.6.0 keeps the offset but drops the metadata.
        let keepsMetadata = kind == .embedded
        let afterFirst = try consumer.committed(partitions)
        #expect(afterFirst.mapValues(\.offset) == [partitions[0]: 10])
        #expect(!keepsMetadata || afterFirst == [partitions[0]: first])
        let second = [
            partitions[0]: KafkaCommittedOffset(offset: 3, metadata: "back"),
            partitions[1]: KafkaCommittedOffset(offset: 4),
        ]
        try consumer.commit(second, wait: false)
        let read = consumer.read { _, events in
            events.contains {
                if case .committed(let offsets, nil) = $0 { offsets == second.mapValues(\.offset) } else { false }
            }
        }
        #expect(!read.events.isEmpty)
        let afterSecond = try consumer.committed(partitions)
        #expect(afterSecond.mapValues(\.offset) == second.mapValues(\.offset))
        #expect(!keepsMetadata || afterSecond == second)
        let refused = kafkaError {
            try consumer.commit([partitions[0]: KafkaCommittedOffset(offset: 1, metadata: "a\0b")], wait: true)
        }
        #expect(refused?.code == .configuration)
    }

    @Test("a commit that is not answered in time throws instead of waiting on")
    func commitTimeout() throws {
        let cluster = try TestCluster.embedded.start()
        let topic = try cluster.makeTopic(partitions: 1)
        let consumer = try cluster.makeConsumer(group: uniqueName("group"))
        let offsets = [partition(topic, 0): KafkaCommittedOffset(offset: 1)]
        try consumer.commit(offsets, wait: true)
        try cluster.embedded?.setRoundTripTime(3_000)
        let start = nowMs()
        let error = kafkaError { try consumer.commit(offsets, wait: true, timeoutMs: 300) }
        #expect(error?.code == .timedOut)
        #expect(nowMs() - start < 2_000)
        try cluster.embedded?.setRoundTripTime(0)
        consumer.close()
    }

    @Test("an offset outside the log is an event that names it, never a silent jump")
    func outOfRange() throws {
        // tansu 0.6.0 answers a fetch past the end with nothing instead of OFFSET_OUT_OF_RANGE.
        let cluster = try TestCluster.embedded.start()
        let topic = try cluster.makeTopic(partitions: 1)
        try cluster.fill(topic, partitions: 1, count: 10)
        let consumer = try cluster.makeConsumer()
        defer { consumer.close() }
        let only = partition(topic, 0)
        try consumer.assign([only: 1_000])
        let read = consumer.read(within: 10_000) { _, events in !events.isEmpty }
        #expect(read.records.isEmpty)
        guard case .offsetOutOfRange(let partition, let offset, let error)? = read.events.first else {
            Issue.record("no event for the offset: \(read.events)")
            return
        }
        #expect(partition == only)
        #expect(offset == 1_000)
        #expect(error.code == .offsetOutOfRange)
        #expect(error.message.contains("\(only) offset 1000"))
        try consumer.seek([only: 8])
        #expect(consumer.read { records, _ in records.count == 2 }.records.map(\.offset) == [8, 9])
    }

    @Test("records that are gone from the log are an event, not a jump to what is left")
    func truncated() throws {
        let cluster = try TestCluster.embedded.start()
        let topic = try cluster.makeTopic(partitions: 1)
        let producer = try cluster.makeProducer()
        // The mock broker keeps 5 MB.
        for number in 0..<20 {
            try producer.send(
                topic: topic, partition: 0, key: nil, value: [UInt8](repeating: UInt8(number), count: 600_000))
            try producer.flush(timeoutMs: 10_000)
        }
        producer.close()
        let consumer = try cluster.makeConsumer()
        defer { consumer.close() }
        let only = partition(topic, 0)
        let low = try consumer.queryWatermarks(of: only).low
        #expect(low > 0)
        try consumer.assign([only: 0])
        let read = consumer.read(within: 10_000) { _, events in !events.isEmpty }
        #expect(read.records.isEmpty)
        guard case .offsetOutOfRange(_, let offset, _)? = read.events.first else {
            Issue.record("no event for the gap: \(read.events)")
            return
        }
        #expect(offset == 0)
        try consumer.seek([only: KafkaOffset.earliest])
        #expect(consumer.read { records, _ in !records.isEmpty }.records.first?.offset == low)
    }

    @Test("lag counts what the group has not committed", arguments: TestCluster.available)
    func lag(_ kind: TestCluster) throws {
        let cluster = try kind.start()
        let topic = try cluster.makeTopic(partitions: 2)
        try cluster.fill(topic, partitions: 2, count: 20)
        let group = uniqueName("group")
        let consumer = try cluster.makeConsumer(group: group)
        try consumer.commit([partition(topic, 0): KafkaCommittedOffset(offset: 15)], wait: true)
        consumer.close()
        let admin = try KafkaAdmin(cluster.options)
        let ends = try admin.endOffsets(topic: topic)
        // tansu 0.6.0 answers ListOffsets with the first offset of the last batch, plus one.
        if kind == .embedded { #expect(ends == [partition(topic, 0): 20, partition(topic, 1): 20]) }
        #expect(
            try admin.lag(group: group, topic: topic)
                == [
                    partition(topic, 0): max(0, (ends[partition(topic, 0)] ?? 0) - 15),
                    partition(topic, 1): ends[partition(topic, 1)] ?? -1,
                ])
    }
}
