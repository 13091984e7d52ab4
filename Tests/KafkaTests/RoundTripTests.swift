import BrokerTestSupport
import Kafka
import Testing

@Suite("records through a broker", .serialized)
struct RoundTripTests {
    @Test("records come back with key, value, offset, timestamp and headers", arguments: TestCluster.available)
    func roundTrip(_ kind: TestCluster) throws {
        let cluster = try kind.start()
        let topic = try cluster.makeTopic(partitions: 1)
        let producer = try cluster.makeProducer()
        let start: Int64 = 1_700_000_000_000
        for number in 0..<100 {
            try producer.send(
                topic: topic, key: Array("key \(number)".utf8), value: Array("value \(number)".utf8),
                timestampMs: start + Int64(number), headers: [("n", Array("\(number)".utf8)), ("n", [])])
        }
        try producer.send(topic: topic, partition: 0, key: nil, value: [])
        try producer.send(topic: topic, partition: 0, key: [], value: nil)
        try producer.flush(timeoutMs: 10_000)
        #expect(producer.delivered == 102)
        #expect(producer.failed == 0)
        #expect(producer.pending == 0)

        let consumer = try cluster.makeConsumer()
        try consumer.assign([partition(topic, 0): KafkaOffset.earliest])
        var batches: [KafkaMessageBatch] = []
        let isComplete = eventually {
            batches += consumer.poll(maxMessages: 500, timeoutMs: 100).batches
            return batches.reduce(0) { $0 + $1.count } >= 102
        }
        #expect(isComplete)
        var number = 0
        for batch in batches {
            #expect(batch.partition == partition(topic, 0))
            var bytes = 0
            for index in 0..<batch.count {
                batch.withMessage(index) { message in
                    #expect(message.offset == Int64(number))
                    bytes += message.payload.count
                    guard number < 100 else { return }
                    #expect(message.timestampMs == start + Int64(number))
                    #expect(message.key.map { String(decoding: $0, as: UTF8.self) } == "key \(number)")
                    #expect(String(decoding: message.payload, as: UTF8.self) == "value \(number)")
                    #expect(!message.isLogAppendTime)
                }
                if number < 100 {
                    let headers = batch.headers(index)
                    #expect(headers.map(\.key) == ["n", "n"])
                    #expect(headers.first?.value == Array("\(number)".utf8))
                }
                if number == 100 {
                    #expect(!batch.isTombstone(index))
                    #expect(batch.key(index) == nil)
                }
                if number == 101 {
                    #expect(batch.isTombstone(index))
                    #expect(batch.key(index)?.count == 0)
                }
                number += 1
            }
            #expect(batch.byteCount == bytes)
        }
        #expect(number == 102)
        #expect(consumer.watermarks(of: partition(topic, 0))?.high == 102)
        let end = try consumer.queryWatermarks(of: partition(topic, 0)).high
        // tansu 0.6.0 answers ListOffsets with the first offset of the last batch, plus one.
        #expect(kind == .real ? (1...102).contains(end) : end == 102)
        #expect(try consumer.position([partition(topic, 0)]) == [partition(topic, 0): 102])
        consumer.close()
        // Still readable: the messages keep the client alive.
        #expect(batches.first.map { $0.payload(0).count } == "value 0".utf8.count)
        for element in batches { element.destroy() }
        for element in batches { element.destroy() }
        #expect(batches.allSatisfy { $0.count == 0 })
        producer.close()
    }

