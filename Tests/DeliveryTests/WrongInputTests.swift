import BrokerTestSupport
import Foundation
import Kafka
import OTLP
import Pipeline
import Storage
import Testing
import TraceModel

/// A worker process that is fed what no producer should write: everything wrong is set aside with its reason, everything
/// right around it is stored.
@Suite("Wrong input", .serialized)
struct WrongInputTests {
    @Test(
        "every kind of wrong input is counted and dead-lettered with its reason, and the pipeline goes on (embedded broker)"
    )
    func embedded() throws {
        let broker = try EmbeddedBroker(defaultPartitions: 1)
        defer { broker.close() }
        // It keeps no record above about 5 MB.
        try run(brokers: broker.bootstrapServers, topic: "otlp_spans", largest: 4_000_000)
    }

    @Test(
        "every kind of wrong input is counted and dead-lettered with its reason, and the pipeline goes on (separate broker)"
    )
    func separate() throws {
        guard let broker = RealBroker.shared else { return }
        let topic = "wrong-\(UInt32.random(in: 0 ... .max))"
        try KafkaAdmin(KafkaClientOptions(brokers: broker.bootstrapServers)).createTopicIfMissing(topic, partitions: 1)
        try run(brokers: broker.bootstrapServers, topic: topic, largest: 50_000_000)
    }

    private func run(brokers: String, topic: String, largest: Int) throws {
        let inputs = WrongInput.all(largest: largest)
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("tailrace-wrong-\(UInt32.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try Self.pipeline(brokers: brokers, topic: topic)
            .write(to: folder.appendingPathComponent("pipeline.yaml"), atomically: true, encoding: .utf8)
        let worker = try WorkerProcess(folder: folder, number: 0)
        var configuration = KafkaProducer.Configuration(client: KafkaClientOptions(brokers: brokers))
        configuration.maxMessageBytes = 60_000_000
        let producer = try KafkaProducer(configuration)

        var expected: [String: [UInt8]] = [:]
        var received = 0.0
        for (number, input) in inputs.enumerated() {
            expected[input.code] = input.payload
            let good = OTLPEncoder.encode(WrongInput.request(trace: UInt64(1000 + number)))
            for payload in [good, input.payload] {
                try producer.send(topic: topic, key: Array("one".utf8), value: payload)
                received += 1
                // One at a time: in the embedded broker the large record pushes out what was not read yet.
                try producer.flush(timeoutMs: 60_000)
                let isRead = eventually(within: 60_000) {
                    (worker.metric("tailrace_spans_received_total") ?? 0) >= received
                }
                try #require(isRead, "\(input.code): the worker went no further: \(worker.logText.suffix(2000))")
            }
        }
        // The same span twice, as a retrying exporter sends it.
        let twice = OTLPEncoder.encode(WrongInput.request(trace: 2000))
        try producer.send(topic: topic, key: Array("one".utf8), value: twice)
        try producer.send(topic: topic, key: Array("one".utf8), value: twice)
        try producer.flush(timeoutMs: 30_000)
        let isDone = eventually(within: 60_000) {
            worker.metric("tailrace_spans_received_total") == received + 2
                && worker.metric("tailrace_spans_in_window") == 0
                && worker.metric("tailrace_ledger_imbalance_spans") == 0
        }
        #expect(isDone, "\(worker.logText.suffix(2000))")
        #expect(worker.metric("tailrace_spans_rejected_total") == Double(inputs.count))
        #expect(worker.metric("tailrace_spans_duplicate_total") == 1)
        #expect(worker.terminate() == 0)

        let letters = try deadLetters(
            URL(fileURLWithPath: StoreLayout(root: folder.appendingPathComponent("store").path).deadLetters))
        #expect(letters.map(\.code).sorted() == inputs.map(\.code).sorted())
        for letter in letters where WrongInput.wholeRecords.contains(letter.code) {
            #expect(letter.payload == expected[letter.code], "the bytes of \(letter.code) were changed")
        }
        let cluster = try KafkaAdmin(KafkaClientOptions(brokers: brokers)).clusterID() ?? ""
        let audit = try StoreAudit(
            store: folder.appendingPathComponent("store").path,
            partitions: [PartitionID(cluster: cluster, topic: topic, partition: 0)])
        #expect(audit.problems.isEmpty)
        // Each good trace whole and once: those around the wrong ones and the one sent twice.
        #expect(audit.stored.count == inputs.count + 1)
        #expect(audit.stored.values.allSatisfy { $0.values.allSatisfy { $0 == 1 } })
    }

    private func deadLetters(_ folder: URL) throws -> [(code: String, payload: [UInt8])] {
        try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil).flatMap { file in
            try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map { line in
                let letter = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
                let payload = Data(base64Encoded: letter["payload"] as? String ?? "") ?? Data()
                return (letter["code"] as? String ?? "", Array(payload))
            }
        }
    }

