import BrokerTestSupport
import Kafka
import Testing

@Suite("pausing")
struct PauseTests {
    @Test(
        "a partition that was paused when it went delivers again once it is resumed as it comes back",
        arguments: TestCluster.available)
    func comesBack(_ test: TestCluster) throws {
        let cluster = try test.start()
        let topic = try cluster.makeTopic(partitions: 1)
        try cluster.fill(topic, partitions: 1, count: 20)
        let partition = KafkaPartition(topic: topic, partition: 0)
        let consumer = try cluster.makeConsumer(group: uniqueName("group"))
        defer { consumer.close() }
        try consumer.assign([partition: 0])
        #expect(eventually { count(consumer) > 0 })
        try consumer.pause([partition])
        try consumer.assign([:])
        _ = consumer.poll(maxMessages: 100, timeoutMs: 100)
        try consumer.assign([partition: 0])
        // Some versions of librdkafka remember the pause; which is why nobody may rely on either.
        let remembered = !eventually(within: 1500) { count(consumer) > 0 }
        print("librdkafka \(remembered ? "remembers" : "forgets") that a partition was paused when it comes back")
        if remembered {
            try consumer.resume([partition])
            #expect(eventually { count(consumer) > 0 })
        }
    }

    /// What a partition's owner does that has to read much back before the first record.
    @Test(
        "a partition that is paused as soon as it is assigned starts when it is resumed, with nothing left out",
        arguments: TestCluster.available)
    func startsPaused(_ test: TestCluster) throws {
        let cluster = try test.start()
        let topic = try cluster.makeTopic(partitions: 2)
        try cluster.fill(topic, partitions: 2, count: 20)
        let paused = KafkaPartition(topic: topic, partition: 0)
        let consumer = try cluster.makeConsumer(group: uniqueName("group"))
        defer { consumer.close() }
        try consumer.assign([paused: 3, KafkaPartition(topic: topic, partition: 1): 0])
        try consumer.pause([paused])
        var offsets: [Int32: [Int64]] = [:]
        func read(within milliseconds: Int64, until isEnough: () -> Bool) -> Bool {
            eventually(within: milliseconds) {
                for batch in consumer.poll(maxMessages: 100, timeoutMs: 50).batches {
                    for index in 0..<batch.count {
                        offsets[batch.partition.partition, default: []].append(batch.message(index).offset)
                    }
                    batch.destroy()
                }
                return isEnough()
            }
        }
        #expect(read(within: 10_000) { offsets[1]?.count == 20 })
        let early = offsets[0]?.count ?? 0
        #expect(!read(within: 1000) { offsets[0]?.count ?? 0 > early })
        try consumer.resume([paused])
        #expect(read(within: 10_000) { offsets[0]?.last == 19 })
        #expect(offsets[0] == Array(3..<20))
    }

    private func count(_ consumer: KafkaConsumer) -> Int {
        consumer.poll(maxMessages: 100, timeoutMs: 50).batches.reduce(0) { sum, batch in
            defer { batch.destroy() }
            return sum + batch.count
        }
    }
}
