import BrokerTestSupport
import Foundation
import Kafka
import Pipeline
import Testing
import TraceModel

/// The real program on a backlog that is not keyed by trace id: partitions filled 1 : 1.84, traces spread over all of them.
@Suite("A backlog that is repartitioned", .serialized)
struct RepartitionTests {
    private static let weights = [1.0, 1.2, 1.5, 1.84]

    @Test("keeps every error trace whole, and every span once (embedded broker)")
    func embedded() throws {
        let broker = try embeddedBroker()
        defer { broker.close() }
        try run(brokers: broker.bootstrapServers, topic: "otlp_spans", workers: 1, kills: 0)
    }

    @Test("keeps every error trace whole with two workers, one of which is killed (embedded broker)")
    func killed() throws {
        let broker = try embeddedBroker()
        defer { broker.close() }
        try run(brokers: broker.bootstrapServers, topic: "otlp_spans", workers: 2, kills: 1)
    }

    @Test("keeps every error trace whole, and every span once, when partitions wait for each other (embedded broker)")
    func aligned() throws {
        let broker = try embeddedBroker()
        defer { broker.close() }
        // 8,000 records per partition: 40 s of record time come with one poll, and 10 s may be read ahead.
        try run(brokers: broker.bootstrapServers, topic: "otlp_spans", workers: 2, kills: 0, traces: 12_000, batch: 40)
    }

    @Test("keeps every error trace whole, and every span once, through a topic that it makes (separate broker)")
    func separate() throws {
        guard let broker = RealBroker.shared else { return }
        let topic = "repartition-\(UInt32.random(in: 0 ... .max))"
        let admin = try KafkaAdmin(KafkaClientOptions(brokers: broker.bootstrapServers))
        try admin.createTopicIfMissing(topic, partitions: 4)
        try run(brokers: broker.bootstrapServers, topic: topic, workers: 1, kills: 0)
        #expect(try admin.topic(topic + ".by-trace").partitionCount == 4)
    }

    /// It has no request for making topics.
    private func embeddedBroker() throws -> EmbeddedBroker {
        let broker = try EmbeddedBroker(defaultPartitions: 4)
        try broker.createTopic("otlp_spans", partitions: 4)
        try broker.createTopic("otlp_spans.by-trace", partitions: 4)
        return broker
    }

    /// - Parameter batch: milliseconds of spans that come in one record.
    private func run(
        brokers: String, topic: String, workers: Int, kills: Int, traces: UInt64 = 600, batch: Int64 = 1000
    ) throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("the backlog follows seed \(seed)")
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("tailrace-repartition-\(seed)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try Self.pipeline(brokers: brokers, topic: topic)
            .write(to: folder.appendingPathComponent("pipeline.yaml"), atomically: true, encoding: .utf8)
        let errorTraces = try fill(brokers: brokers, topic: topic, seed: seed, traces: traces, batch: batch)

        var running = try (0..<workers).map { try WorkerProcess(folder: folder, number: $0) }
        let store = folder.appendingPathComponent("store").path
        for kill in 0..<kills {
            let works = eventually(within: 90_000) {
                running.reduce(0) { $0 + ($1.metric("tailrace_spans_forwarded_total") ?? 0) } > 0
            }
            #expect(works, "\(running.map(\.logText))")
            running.removeFirst().kill()
            running.append(try WorkerProcess(folder: folder, number: workers + kill))
        }
        var missing = ["not looked at"]
        var nextLook = nowMs()
        let isDone = try eventually(within: 150_000) {
            guard nowMs() >= nextLook else { return false }
            nextLook = nowMs() + 1000
            guard running.allSatisfy({ ($0.metric("tailrace_spans_in_window") ?? 1) == 0 }) else { return false }
            missing = Self.missing(errorTraces, in: try StoreAudit(store: store, partitions: []))
            return missing.isEmpty
        }
        #expect(isDone, "\(missing.count) of \(errorTraces.count): \(missing.prefix(5)) \(running.map(\.logText))")
        for worker in running {
            #expect((worker.metric("tailrace_ledger_imbalance_spans") ?? 1) == 0)
            #expect(worker.terminate() == 0)
        }
        let audit = try StoreAudit(store: store, partitions: [])
        #expect(Self.missing(errorTraces, in: audit) == [])
        #expect(audit.problems == [])
        // The record that is no trace is set aside by the repartitioning half, once.
        #expect(audit.deadLetters == 1)
        // A crash between the acknowledgement and the manifest sends records again; what comes after the decision is stored
        // beside it, and merged when it is read.
        if kills == 0 {
            let doubled = audit.stored.filter { $0.value.values.contains { $0 > 1 } }
            #expect(doubled.isEmpty, "\(doubled.count)")
        }
    }

    private static func missing(_ traces: Set<UInt64>, in audit: StoreAudit) -> [String] {
        traces.sorted().compactMap { number in
            let stored = Set((audit.stored[UnkeyedProducer.id(number)] ?? [:]).keys.map(\.value))
            let wanted = Set((1...4).map { number &* 1000 &+ $0 })
            return stored == wanted ? nil : "trace \(number) has spans \(stored.sorted())"
        }
    }

    /// Ten minutes ago, over five minutes: returns the traces with an error.
    private func fill(
        brokers: String, topic: String, seed: UInt64, traces: UInt64, batch: Int64
    ) throws -> Set<UInt64> {
        struct Piece {
            var time: Int64
            var spans: (trace: UInt64, spans: ClosedRange<UInt64>, hasError: Bool)
        }
        var random = SplitMix(seed: seed)
        var partitions: [[Piece]] = [[], [], [], []]
        var errorTraces: Set<UInt64> = []
        let start = WallClock.now() - 600_000
        for trace in 1...traces {
            let errorSpan: UInt64 = trace % 5 == 0 ? random.next() % 4 + 1 : 0
            if errorSpan > 0 { errorTraces.insert(trace) }
            for span: UInt64 in 1...4 {
                let time = start + Int64(trace * 300_000 / traces) + Int64(random.next() % 800)
                var place = Double(random.next() % 10_000) / 10_000 * Self.weights.reduce(0, +)
                let partition = Self.weights.firstIndex { weight in
                    place -= weight
                    return place < 0
                }
                partitions[partition ?? 3].append(Piece(time: time, spans: (trace, span...span, span == errorSpan)))
            }
        }
        let producer = try UnkeyedProducer(brokers: brokers, topic: topic, partitions: 4)
        for (number, pieces) in partitions.enumerated() {
            // Batches of several traces, as a Collector sends them.
            let batches = Dictionary(grouping: pieces) { $0.time / batch }
            for (place, pieces) in batches.sorted(by: { $0.key < $1.key }) {
                try producer.send(pieces.map(\.spans), to: Int32(number), at: (place + 1) * batch - 1)
            }
        }
        try producer.sendGarbage(to: 2, at: start + 300_000)
        try producer.flush()
        return errorTraces
    }

    private static func pipeline(brokers: String, topic: String) -> String {
        """
        pipeline: repartitioned
        stages:
          spans:
            { kind: kafka, brokers: "\(brokers)", topic: \(topic), group: repartitioned-\(topic), session_timeout: 6s,
              keyed_by: nothing, max_drift: 10s }
          sample:
            kind: tail_sampler
            from: spans
            window: { max: 8s, settle: 3s, idle: 4s, tick: 100ms }
            policies:
              - { name: errors, type: status_code, status_code: { status_codes: [ERROR] } }
          store: { kind: segments, from: sample, flush_interval: 200ms }
        """
    }
}
