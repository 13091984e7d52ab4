import BrokerTestSupport
import Glibc
import Kafka
import Testing

/// Which broker a test runs against.
enum TestCluster: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case embedded, real

    /// The real one only when it is asked for and up.
    static var available: [TestCluster] { RealBroker.shared == nil ? [.embedded] : [.embedded, .real] }

    var testDescription: String { "\(rawValue) broker" }

    func start() throws -> Cluster {
        switch self {
        case .embedded: Cluster(embedded: try EmbeddedBroker())
        case .real: try Cluster(real: #require(RealBroker.shared))
        }
    }
}

/// A broker for one test, with short cuts.
struct Cluster {
    let brokers: String
    let embedded: EmbeddedBroker?

    init(embedded: EmbeddedBroker) {
        self.embedded = embedded
        brokers = embedded.bootstrapServers
    }

    init(real: RealBroker) {
        embedded = nil
        brokers = real.bootstrapServers
    }

    var options: KafkaClientOptions { KafkaClientOptions(brokers: brokers) }

    /// A topic of its own for each test: the real broker is shared.
    func makeTopic(partitions: Int) throws -> String {
        let name = uniqueName("topic")
        if let embedded {
            try embedded.createTopic(name, partitions: partitions)
        } else {
            try KafkaAdmin(options).createTopic(name, partitions: partitions)
        }
        return name
    }

    func makeProducer(_ change: (inout KafkaProducer.Configuration) -> Void = { _ in }) throws -> KafkaProducer {
        var configuration = KafkaProducer.Configuration(client: options)
        configuration.lingerMs = 5
        change(&configuration)
        return try KafkaProducer(configuration)
    }

    func makeConsumer(
        group: String? = nil, _ change: (inout KafkaConsumer.Configuration) -> Void = { _ in }
    ) throws -> KafkaConsumer {
        var configuration = KafkaConsumer.Configuration(client: options, groupID: group)
        configuration.sessionTimeoutMs = 6_000
        configuration.heartbeatIntervalMs = 500
        change(&configuration)
        return try KafkaConsumer(configuration)
    }

    /// Sends `count` records with the values "0", "1", … to each partition and waits for their arrival.
    func fill(_ topic: String, partitions: Int, count: Int, from first: Int = 0) throws {
        let producer = try makeProducer()
        defer { producer.close() }
        for number in first..<(first + count) {
            for partition in 0..<partitions {
                try producer.send(topic: topic, partition: Int32(partition), key: nil, value: Array("\(number)".utf8))
            }
        }
        try producer.flush(timeoutMs: 20_000)
    }
}

func uniqueName(_ prefix: String) -> String {
    "\(prefix)-\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
}

func partition(_ topic: String, _ number: Int32) -> KafkaPartition { KafkaPartition(topic: topic, partition: number) }

extension KafkaConsumer {
    /// Polls until `done` says so, and keeps what was read as (partition, offset, value).
    func read(
        within milliseconds: Int64 = 20_000, batch: Int = 500, until done: ([Record], [KafkaEvent]) -> Bool
    ) -> (records: [Record], events: [KafkaEvent]) {
        var records: [Record] = []
        var events: [KafkaEvent] = []
        let deadline = nowMs() + milliseconds
        while !done(records, events), nowMs() < deadline {
            let result = poll(maxMessages: batch, timeoutMs: 50)
            events += result.events
            records += result.batches.flatMap(\.records)
            for element in result.batches { element.destroy() }
        }
        return (records, events)
    }
}

struct Record: Hashable {
    var partition: KafkaPartition
    var offset: Int64
    var value: String
}

extension KafkaMessageBatch {
    var records: [Record] {
        (0..<count).map {
            Record(partition: partition, offset: offset($0), value: String(decoding: payload($0), as: UTF8.self))
        }
    }
}

extension [KafkaEvent] {
    var errors: [KafkaError] {
        compactMap { if case .error(let error) = $0 { error } else { nil } }
    }
}
