import BrokerTestSupport
import Foundation
import Kafka
import Synchronization
import Testing

/// The real program: two workers that share a budget through a topic of the embedded broker.
@Suite("Workers that share a budget", .serialized)
struct FleetBudgetTests {
    private static let rate = 100.0

    @Test("hold it together, and one of them alone when the other is killed")
    func killed() throws {
        let broker = try EmbeddedBroker(defaultPartitions: 4)
        defer { broker.close() }
        try broker.createTopic("otlp_spans", partitions: 4)
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "tailrace-fleet-\(UInt32.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try Self.pipeline(broker.bootstrapServers)
            .write(to: folder.appendingPathComponent("pipeline.yaml"), atomically: true, encoding: .utf8)

        // 400 spans per second, four times the budget.
        let producer = try TraceProducer(brokers: broker.bootstrapServers, topic: "otlp_spans")
        let isDone = Atomic(false)
        let thread = Thread {
            while !isDone.load(ordering: .relaxed) {
                try? producer.write(10)
                Thread.sleep(forTimeInterval: 0.1)
            }
        }
        thread.start()
        defer { isDone.store(true, ordering: .relaxed) }

        let first = try WorkerProcess(folder: folder, number: 0)
        let second = try WorkerProcess(folder: folder, number: 1)
        func share(_ worker: WorkerProcess) -> Double { worker.metric("tailrace_budget_share") ?? 0 }
        func members(_ worker: WorkerProcess) -> Double { worker.metric("tailrace_budget_fleet_members") ?? 0 }
        let isShared = eventually(within: 60_000) {
            members(first) == 2 && members(second) == 2 && share(first) > 0.2 && share(second) > 0.2
                && abs(share(first) + share(second) - 1) < 0.05
        }
        #expect(isShared, "\(share(first)) and \(share(second))\n\(first.logText)\n\(second.logText)")
        let used = { (worker: WorkerProcess) in worker.metric("tailrace_budget_used_total") ?? 0 }
        // The budget is per second of stream time: workers that catch up spend more in a second of the clock.
        let isCaughtUp = eventually(within: 60_000) {
            [first, second].allSatisfy { worker in
                (worker.samples("tailrace_partition_stream_time_lag_seconds") ?? []).allSatisfy { $0 < 1.5 }
            }
        }
        #expect(isCaughtUp)
        let before = used(first) + used(second)
        let beganAt = nowMs()
        let isMeasured = eventually(within: 60_000) { used(first) + used(second) - before >= 12 * Self.rate }
        let seconds = Double(nowMs() - beganAt) / 1000
        #expect(isMeasured)
        // Twelve but for the lag and the seconds' steps of metrics; six with twice the budget.
        #expect(seconds > 8, "1200 spans were kept within \(seconds) s")

        second.kill()
        let isAlone = eventually(within: 60_000) { members(first) == 1 && share(first) > 0.99 }
        #expect(isAlone, "\(share(first))\n\(first.logText)")
        #expect(first.metric("tailrace_budget_fleet_stale") == 0)
        #expect((first.metric("tailrace_budget_fleet_expired_total") ?? 0) >= 1)
        #expect(first.terminate() == 0)
    }

    private static func pipeline(_ brokers: String) -> String {
        """
        pipeline: shared-budget
        stages:
          spans: { kind: kafka, brokers: "\(brokers)", topic: otlp_spans, group: shared-budget, session_timeout: 6s }
          sample:
            kind: tail_sampler
            from: spans
            window: { max: 2s, settle: 500ms, idle: 1s, tick: 500ms }
            policies:
              - { name: rest, type: budget, rate: \(Int(rate)) spans/s, fleet: { interval: 500ms, stale_after: 3s } }
          store: { kind: segments, from: sample, flush_interval: 200ms }
        """
    }
}
