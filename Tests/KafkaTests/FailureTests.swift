import BrokerTestSupport
import Kafka
import Testing

@Suite("failures")
struct FailureTests {
    @Test("a broker that goes is an error, and everything goes on when it comes back")
    func brokerDown() throws {
        let cluster = try TestCluster.embedded.start()
        let topic = try cluster.makeTopic(partitions: 1)
        try cluster.fill(topic, partitions: 1, count: 10)
        let consumer = try cluster.makeConsumer()
        defer { consumer.close() }
        try consumer.assign([partition(topic, 0): 0])
        #expect(consumer.read { records, _ in records.count == 10 }.records.count == 10)
        try cluster.embedded?.setDown()
        let down = consumer.read { _, events in events.errors.contains { $0.code == .brokerUnavailable } }
        let error = down.events.errors.first { $0.code == .brokerUnavailable }
        #expect(error?.isRetriable == true)
        #expect(error?.isFatal == false)
        #expect(kafkaError { _ = try consumer.partitionCount(topic: topic, timeoutMs: 300) }?.isRetriable == true)
        try cluster.embedded?.setUp()
        try cluster.fill(topic, partitions: 1, count: 5, from: 10)
        let up = consumer.read { records, _ in records.count == 5 }
        #expect(up.records.map(\.offset) == [10, 11, 12, 13, 14])
    }

    @Test("a broker that never was is an error, not a wait without end")
    func noBroker() throws {
        let options = KafkaClientOptions(brokers: "127.0.0.1:1")
        let consumer = try KafkaConsumer(KafkaConsumer.Configuration(client: options, groupID: "g"))
        try consumer.subscribe(topics: ["t"], handler: RecordingHandler())
        let read = consumer.read { _, events in !events.errors.isEmpty }
        #expect(read.events.errors.first?.code == .brokerUnavailable)
        #expect(consumer.clusterID(timeoutMs: 200) == nil)
        #expect(kafkaError { _ = try consumer.committed([partition("t", 0)], timeoutMs: 200) }?.isRetriable == true)
        consumer.close()
        let admin = try KafkaAdmin(options)
        #expect(kafkaError { _ = try admin.listTopics(timeoutMs: 200) }?.isRetriable == true)
        #expect(kafkaError { try admin.createTopic("t", partitions: 1, timeoutMs: 500) }?.isRetriable == true)
        var configuration = KafkaProducer.Configuration(client: options)
        configuration.deliveryTimeoutMs = 500
        let producer = try KafkaProducer(configuration)
        try producer.send(topic: "t", key: nil, value: [1])
        let error = kafkaError { try producer.flush(timeoutMs: 5_000) }
        #expect(error?.code == .timedOut)
        #expect(producer.failed == 1)
        producer.close()
    }

    @Test("a topic that is not there is named", arguments: TestCluster.available)
    func unknownTopic(_ kind: TestCluster) throws {
        let cluster = try kind.start()
        let name = uniqueName("nowhere")
        // The mock broker makes each topic that is asked for; this one it denies.
        try cluster.embedded?.setTopicError(name, .unknownTopic)
        let consumer = try cluster.makeConsumer(group: uniqueName("group"))
        defer { consumer.close() }
        let counted = kafkaError { _ = try consumer.partitionCount(topic: name) }
        #expect(counted?.code == .unknownTopic)
        #expect(counted?.message.contains(name) == true)
        #expect(kafkaError { try consumer.subscribe(topics: [], handler: RecordingHandler()) }?.code == .configuration)
        try consumer.subscribe(topics: [name], handler: RecordingHandler())
        let read = consumer.read { _, events in events.errors.contains { $0.code == .unknownTopic } }
        let error = read.events.errors.first { $0.code == .unknownTopic }
        #expect(error?.message.contains(name) == true)
    }

