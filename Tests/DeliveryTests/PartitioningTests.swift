import BrokerTestSupport
import Foundation
import Kafka
import OTLP
import Pipeline
import Testing
import TraceModel

/// Topics whose producers do not key by trace id.
@Suite("Topics that are not keyed by trace id", .serialized)
struct PartitioningTests {
    @Test(
        "a worker says which producer setting is missing, in its log, /readyz and metrics, and goes on (embedded broker)"
    )
    func reported() throws {
        let broker = try EmbeddedBroker(defaultPartitions: 4)
        defer { broker.close() }
        try broker.createTopic("otlp_spans", partitions: 4)
        try reported(brokers: broker.bootstrapServers, topic: "otlp_spans")
    }

    @Test(
        "a worker says which producer setting is missing, in its log, /readyz and metrics, and goes on (separate broker)"
    )
    func reportedBySeparateBroker() throws {
        guard let broker = RealBroker.shared else { return }
        let topic = "unkeyed-\(UInt32.random(in: 0 ... .max))"
        try KafkaAdmin(KafkaClientOptions(brokers: broker.bootstrapServers)).createTopicIfMissing(topic, partitions: 4)
        try reported(brokers: broker.bootstrapServers, topic: topic)
    }

    private func reported(brokers: String, topic: String) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "tailrace-keys-\(UInt64.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try """
        pipeline: keys
        stages:
          spans: { kind: kafka, brokers: "\(brokers)", topic: \(topic), group: keys-\(topic), session_timeout: 6s }
          sample:
            kind: tail_sampler
            from: spans
            window: { max: 4s, settle: 1s, idle: 2s, tick: 100ms }
            policies: [{ name: all, type: always_sample }]
          store: { kind: segments, from: sample, flush_interval: 200ms }
        """.write(to: folder.appendingPathComponent("pipeline.yaml"), atomically: true, encoding: .utf8)
        let producer = try UnkeyedProducer(brokers: brokers, topic: topic, partitions: 4)
        // One in 64 traces is looked at.
        for number: UInt64 in 1...2000 {
            try producer.send(trace: number, spans: 1...2, to: Int32(number % 4), at: WallClock.now())
            try producer.send(trace: number, spans: 3...4, to: Int32((number + 1) % 4), at: WallClock.now())
        }
        try producer.flush()
        let worker = try WorkerProcess(folder: folder, number: 0)
        let isCounted = eventually(within: 60_000) {
            (worker.metric("tailrace_partitioning_split_traces_total") ?? 0) > 5
                && (worker.metric("tailrace_spans_kept_total") ?? 0) == 8000
        }
        #expect(isCounted, "\(worker.logText)")
        let ready = try #require(worker.text("/readyz"))
        #expect(ready.contains("degraded"))
        #expect(ready.contains("partition_traces_by_id: true"))
        #expect(worker.logText.components(separatedBy: "is not keyed by trace id").count == 2, "warned once")
        #expect(worker.terminate() == 0)
    }
}

/// Writes spans to chosen partitions, as a producer does that does not key by trace id.
struct UnkeyedProducer {
    private let producer: KafkaProducer
    private let topic: String

    init(brokers: String, topic: String, partitions: Int) throws {
        producer = try KafkaProducer(KafkaProducer.Configuration(client: KafkaClientOptions(brokers: brokers)))
        self.topic = topic
    }

    static func id(_ number: UInt64) -> TraceID {
        TraceID(high: 0x756e_6b65_7965_6400 &+ number, low: number &* 0x9e37_79b9_7f4a_7c15 | 1)
    }

    static func request(_ traces: [(trace: UInt64, spans: ClosedRange<UInt64>, hasError: Bool)]) -> [ResourceSpans] {
        let spans = traces.flatMap { trace, numbers, hasError in
            numbers.map { number in
                Span(
                    traceID: id(trace), spanID: SpanID(trace &* 1000 &+ number),
                    parentSpanID: SpanID(number == 1 ? 0 : trace &* 1000 &+ 1), name: "operation \(number)",
                    kind: .server, startTime: 1_000_000 * trace, endTime: 1_000_000 * trace + 1000,
                    status: SpanStatus(code: hasError ? .error : .unset))
            }
        }
        return [
            ResourceSpans(
                resource: Resource(attributes: [Attribute("service.name", .string("shop"))]),
                scopeSpans: [ScopeSpans(scope: InstrumentationScope(name: "test"), spans: spans)])
        ]
    }

    func send(trace: UInt64, spans: ClosedRange<UInt64>, to partition: Int32, at timestamp: Int64) throws {
        try send([(trace, spans, false)], to: partition, at: timestamp)
    }

    /// One record with spans of several traces.
    func send(
        _ traces: [(trace: UInt64, spans: ClosedRange<UInt64>, hasError: Bool)], to partition: Int32,
        at timestamp: Int64
    ) throws {
        try producer.send(
            topic: topic, partition: partition, key: nil, value: OTLPEncoder.encode(Self.request(traces)),
            timestampMs: timestamp)
    }

    func sendGarbage(to partition: Int32, at timestamp: Int64) throws {
        try producer.send(
            topic: topic, partition: partition, key: nil, value: Array("this is no trace".utf8), timestampMs: timestamp)
    }

    func flush() throws { try producer.flush(timeoutMs: 30_000) }
}
