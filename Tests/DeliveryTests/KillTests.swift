import BrokerTestSupport
import Foundation
import Kafka
import Pipeline
import Testing

/// Real processes on real brokers: the promise of spec/delivery.md as a user would test it.
@Suite("Killed workers", .serialized)
struct KillTests {
    @Test("kill -9 during load loses and doubles nothing (embedded broker)")
    func embedded() throws {
        let broker = try EmbeddedBroker(defaultPartitions: 4)
        defer { broker.close() }
        // The embedded broker is this process: its cluster id does not change while the workers come and go.
        try run(brokers: broker.bootstrapServers, topic: "otlp_spans", kills: 3)
    }

    @Test("kill -9 during load loses and doubles nothing (separate broker)")
    func separate() throws {
        guard let broker = RealBroker.shared else { return }
        let topic = "kill-\(UInt32.random(in: 0 ... .max))"
        try KafkaAdmin(KafkaClientOptions(brokers: broker.bootstrapServers)).createTopicIfMissing(topic, partitions: 4)
        try run(brokers: broker.bootstrapServers, topic: topic, kills: 1)
    }

    private func run(brokers: String, topic: String, kills: Int) throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("moments of the kills follow seed \(seed)")
        var moments = SplitMix(seed: seed)
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("tailrace-kill-\(seed)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try Self.pipeline(brokers: brokers, topic: topic)
            .write(to: folder.appendingPathComponent("pipeline.yaml"), atomically: true, encoding: .utf8)
        let producer = try TraceProducer(brokers: brokers, topic: topic)

        var worker = try WorkerProcess(folder: folder, number: 0)
        try producer.writeGarbage()
        for number in 1...kills {
            // The worker is at work when it dies: something was decided, and something is still open.
            let goal = 50 + moments.next() % 200
            let works = try eventually(within: 90_000) {
                try producer.write(5)
                return (worker.metric("tailrace_spans_kept_total") ?? 0) >= Double(goal)
            }
            #expect(works, "worker \(number - 1) keeps nothing: \(worker.logText)")
            worker.kill()
            try producer.write(50)
            worker = try WorkerProcess(folder: folder, number: number)
        }
        try producer.write(200)
        let isDone = eventually(within: 120_000) {
            worker.metric("tailrace_partition_watermark_offset") == Double(producer.recordCount)
                && (worker.metric("tailrace_ledger_imbalance_spans") ?? 1) == 0
        }
        #expect(isDone, "not everything was decided: \(worker.logText)")
        #expect(worker.terminate() == 0)

        let cluster = try KafkaAdmin(KafkaClientOptions(brokers: brokers)).clusterID() ?? ""
        let partitions = (0..<4).map { PartitionID(cluster: cluster, topic: topic, partition: Int32($0)) }
        let audit = try StoreAudit(store: folder.appendingPathComponent("store").path, partitions: partitions)
        let discrepancies = audit.discrepancies(written: producer.traces)
        #expect(discrepancies.isEmpty, "\(discrepancies.count) of \(producer.traces.count): \(discrepancies.prefix(5))")
        #expect(audit.deadLetters == 1)
        #expect(
            audit.stored.count < producer.traces.count, "nothing was dropped: the test would not see a doubled drop")
    }

    /// Short windows, so that the test is short; the errors and half of the rest are kept.
    private static func pipeline(brokers: String, topic: String) -> String {
        """
        pipeline: kill
        stages:
          spans: { kind: kafka, brokers: "\(brokers)", topic: \(topic), group: kill-\(topic), session_timeout: 6s }
          sample:
            kind: tail_sampler
            from: spans
            window: { max: 4s, settle: 1s, idle: 2s, tick: 100ms }
            policies:
              - { name: errors, type: status_code, status_code: { status_codes: [ERROR] } }
              - { name: half, type: probabilistic, probabilistic: { sampling_percentage: 50 } }
          store: { kind: segments, from: sample, flush_interval: 200ms }
        """
    }
}

/// A small seeded generator.
struct SplitMix {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}
