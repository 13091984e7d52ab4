import BrokerTestSupport
import Kafka
import OTLP
import Synchronization
import TraceModel

/// Writes traces of four spans in two records each, and knows what it wrote.
final class TraceProducer: Sendable {
    static let spansPerTrace = 4

    private let producer: KafkaProducer
    private let topic: String
    private let written = Mutex<[TraceID: Bool]>([:])
    private let next = Atomic<UInt64>(1)
    private let sent = Atomic<Int>(0)

    init(brokers: String, topic: String) throws {
        producer = try KafkaProducer(KafkaProducer.Configuration(client: KafkaClientOptions(brokers: brokers)))
        self.topic = topic
    }

    /// Every trace, and whether it has an error.
    var traces: [TraceID: Bool] { written.withLock { $0 } }

    /// Records written so far; the offsets of all partitions add up to it.
    var recordCount: Int { sent.load(ordering: .relaxed) }

    /// Writes `count` traces; every fifth has an error. Returns when the broker has them.
    func write(_ count: Int) throws {
        for _ in 0..<count {
            let number = next.wrappingAdd(1, ordering: .relaxed).oldValue
            let id = TraceID(high: 0x7261_6365_7261_6365 &+ number, low: number &* 0x9e37_79b9_7f4a_7c15 | 1)
            let hasError = number % 5 == 0
            written.withLock { $0[id] = hasError }
            try send(id, spans: 1...2, hasError: false)
            try send(id, spans: 3...4, hasError: hasError)
        }
        try producer.flush(timeoutMs: 30_000)
    }

    private func send(_ id: TraceID, spans: ClosedRange<UInt64>, hasError: Bool) throws {
        let now = UInt64(nowMs()) * 1_000_000
        let list = spans.map { number in
            Span(
                traceID: id, spanID: SpanID(number), parentSpanID: SpanID(number == 1 ? 0 : 1),
                name: "operation \(number)",
                kind: .server, startTime: now, endTime: now + 1_000_000,
                status: SpanStatus(code: hasError && number == 4 ? .error : .unset))
        }
        let request = [
            ResourceSpans(
                resource: Resource(attributes: [Attribute("service.name", .string("shop"))]),
                scopeSpans: [ScopeSpans(scope: InstrumentationScope(name: "test"), spans: list)])
        ]
        sent.add(1, ordering: .relaxed)
        try producer.send(topic: topic, key: Array(id.hex.utf8), value: OTLPEncoder.encode(request))
    }

    /// A record that is no OTLP.
    func writeGarbage() throws {
        sent.add(1, ordering: .relaxed)
        try producer.send(topic: topic, key: nil, value: Array("this is no trace".utf8))
        try producer.flush(timeoutMs: 30_000)
    }
}
