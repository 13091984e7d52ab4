import DemoTraffic
import Foundation
import Kafka
import OTLP
import TraceModel

/// Kafka → pipeline → segments against the raw drain of the same topic: three steps, each a process of its own.
enum KafkaBenchmarks {
    static func produce(_ arguments: [String]) throws {
        let (brokers, topic, traces) = (arguments[0], arguments[1], Int(arguments[2]) ?? 1000)
        let options = KafkaClientOptions(brokers: brokers)
        try KafkaAdmin(options).createTopicIfMissing(topic, partitions: 4)
        let producer = try KafkaProducer(KafkaProducer.Configuration(client: options))
        var traffic = DemoTraffic(
            DemoTrafficConfiguration(
                seed: 7, tracesPerSecond: 5000, startTime: UInt64(Date().timeIntervalSince1970 * 1e9)))
        while let record = traffic.next(ofFirst: traces) {
            try producer.send(
                topic: topic, key: Array(record.traceID.hex.utf8), value: OTLPEncoder.encode(record.resourceSpans))
        }
        try producer.flush(timeoutMs: 120_000)
        print(traffic.spans)
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

    /// Watches a worker until it has received all spans: seconds from the first to the last, CPU seconds, resident MB.
    static func watch(_ arguments: [String]) throws {
        guard let wanted = Double(arguments[1]), let url = URL(string: "http://127.0.0.1:\(arguments[0])/metrics")
        else {
            return
        }
        var first: (time: Double, spans: Double)?
        let deadline = Measuring.seconds() + 180
        while Measuring.seconds() < deadline {
            usleep(first == nil ? 200_000 : 50_000)
            guard let text = try? String(contentsOf: url, encoding: .utf8) else { continue }
            let spans = sum(text, "tailrace_spans_received_total")
            let now = Measuring.seconds()
            if spans > 0, first == nil { first = (now, spans) }
            guard spans >= wanted, let first else { continue }
            print(
                "\(Measuring.format(now - first.time, 3)) \(Int(spans - first.spans)) "
                    + "\(sum(text, "process_cpu_seconds_total")) \(Int(sum(text, "process_resident_memory_bytes") / 1e6))"
            )
            return
        }
        print("not finished within 180 s")
    }

    private static func sum(_ text: String, _ name: String) -> Double {
        text.split(separator: "\n").filter { $0.hasPrefix(name + "{") || $0.hasPrefix(name + " ") }
            .compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }.reduce(0, +)
    }
}
