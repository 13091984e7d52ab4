import Kafka
import OTLP
import Pipeline
import Storage
import Synchronization
import TraceModel

/// Writes to a topic. Messages are sent at the flush and count once every one is acknowledged: at least once, with the
/// source's position in a header as idempotency key.
final class KafkaSink: Sink {
    struct Message: Sendable {
        var key: [UInt8]
        var value: [UInt8]
        var headers: [(key: String, value: [UInt8])]
    }

    private let producer: KafkaProducer
    private let topic: String
    private let pipeline: String
    private var messages: [Message] = []
    private(set) var bufferedBytes = 0

    init(producer: KafkaProducer, topic: String, pipeline: String) {
        self.producer = producer
        self.topic = topic
        self.pipeline = pipeline
    }

    /// A record has one key, so it holds spans of one trace.
    var spanGrouping: SpanGrouping { .trace(maximumBytes: .max) }

    func write(_ trace: KeptTrace) {
        append(key: Array(trace.summary.traceID.hex.utf8), value: trace.payload)
    }

    func write(_ spans: SpanPayload) {
        append(
            key: Array(spans.traceID.hex.utf8), value: spans.payload,
            source: "\(spans.partition)-\(spans.offset)")
    }

    func write(_ dropped: DroppedTrace) {
        append(key: Array(dropped.summary.traceID.hex.utf8), value: JSONLines.summary(dropped).dropLast())
    }

    /// A dead letter keeps its key and bytes; the reason travels in headers.
    func write(_ rejected: RejectedRecord) {
        messages.append(
            Message(
                key: rejected.key, value: rejected.payload,
                headers: DeadLetterHeaders.make(rejected, pipeline: pipeline)))
        bufferedBytes += rejected.payload.count + 256
    }

    private func append(key: [UInt8], value: some Collection<UInt8>, source: String? = nil) {
        let headers = source.map { [("tailrace.source", Array($0.utf8))] } ?? []
        messages.append(Message(key: key, value: Array(value), headers: headers.map { (key: $0.0, value: $0.1) }))
        bufferedBytes += value.count + 64
    }

    func seal() -> (any SinkFlush)? {
        guard !messages.isEmpty else { return nil }
        defer {
            messages = []
            bufferedBytes = 0
        }
        return Flush(messages: messages, producer: producer, topic: topic)
    }

    private final class Flush: SinkFlush {
        private let messages: [Message]
        private let producer: KafkaProducer
        private let topic: String
        private let isDone = Mutex(false)

        init(messages: [Message], producer: KafkaProducer, topic: String) {
            self.messages = messages
            self.producer = producer
            self.topic = topic
        }

        func perform() throws -> [SegmentReference] {
            try isDone.withLock { isDone in
                if isDone { return }
                for message in messages {
                    try producer.send(
                        topic: topic, key: message.key.isEmpty ? nil : message.key, value: message.value,
                        headers: message.headers)
                }
                try producer.flush(timeoutMs: 60_000)
                isDone = true
            }
            return []
        }
    }
}
