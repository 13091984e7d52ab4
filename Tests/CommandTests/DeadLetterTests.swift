import Foundation
import Kafka
import OTLP
import Pipeline
import Storage
import Testing
import TraceModel

/// `tailrace deadletter` over real files and an embedded broker.
struct DeadLetterTests {
    /// A store with three dead letters: one that can be used after all, one that never can, one with a zero trace id.
    private final class Fixture {
        let layout = StoreLayout(root: "/tmp/tailrace-deadletter-\(UInt64.random(in: 0 ... .max))")
        let good = OTLPEncoder.encode([
            ResourceSpans(
                resource: Resource(),
                scopeSpans: [
                    ScopeSpans(
                        scope: InstrumentationScope(),
                        spans: [
                            Span(
                                traceID: TraceID(high: 1, low: 2), spanID: SpanID(3), name: "GET /cart", startTime: 1,
                                endTime: 2)
                        ])
                ])
        ])

        init() throws {
            let sink = DeadLetterSink(
                path: layout.deadLetters + "/host-1-0.jsonl", pipeline: "checkout")
            try sink.write(letter(offset: 7, code: "too_large", payload: good))
            try sink.write(letter(offset: 8, code: "truncated", payload: Array(good.dropLast(3))))
            // A crash between dead letter and manifest writes it again.
            try sink.write(letter(offset: 8, code: "truncated", payload: Array(good.dropLast(3))))
            _ = try sink.seal()?.perform()
        }

        deinit { try? FileManager.default.removeItem(atPath: layout.root) }

        private func letter(offset: Int64, code: String, payload: [UInt8]) -> RejectedRecord {
            RejectedRecord(
                partition: PartitionID(cluster: "c", topic: "otlp_spans", partition: 2), offset: offset, stage: "spans",
                code: code, reason: "because", timestamp: 1_750_000_000_000, key: Array("key".utf8), payload: payload,
                spanCount: 1, configVersion: 0xabc)
        }

        func pipeline(_ broker: EmbeddedBroker) throws -> String {
            let path = layout.root + "/pipeline.yaml"
            let text = """
                pipeline: checkout
                stages:
                  spans: { kind: kafka, topic: otlp_spans, brokers: "\(broker.bootstrapServers)" }
                  out: { kind: discard, from: spans }
                """
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
            return path
        }

