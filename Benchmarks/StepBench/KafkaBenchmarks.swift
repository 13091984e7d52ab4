import Foundation
import Kafka
import OTLP
import TraceModel

/// Kafka → pipeline → segments against the raw drain of the same topic: three steps, each a process of its own.
enum KafkaBenchmarks {
    static func produce(_ arguments: [String]) throws {
        let (brokers, topic, wanted) = (arguments[0], arguments[1], Int(arguments[2]) ?? 1000)
        let options = KafkaClientOptions(brokers: brokers)
        let admin = try KafkaAdmin(options)
        // The embedded broker makes topics in its own process only.
        if try !admin.listTopics(timeoutMs: 5_000).contains(where: { $0.name == topic }) {
            try admin.createTopicIfMissing(topic, partitions: 4)
        }
        var configuration = KafkaProducer.Configuration(client: options)
        if arguments.count > 4, arguments[4] != "none" {
            configuration.compression = arguments[4]
            // Batches of some size, as from collectors: what is compressed one by one hardly gets smaller, and the embedded
            // broker gives out one batch of a partition at a time.
            configuration.lingerMs = 1_000
        }
        let producer = try KafkaProducer(configuration)
        // Spans per second; as fast as it goes without.
        let rate = arguments.count > 3 ? Double(arguments[3]) : nil
        var traffic = RepeatedTraffic(
            seed: 7, tracesPerSecond: 5000, spans: min(wanted, 300_000),
            startTime: UInt64(Date().timeIntervalSince1970 * 1e9))
        let start = Measuring.seconds()
        var spans = 0
        while spans < wanted {
            if let rate, Double(spans) > (Measuring.seconds() - start) * rate {
                usleep(2000)
                continue
            }
            let record = traffic.next()
            spans += record.spanCount
            try producer.send(topic: topic, key: Array(record.traceID.hex.utf8), value: record.value)
        }
        try producer.flush(timeoutMs: 120_000)
        print(spans)
    }

    /// librdkafka's broker until the process is killed. Prints its address.
    static func broker(_ arguments: [String]) throws {
        let broker = try EmbeddedBroker()
        try broker.createTopic(arguments[0], partitions: Int(arguments[1]) ?? 4)
        print(broker.bootstrapServers)
        fflush(nil)
        while true { pause() }
    }

    /// librdkafka alone: reads every partition to its end and discards.
    static func drain(_ arguments: [String]) throws {
        let (brokers, topic) = (arguments[0], arguments[1])
        var configuration = KafkaConsumer.Configuration(client: KafkaClientOptions(brokers: brokers), groupID: nil)
        configuration.queuedMaxKBytes = 262_144
        let consumer = try KafkaConsumer(configuration)
        let count = try consumer.partitionCount(topic: topic)
        let partitions = (0..<count).map { KafkaPartition(topic: topic, partition: Int32($0)) }
        try consumer.assign(Dictionary(uniqueKeysWithValues: partitions.map { ($0, 0) }))
        var first: Double?
        var last = 0.0
        var records = 0
        var quiet = 0
        while quiet < 20 {
            let result = consumer.poll(maxMessages: 1000, timeoutMs: 100)
            quiet = result.messageCount == 0 ? quiet + 1 : 0
            if result.messageCount > 0 {
                last = Measuring.seconds()
                first = first ?? last
            }
            records += result.messageCount
            for batch in result.batches { batch.destroy() }
        }
        consumer.close()
        print(
            "\(records) \(Measuring.format(last - (first ?? last), 3)) \(Measuring.format(Measuring.cpuSeconds(), 3))")
    }

    /// Watches a worker until it has received all spans. Prints the seconds from the last look before the first span to the
    /// look that saw the last, the process's CPU seconds so far and its resident MB.
    static func watch(_ arguments: [String]) throws {
        guard let port = UInt16(arguments[0]), let wanted = Double(arguments[1]) else { return }
        var start: Double?
        let deadline = Measuring.seconds() + 120
        while Measuring.seconds() < deadline {
            // As often as the worker renews its figures. Each look costs it about 2 ms of CPU, which would be counted as its own.
            usleep(200_000)
            let now = Measuring.seconds()
            guard let text = HTTPClient.get(port: port, path: "/metrics") else { continue }
            let spans = sum(text, "tailrace_spans_received_total")
            if spans == 0 { start = now }
            guard spans >= wanted, let start else { continue }
            print(
                "\(Measuring.format(Measuring.seconds() - start, 3)) \(sum(text, "process_cpu_seconds_total")) "
                    + "\(Int(sum(text, "process_resident_memory_bytes") / 1e6))")
            return
        }
        throw NotFinished()
    }

    /// Watches a worker that reads again what one before it had read up to `position` (the sum of offsets), and then catches up to
    /// within `lag` records. Prints the Unix time of the last look before the first record, and the seconds and records from then
    /// to both.
    static func recover(_ arguments: [String]) throws {
        guard let port = UInt16(arguments[0]), let position = Double(arguments[1]), let lag = Double(arguments[2])
        else {
            return
        }
        var (start, begun) = (Measuring.seconds(), Date().timeIntervalSince1970)
        var again: (seconds: Double, records: Double)?
        let deadline = Measuring.seconds() + 300
        while Measuring.seconds() < deadline {
            usleep(100_000)
            let (now, date) = (Measuring.seconds(), Date().timeIntervalSince1970)
            guard let text = HTTPClient.get(port: port, path: "/metrics") else { continue }
            let records = sum(text, "tailrace_records_total")
            if records == 0 { (start, begun) = (now, date) }
            if records == 0 || sum(text, "tailrace_partition_position_offset") < position { continue }
            if again == nil { again = (now - start, records) }
            guard let again, sum(text, "tailrace_partition_lag_records") < lag else { continue }
            let figures = [begun, again.seconds, again.records, now - start, records]
            print(figures.map { Measuring.format($0, 3) }.joined(separator: " "))
            return
        }
        throw NotFinished()
    }

    private struct NotFinished: Error, CustomStringConvertible {
        var description: String { "the worker did not come to the end in time" }
    }

    private static func sum(_ text: String, _ name: String) -> Double {
        text.split(separator: "\n").filter { $0.hasPrefix(name + "{") || $0.hasPrefix(name + " ") }
            .compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }.reduce(0, +)
    }
}
