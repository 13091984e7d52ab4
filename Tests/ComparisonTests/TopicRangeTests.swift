import Foundation
import Kafka
import Pipeline
import Synchronization
import Tailrace
import Testing

/// Reading a topic from a time to its end, on the embedded broker.
struct TopicRangeTests {
    private final class Topic {
        let broker: EmbeddedBroker
        let producer: KafkaProducer
        let name = "otlp_spans"

        init(partitions: Int) throws {
            broker = try EmbeddedBroker(defaultPartitions: partitions)
            try broker.createTopic(name, partitions: partitions)
            producer = try KafkaProducer(
                KafkaProducer.Configuration(client: KafkaClientOptions(brokers: broker.bootstrapServers)))
        }

        func send(_ partition: Int32, _ times: [Int64]) throws {
            for time in times {
                try producer.send(
                    topic: name, partition: partition, key: nil, value: Array("\(time)".utf8), timestampMs: time)
            }
            try producer.flush(timeoutMs: 10_000)
        }

        func read(from time: Int64?, onFirst: () throws -> Void = {}) throws -> [Int32: [Int64]] {
            var read: [Int32: [Int64]] = [:]
            let range = TopicRange(ClusterAddress(brokers: broker.bootstrapServers), topic: name, from: time)
            try range.read { batch, index in
                if read.isEmpty { try onFirst() }
                #expect(batch.timestampMs(index) == Int64(String(decoding: batch.payload(index), as: UTF8.self)))
                read[batch.partition.partition, default: []].append(batch.timestampMs(index))
                return true
            }
            return read
        }
    }

    @Test("a range begins at the first record of its time and ends where the topic ended when reading began")
    func rangeIsBounded() throws {
        let topic = try Topic(partitions: 4)
        defer { topic.broker.close() }
        try topic.send(0, [1000, 2000, 3000])
        // An old record behind a new one belongs to the range, as in Kafka.
        try topic.send(1, [1000, 5000, 4000, 500])
        try topic.send(2, [100, 200])
        // Partition 3 has nothing.
        #expect(try topic.read(from: nil) == [0: [1000, 2000, 3000], 1: [1000, 5000, 4000, 500], 2: [100, 200]])
        #expect(try topic.read(from: 2000)[0] == [2000, 3000])
        // Asking twice gives the same: nothing was committed, no group moved on.
        for _ in 0..<2 {
            let read = try topic.read(from: 2500) { try topic.send(0, [9000, 9001]) }
            #expect(read[0]?.prefix(1) == [3000])
            #expect(read[2] == nil)
        }
        #expect(try topic.read(from: 2500)[0] == [3000, 9000, 9001, 9000, 9001])
    }

    @Test("what is written while a range is read is not part of it")
    func laterRecordsAreLeft() throws {
        let topic = try Topic(partitions: 1)
        defer { topic.broker.close() }
        try topic.send(0, [1, 2, 3])
        #expect(try topic.read(from: nil) { try topic.send(0, [4, 5]) } == [0: [1, 2, 3]])
        #expect(try topic.read(from: nil)[0]?.count == 5)
    }

    @Test("a broker that does not answer, and a topic that is not there, are errors that say so")
    func errorsAreSaid() throws {
        let topic = try Topic(partitions: 1)
        let address = ClusterAddress(brokers: topic.broker.bootstrapServers)
        try topic.broker.setTopicError("missing", .unknownTopic)
        #expect(throws: StageError.self) { try TopicRange(address, topic: "missing").read { _, _ in true } }
        topic.broker.close()
    }
}