        func list(_ options: String...) throws -> [[String: Any]] {
            let answer = try Command(["deadletter", "list", "--store", layout.root, "--format", "json"] + options)
            #expect(answer.code == 0, "\(answer.errors)")
            return try answer.output.split(separator: "\n").map {
                try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] ?? [:]
            }
        }
    }

    @Test("each letter is listed once, with its configuration, and filters choose")
    func lettersAreListed() throws {
        let fixture = try Fixture()
        let letters = try fixture.list()
        #expect(letters.map { $0["offset"] as? Int } == [7, 8])
        #expect(letters.allSatisfy { $0["config_version"] as? String == "00000abc" && $0["cluster"] as? String == "c" })
        #expect(try fixture.list("--reason", "truncated").count == 1)
        #expect(try fixture.list("--topic", "other").isEmpty)
        #expect(try fixture.list("--since", "1h").isEmpty)
        #expect(try fixture.list("--since", "2025-06-01T00:00:00Z").count == 2)
        #expect(try fixture.list("--limit", "1").count == 1)
        let text = try Command("deadletter", "list", "--store", fixture.layout.root)
        #expect(text.output.contains("otlp_spans/2/8"))
        #expect(text.errors.contains("2 dead letters (too_large 1, truncated 1)"))
        #expect(try Command("deadletter", "list", "--since", "soon").code == 2)
    }

    @Test("a letter is shown up to where it breaks, and its bytes come out untouched")
    func lettersAreShown() throws {
        let fixture = try Fixture()
        let shown = try Command("deadletter", "show", "otlp_spans/2/8", "--store", fixture.layout.root)
        #expect(shown.code == 0, "\(shown.errors)")
        #expect(shown.output.contains("truncated"))
        #expect(shown.output.contains("stage spans of pipeline checkout, configuration 00000abc"))
        #expect(shown.output.contains("Here it breaks, at byte 0: resource_spans: says it has"))
        let whole = try Command("deadletter", "show", "otlp_spans/2/7", "--store", fixture.layout.root)
        #expect(whole.output.contains(#"name: "GET /cart""#))
        let id = try #require(try fixture.list("--reason", "too_large").first?["id"] as? String)
        let raw = try Command("deadletter", "show", String(id.prefix(8)), "--raw", "--store", fixture.layout.root)
        #expect(raw.output.utf8.count >= fixture.good.count)
        #expect(try Command("deadletter", "show", "nothing", "--store", fixture.layout.root).code == 1)
    }

    @Test("what a retry sends leaves the list; what fails again stays, with its count")
    func lettersAreRetried() throws {
        let fixture = try Fixture()
        let broker = try EmbeddedBroker(defaultPartitions: 4)
        defer { broker.close() }
        try broker.createTopic("otlp_spans", partitions: 4)
        let pipeline = try fixture.pipeline(broker)
        let store = ["--store", fixture.layout.root]
        let dry = try Command(["deadletter", "retry", "--all", "--dry-run", "--pipeline", pipeline] + store)
        #expect(dry.code == 0, "\(dry.errors)")
        #expect(dry.errors.contains("1 would be sent, 1 would fail again; nothing was changed"))
        #expect(try fixture.list().count == 2)

        for attempt in 1...2 {
            let retry = try Command(["deadletter", "retry", "--all", "--pipeline", pipeline] + store)
            #expect(retry.code == 1, "\(retry.errors)")
            #expect(retry.errors.contains("\(attempt == 1 ? 1 : 0) sent and off the list, 1 failed and still on it"))
            let left = try fixture.list()
            #expect(left.count == 1)
            #expect(left.first?["offset"] as? Int == 8)
            #expect(left.first?["failed_retries"] as? Int == attempt)
        }
        #expect(try fixture.list("--all").count == 2)
        // Once, with the untouched bytes, in the partition it came from.
        let admin = try KafkaAdmin(KafkaClientOptions(brokers: broker.bootstrapServers))
        let ends = try admin.endOffsets(topic: "otlp_spans")
        #expect(ends[KafkaPartition(topic: "otlp_spans", partition: 2)] == 1)
        #expect(ends.values.reduce(0, +) == 1)
    }

    @Test("a retry that dies before its journal is durable tries again; a torn journal line costs nothing else")
    func theJournalSurvivesACrash() throws {
        let fixture = try Fixture()
        let id = try #require(try fixture.list().first?["id"] as? String)
        let journal = try #require(try RetryJournal.open(layout: fixture.layout))
        #expect(try RetryJournal.open(layout: fixture.layout) == nil)
        try journal.append([.init(id: id, isSent: true, note: "t/0/0", time: 1)])
        let path = fixture.layout.retries + "/journal.jsonl"
        let handle = try #require(FileHandle(forWritingAtPath: path))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data(#"{"id":"torn","outc"#.utf8))
        try handle.close()
        #expect(try RetryJournal.read(layout: fixture.layout).states.keys.sorted() == [id])
        #expect(try fixture.list().count == 1)
    }

    @Test("a dead-letter topic is listed and retried as files are")
    func topicsAreListedAndRetried() throws {
        let fixture = try Fixture()
        let broker = try EmbeddedBroker(defaultPartitions: 2)
        defer { broker.close() }
        try broker.createTopic("dead", partitions: 2)
        let producer = try KafkaProducer(
            KafkaProducer.Configuration(client: KafkaClientOptions(brokers: broker.bootstrapServers)))
        for offset in 0..<5 {
            try producer.send(
                topic: "dead", key: Array("k\(offset)".utf8), value: fixture.good,
                headers: [
                    ("tailrace.code", Array("too_large".utf8)), ("tailrace.topic", Array("otlp_spans".utf8)),
                    ("tailrace.partition", Array("1".utf8)), ("tailrace.offset", Array("\(offset)".utf8)),
                ].map { (key: $0.0, value: $0.1) })
        }
        try producer.send(topic: "dead", key: Array("x".utf8), value: Array("not ours".utf8))
        try producer.flush(timeoutMs: 10_000)
        producer.close()
        let place = [
            "--dead-letter-topic", "dead", "--brokers", broker.bootstrapServers, "--store", fixture.layout.root,
        ]
        let listed = try Command(["deadletter", "list", "--format", "json"] + place)
        #expect(listed.code == 0, "\(listed.errors)")
        #expect(listed.output.split(separator: "\n").count == 5)
        #expect(listed.errors.contains("1 entry is no dead letter"))
        let retried = try Command(["deadletter", "retry", "otlp_spans/1/3", "--to-topic", "inspect"] + place)
        #expect(retried.code == 0, "\(retried.errors)")
        #expect(
            try Command(["deadletter", "list", "--format", "json"] + place).output.split(separator: "\n").count == 4)
    }
}
