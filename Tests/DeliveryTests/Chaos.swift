import BrokerTestSupport
import Foundation
import Kafka
import Pipeline
import Testing

/// Worker processes on one group and one store, a producer, and what is done to them. Seeded; says what it does.
final class Chaos {
    let producer: TraceProducer
    private(set) var workers: [WorkerProcess] = []
    private let folder: URL
    private let brokers: String
    private let topic: String
    private let partitions: Int
    private var random: SplitMix
    private var started = 0
    /// What went wrong can be looked at.
    private var keepsFolder = false

    init(brokers: String, topic: String, partitions: Int, workers count: Int = 3) throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("chaos with seed \(seed)")
        random = SplitMix(seed: seed)
        self.brokers = brokers
        self.topic = topic
        self.partitions = partitions
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("tailrace-chaos-\(seed)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        producer = try TraceProducer(brokers: brokers, topic: topic)
        try Self.pipeline(brokers: brokers, topic: topic)
            .write(to: folder.appendingPathComponent("pipeline.yaml"), atomically: true, encoding: .utf8)
        for _ in 0..<count { try addOne() }
    }

    func cleanUp() {
        for worker in workers {
            worker.thaw()
            worker.kill()
        }
        workers = []
        if !keepsFolder { try? FileManager.default.removeItem(at: folder) }
    }

    /// Does random things, with traffic in between.
    func run(_ actions: [(Chaos) throws -> Void], rounds: Int) throws {
        let works = try eventually(within: 90_000) {
            try producer.write(5)
            return workers.contains { ($0.metric("tailrace_spans_kept_total") ?? 0) > 50 }
        }
        try #require(works, "no worker keeps anything: \(logs)")
        for _ in 0..<rounds {
            try actions[Int(random.next() % UInt64(actions.count))](self)
            try keepWriting(milliseconds: Int64(500 + random.next() % 2_500))
        }
    }

    /// - Parameter ignoringErrors: a broker that is away refuses records; whether it took them is then not known, so none are
    ///   written, and only time passes.
    func keepWriting(milliseconds: Int64, ignoringErrors: Bool = false) throws {
        let end = nowMs() + milliseconds
        while nowMs() < end {
            if !ignoringErrors { try producer.write(3) }
            usleep(20_000)
        }
    }

    func addOne() throws {
        workers.append(try WorkerProcess(folder: folder, number: started))
        print("  worker \(started) starts")
        started += 1
    }

    /// - Parameter sparing: the first workers in the list, which are left alone.
    func killOne(sparing: Int = 0) throws {
        let index = sparing + Int(random.next() % UInt64(workers.count - sparing))
        print("  a worker is killed")
        workers.remove(at: index).kill()
        try addOne()
    }

    func stopOne() throws {
        let index = pick()
        print("  a worker is stopped with SIGTERM")
        let worker = workers.remove(at: index)
        let code = worker.terminate()
        #expect(code == 0, "SIGTERM ended with \(code): \(worker.logText.suffix(2000))")
        try addOne()
    }

    func freezeOne(milliseconds: Int64) throws {
        let worker = workers[pick()]
        print("  a worker is frozen for \(milliseconds) ms")
        worker.freeze()
        try keepWriting(milliseconds: milliseconds)
        worker.thaw()
    }

    func removeOne() throws {
        guard workers.count > 1 else { return try addOne() }
        print("  a worker leaves for good")
        _ = workers.remove(at: pick()).terminate()
    }

    private func pick() -> Int { Int(random.next() % UInt64(workers.count)) }

    /// Waits until everything is decided and committed, stops the workers, and holds the store against what was written.
    func finish(within milliseconds: Int64) throws {
        try producer.write(100)
        let admin = try KafkaAdmin(KafkaClientOptions(brokers: brokers))
        let isDone = eventually(within: milliseconds) {
            // What is durable, and of each partition from one owner: figures of lag may be seconds old.
            let watermarks = workers.flatMap { $0.samples("tailrace_partition_watermark_offset") ?? [] }
            return watermarks.count == partitions && watermarks.reduce(0, +) == Double(producer.recordCount)
        }
        #expect(isDone, "not everything was decided: \(logs)")
        for worker in workers {
            #expect(worker.metric("tailrace_ledger_imbalance_spans") == 0)
            let code = worker.terminate()
            #expect(code == 0, "\(worker.logText.suffix(2000))")
        }
        workers = []
        let cluster = admin.clusterID() ?? ""
        let places = (0..<partitions).map { PartitionID(cluster: cluster, topic: topic, partition: Int32($0)) }
        let audit = try StoreAudit(store: folder.appendingPathComponent("store").path, partitions: places)
        let discrepancies = audit.discrepancies(written: producer.traces)
        // Not the list itself: the runner would print all of it.
        let isWhole = discrepancies.isEmpty
        keepsFolder = !isWhole
        #expect(
            isWhole,
            "see \(folder.path): \(discrepancies.count) of \(producer.traces.count): \(discrepancies.prefix(5))")
        #expect(audit.stored.count < producer.traces.count, "nothing was dropped")
        print(
            "  \(producer.traces.count) traces: \(audit.stored.count) stored whole and once, the rest dropped by decisions"
        )
    }

    private var logs: String { workers.map { String($0.logText.suffix(1500)) }.joined(separator: "\n---\n") }

    private static func pipeline(brokers: String, topic: String) -> String {
        """
        pipeline: chaos
        stages:
          spans: { kind: kafka, brokers: "\(brokers)", topic: \(topic), group: chaos-\(topic), session_timeout: 6s }
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
