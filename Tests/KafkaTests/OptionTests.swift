import BrokerTestSupport
import Kafka
import Testing

@Suite("options")
struct OptionTests {
    @Test("an unknown option is an error, an unknown optional one is left out and reported")
    func unknownOption() throws {
        var client = KafkaClientOptions(brokers: "127.0.0.1:1")
        client.options = [.init("no.such.option", "1")]
        let error = kafkaError { _ = try KafkaConsumer(.init(client: client, groupID: "g")) }
        #expect(error?.code == .configuration)
        #expect(error?.message.contains("no.such.option") == true)
        client.options = [.init("no.such.option", "1", isOptional: true)]
        let consumer = try KafkaConsumer(.init(client: client, groupID: "g"))
        let unsupported = try #require(consumer.unsupportedOptions.first { $0.key == "no.such.option" })
        #expect(unsupported.value == "1")
        #expect(unsupported.reason.contains(KafkaLibrary.version))
        consumer.close()
    }

    @Test("only what the user asked for is reported where librdkafka does not know it")
    func ownOptionsAreNotReported() throws {
        // The module sets this one itself; librdkafka knows it from 2.2.0 on.
        let own = "fetch.queue.backoff.ms"
        var client = KafkaClientOptions(brokers: "127.0.0.1:1")
        let plain = try KafkaConsumer(.init(client: client, groupID: "g"))
        #expect(plain.unsupportedOptions.isEmpty)
        plain.close()
        client.options = [.init(own, "7", isOptional: true), .init("no.such.option", "1", isOptional: true)]
        let asked = try KafkaConsumer(.init(client: client, groupID: "g"))
        let isKnown = KafkaLibrary.supports(option: own, value: "7")
        #expect(asked.unsupportedOptions.map(\.key) == (isKnown ? [] : [own]) + ["no.such.option"])
        asked.close()
    }

    @Test("an option that would break a promise is refused", arguments: ["enable.auto.commit", "auto.offset.reset"])
    func reserved(_ key: String) throws {
        let client = KafkaClientOptions(brokers: "127.0.0.1:1", options: [.init(key, "true")])
        let error = kafkaError { _ = try KafkaConsumer(.init(client: client, groupID: "g")) }
        #expect(error?.code == .configuration)
        #expect(error?.message.contains(key) == true)
    }

    @Test("a wrong SASL mechanism is refused at the start, and no message shows a secret")
    func wrongSASL() throws {
        let client = KafkaClientOptions(
            brokers: "127.0.0.1:1",
            options: [
                .init("security.protocol", "SASL_PLAINTEXT"), .init("sasl.mechanism", "BOGUS"),
                .init("sasl.username", "u"), .init("sasl.password", "hunter2"),
            ])
        let error = kafkaError { _ = try KafkaConsumer(.init(client: client, groupID: "g")) }
        #expect(error?.code == .configuration)
        #expect(error?.message.contains("BOGUS") == true)
        #expect(error?.message.contains("hunter2") == false)
        let empty = kafkaError { _ = try KafkaAdmin(KafkaClientOptions(brokers: "")) }
        #expect(empty?.code == .configuration)
    }

    @Test("credentials for a broker that takes none end in an error, not in silence")
    func refusedSASL() throws {
        let cluster = try TestCluster.embedded.start()
        var client = cluster.options
        client.options = [
            .init("security.protocol", "SASL_PLAINTEXT"), .init("sasl.mechanism", "PLAIN"),
            .init("sasl.username", "u"), .init("sasl.password", "hunter2"),
        ]
        let consumer = try KafkaConsumer(.init(client: client, groupID: "g"))
        try consumer.subscribe(topics: ["t"], handler: RecordingHandler())
        let read = consumer.read { _, events in !events.errors.isEmpty }
        let error = try #require(read.events.errors.first)
        #expect(error.code == .authentication || error.code == .brokerUnavailable)
        #expect(!error.message.contains("hunter2"))
        consumer.close()
    }

    @Test("log lines go to the closure and statistics can be read")
    func logAndStatistics() throws {
        let cluster = try TestCluster.embedded.start()
        let lines = Box<[String]>([])
        var client = cluster.options
        client.options = [.init("debug", "generic")]
        client.onLog = { line in lines.update { $0.append("\(line.level) \(line.facility) \(line.message)") } }
        var configuration = KafkaConsumer.Configuration(client: client, groupID: "g")
        configuration.statisticsIntervalMs = 100
        let consumer = try KafkaConsumer(configuration)
        #expect(
            eventually {
                _ = consumer.poll(maxMessages: 1, timeoutMs: 50)
                return consumer.statistics != nil
            })
        #expect(consumer.statistics?.contains("\"type\": \"consumer\"") == true)
        #expect(!lines.value.isEmpty)
        consumer.close()
    }
}

@Suite("administration")
struct AdminTests {
    @Test("topics are made, listed, found again and deleted")
    func topics() throws {
        // librdkafka's mock broker has no CreateTopics.
        guard RealBroker.shared != nil else {
            print("skipped: creating topics needs the real broker")
            return
        }
        let cluster = try TestCluster.real.start()
        let admin = try KafkaAdmin(cluster.options)
        let name = uniqueName("topic")
        #expect(try admin.createTopicIfMissing(name, partitions: 3))
        #expect(try !admin.createTopicIfMissing(name, partitions: 3))
        #expect(kafkaError { try admin.createTopic(name, partitions: 3) }?.code == .alreadyExists)
        #expect(try admin.topic(name).partitionCount == 3)
        #expect(try admin.listTopics().contains { $0.name == name && $0.partitionCount == 3 })
        try admin.deleteTopic(name)
        let isGone = eventually { kafkaError { _ = try admin.topic(name) }?.code == .unknownTopic }
        #expect(isGone)
    }

    @Test("the cluster has an id and a topic a number of partitions", arguments: TestCluster.available)
    func cluster(_ kind: TestCluster) throws {
        let cluster = try kind.start()
        let topic = try cluster.makeTopic(partitions: 5)
        let consumer = try cluster.makeConsumer()
        #expect(consumer.clusterID()?.isEmpty == false)
        #expect(try consumer.partitionCount(topic: topic) == 5)
        consumer.close()
    }
}
