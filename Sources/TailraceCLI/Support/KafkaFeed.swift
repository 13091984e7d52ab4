import DemoTraffic
import Kafka
import OTLP
import Pipeline
import Synchronization
import TraceModel

/// Writes spans to a topic, keyed by trace id, so that all spans of a trace are in one partition.
final class KafkaFeed: Sendable {
    private let producer: KafkaProducer
    private let topic: String

    init(brokers: String, topic: String, partitions: Int?) throws {
        self.topic = topic
        do {
            if let partitions {
                try KafkaAdmin(KafkaClientOptions(brokers: brokers)).createTopicIfMissing(topic, partitions: partitions)
            }
            var configuration = KafkaProducer.Configuration(client: KafkaClientOptions(brokers: brokers))
            configuration.compression = "lz4"
            configuration.maxMessageBytes = 64 << 20
            producer = try KafkaProducer(configuration)
        } catch {
            throw CommandFailure("cannot write to \(topic) at \(brokers): \(error)")
        }
    }

    /// - Parameter timestamp: milliseconds since the Unix epoch; the present where nil.
    func send(traceID: TraceID, payload: [UInt8], timestamp: Int64? = nil) throws {
        try producer.send(
            topic: topic, key: Array(traceID.hex.utf8), value: payload, timestampMs: timestamp ?? WallClock.now())
    }

    /// Waits until everything is acknowledged.
    func finish() throws {
        do {
            try producer.flush(timeoutMs: 60_000)
        } catch {
            throw CommandFailure("not everything reached \(topic): \(error)")
        }
        producer.close()
    }
}

/// Splits a request by trace: one request per trace id, so that each can be a record with its own key.
enum TraceSplitter {
    static func split(_ request: [ResourceSpans]) -> [(traceID: TraceID, request: [ResourceSpans])] {
        var order: [TraceID] = []
        var byTrace: [TraceID: [ResourceSpans]] = [:]
        for resourceSpans in request {
            for scopeSpans in resourceSpans.scopeSpans {
                for (traceID, spans) in group(scopeSpans.spans) {
                    if byTrace[traceID] == nil { order.append(traceID) }
                    byTrace[traceID, default: []].append(
                        ResourceSpans(
                            resource: resourceSpans.resource,
                            scopeSpans: [
                                ScopeSpans(scope: scopeSpans.scope, spans: spans, schemaURL: scopeSpans.schemaURL)
                            ], schemaURL: resourceSpans.schemaURL))
                }
            }
        }
        return order.map { ($0, byTrace[$0] ?? []) }
    }

    private static func group(_ spans: [Span]) -> [(TraceID, [Span])] {
        var order: [TraceID] = []
        var groups: [TraceID: [Span]] = [:]
        for span in spans {
            if groups[span.traceID] == nil { order.append(span.traceID) }
            groups[span.traceID, default: []].append(span)
        }
        return order.map { ($0, groups[$0] ?? []) }
    }
}