    @Test("a poll hands over one batch per partition in offset order", arguments: TestCluster.available)
    func grouping(_ kind: TestCluster) throws {
        let cluster = try kind.start()
        let topic = try cluster.makeTopic(partitions: 3)
        try cluster.fill(topic, partitions: 3, count: 200)
        let consumer = try cluster.makeConsumer()
        defer { consumer.close() }
        try consumer.assign(Dictionary(uniqueKeysWithValues: (0..<3).map { (partition(topic, $0), 0) }))
        var next: [KafkaPartition: Int64] = [:]
        let isComplete = eventually {
            let result = consumer.poll(maxMessages: 250, timeoutMs: 100)
            #expect(result.messageCount <= 250)
            #expect(Set(result.batches.map(\.partition)).count == result.batches.count)
            for batch in result.batches {
                for record in batch.records {
                    #expect(record.offset == next[record.partition, default: 0])
                    #expect(record.value == "\(record.offset)")
                    next[record.partition] = record.offset + 1
                }
            }
            return next.values.reduce(0, +) == 600
        }
        #expect(isComplete)
    }

    @Test("pausing in mid-stream loses and repeats nothing", arguments: TestCluster.available)
    func pause(_ kind: TestCluster) throws {
        let cluster = try kind.start()
        let topic = try cluster.makeTopic(partitions: 2)
        try cluster.fill(topic, partitions: 2, count: 300)
        let consumer = try cluster.makeConsumer()
        defer { consumer.close() }
        let quiet = partition(topic, 0)
        try consumer.assign([quiet: 0, partition(topic, 1): 0])
        var records = consumer.read(batch: 7) { records, _ in records.contains { $0.partition == quiet } }.records
        try consumer.pause([quiet])
        let before = records.filter { $0.partition == quiet }.count
        records +=
            consumer.read(batch: 7) { more, _ in
                (records + more).filter { $0.partition != quiet }.count == 300
            }.records
        #expect(records.filter { $0.partition == quiet }.count == before)
        try consumer.resume([quiet])
        records += consumer.read(batch: 7) { more, _ in records.count + more.count >= 600 }.records
        for number in Int32(0)..<2 {
            let offsets = records.filter { $0.partition.partition == number }.map(\.offset)
            #expect(offsets == Array(0..<300))
        }
    }

    @Test("the same key goes to the same partition, chosen as the Java client does", arguments: TestCluster.available)
    func partitioner(_ kind: TestCluster) throws {
        let cluster = try kind.start()
        let topic = try cluster.makeTopic(partitions: 4)
        let partitions = Box<[UInt: Int32]>([:])
        let producer = try cluster.makeProducer { configuration in
            configuration.onDelivery = { delivery in
                partitions.update { $0[delivery.token] = delivery.partition.partition }
            }
        }
        // From Kafka's UtilsTest.testMurmur2: hash & 0x7fffffff modulo 4.
        let hashes: [(String, Int32)] = [
            ("21", -973_932_308), ("foobar", -790_332_482), ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
        ]
        for (index, hash) in hashes.enumerated() {
            try producer.send(topic: topic, key: Array(hash.0.utf8), value: [1], token: UInt(index))
        }
        try producer.flush(timeoutMs: 10_000)
        for (index, hash) in hashes.enumerated() {
            #expect(partitions.value[UInt(index)] == (hash.1 & 0x7fff_ffff) % 4)
        }
        producer.close()
    }

    @Test("a record of 40 MB passes", arguments: TestCluster.available)
    func largeRecord(_ kind: TestCluster) throws {
        let cluster = try kind.start()
        let topic = try cluster.makeTopic(partitions: 1)
        let producer = try cluster.makeProducer { $0.maxMessageBytes = 64 << 20 }
        let size = 40 << 20
        try producer.send(topic: topic, partition: 0, key: nil, value: [UInt8](repeating: 7, count: size))
        try producer.flush(timeoutMs: 30_000)
        producer.close()
        let consumer = try cluster.makeConsumer()
        defer { consumer.close() }
        try consumer.assign([partition(topic, 0): 0])
        var received = 0
        _ = eventually {
            let result = consumer.poll(maxMessages: 10, timeoutMs: 100)
            received += result.batches.reduce(0) { $0 + $1.byteCount }
            return received >= size
        }
        #expect(received == size)
    }
}