    @Test("a message that is too large is refused at once, and the next one passes")
    func tooLarge() throws {
        let cluster = try TestCluster.embedded.start()
        let topic = try cluster.makeTopic(partitions: 1)
        let producer = try cluster.makeProducer { $0.maxMessageBytes = 10_000 }
        let large = [UInt8](repeating: 1, count: 20_000)
        let error = kafkaError { try producer.send(topic: topic, key: nil, value: large) }
        #expect(error?.code == .messageTooLarge)
        #expect(error?.message.contains(topic) == true)
        try producer.send(topic: topic, key: nil, value: [UInt8](repeating: 1, count: 5_000))
        try producer.flush(timeoutMs: 10_000)
        #expect(producer.delivered == 1)
        producer.close()
    }

    @Test("faults that pass are retried, a fault that stays is thrown with the count")
    func faults() throws {
        let cluster = try TestCluster.embedded.start()
        let topic = try cluster.makeTopic(partitions: 1)
        let producer = try cluster.makeProducer()
        try cluster.embedded?.pushErrors(.produce, [.notLeader, .requestTimedOut, .notLeader])
        try producer.send(topic: topic, key: nil, value: [1])
        try producer.flush(timeoutMs: 10_000)
        #expect(producer.delivered == 1)
        try cluster.embedded?.pushErrors(.produce, [.topicAuthorizationFailed])
        for _ in 0..<3 { try producer.send(topic: topic, partition: 0, key: nil, value: [2]) }
        let error = kafkaError { try producer.flush(timeoutMs: 10_000) }
        #expect(error?.code == .authorization)
        #expect(error?.message.contains("message(s) not delivered") == true)
        #expect(producer.lastError?.code == .authorization)
        #expect(producer.delivered + producer.failed == 4)
        #expect(kafkaError { try producer.flush(timeoutMs: 1_000) } == nil, "a failure is thrown once")
        producer.close()

        let consumer = try cluster.makeConsumer()
        try cluster.embedded?.pushErrors(.fetch, [.notLeader, .requestTimedOut])
        try consumer.assign([partition(topic, 0): 0])
        #expect(consumer.read { records, _ in records.count == 1 }.records.map(\.offset) == [0])
        consumer.close()
    }

    @Test("a full queue holds the sender back, then throws, and loses nothing")
    func backPressure() throws {
        let cluster = try TestCluster.embedded.start()
        let topic = try cluster.makeTopic(partitions: 1)
        let producer = try cluster.makeProducer {
            $0.queueMaxMessages = 100
            $0.sendTimeoutMs = 300
        }
        try cluster.embedded?.setDown()
        var sent: UInt64 = 0
        let error = kafkaError {
            for _ in 0..<1_000 {
                try producer.send(topic: topic, partition: 0, key: nil, value: [1])
                sent += 1
            }
        }
        #expect(error?.code == .queueFull)
        #expect(sent == 100)
        try cluster.embedded?.setUp()
        #expect(eventually { producer.delivered == 100 }, "counted without a flush")
        for _ in 0..<1_000 { try producer.send(topic: topic, partition: 0, key: nil, value: [1]) }
        try producer.flush(timeoutMs: 10_000)
        #expect(producer.delivered == 1_100)
        producer.close()
    }

    @Test("a closed client says so and does not crash")
    func closed() throws {
        let cluster = try TestCluster.embedded.start()
        let consumer = try cluster.makeConsumer(group: "g")
        consumer.close()
        consumer.close()
        let poll = consumer.poll(maxMessages: 1, timeoutMs: 10)
        #expect(poll.events.errors.contains { $0.code == .closed })
        #expect(kafkaError { try consumer.pause([partition("t", 0)]) }?.code == .closed)
        #expect(consumer.watermarks(of: partition("t", 0)) == nil)
        let producer = try cluster.makeProducer()
        producer.close()
        producer.close()
        #expect(kafkaError { try producer.send(topic: "t", key: nil, value: [1]) }?.code == .closed)
        cluster.embedded?.close()
        #expect(kafkaError { try cluster.embedded?.createTopic("t") }?.code == .closed)
    }
}