    private static func pipeline(brokers: String, topic: String) -> String {
        """
        pipeline: wrong
        stages:
          spans:
            { kind: kafka, brokers: "\(brokers)", topic: \(topic), group: wrong-\(topic), session_timeout: 6s, max_record_bytes: 1MiB,
              options: { receive.message.max.bytes: "200000000" } }
          sample:
            kind: tail_sampler
            from: spans
            window: { max: 2s, settle: 500ms, idle: 1s, tick: 100ms }
            policies:
              - { name: all, type: always_sample }
          store: { kind: segments, from: sample, flush_interval: 200ms }
        """
    }
}

/// Records that are wrong in one way each, with the reason's name in metrics and dead letters.
enum WrongInput {
    /// - Parameter largest: about the bytes of the record that is too large.
    static func all(largest: Int) -> [(code: String, payload: [UInt8])] {
        [
            ("unbalanced_group", Array("this is no trace".utf8)),
            ("length_past_end", Array(OTLPEncoder.encode(request(trace: 1)).dropLast(7))),
            ("too_large", OTLPEncoder.encode(request(trace: 2, attribute: String(repeating: "x", count: largest)))),
            ("zero_trace_id", OTLPEncoder.encode(request(trace: 0))),
            ("zero_span_id", OTLPEncoder.encode(request(trace: 3, span: 0))),
            ("end_before_start", OTLPEncoder.encode(request(trace: 4, duration: -1))),
            ("invalid_utf8", replacing("operation", in: OTLPEncoder.encode(request(trace: 5)), by: 0xff)),
            ("empty", []),
        ]
    }

    /// Dead-lettered as they came; the others are single spans of a record.
    static let wholeRecords: Set<String> = [
        "unbalanced_group", "length_past_end", "too_large", "invalid_utf8", "empty",
    ]

    static func request(
        trace: UInt64, span: UInt64 = 1, duration: Int64 = 1_000_000, attribute: String = "x"
    ) -> [ResourceSpans] {
        let start: UInt64 = 1_700_000_000_000_000_000
        let span = Span(
            traceID: TraceID(high: 0, low: trace), spanID: SpanID(span), parentSpanID: SpanID(0), name: "operation",
            kind: .server, startTime: start, endTime: start.advanced(by: Int(duration)),
            attributes: [Attribute("note", .string(attribute))])
        return [
            ResourceSpans(
                resource: Resource(attributes: [Attribute("service.name", .string("shop"))]),
                scopeSpans: [ScopeSpans(scope: InstrumentationScope(name: "test"), spans: [span])])
        ]
    }

    /// The bytes with the first byte of the first occurrence of `text` replaced.
    private static func replacing(_ text: String, in bytes: [UInt8], by byte: UInt8) -> [UInt8] {
        var bytes = bytes
        let wanted = Array(text.utf8)
        let place = bytes.indices.first { bytes[$0...].starts(with: wanted) }
        if let place { bytes[place] = byte }
        return bytes
    }
}
