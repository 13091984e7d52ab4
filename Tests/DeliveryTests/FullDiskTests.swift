import BrokerTestSupport
import Foundation
import Glibc
import Kafka
import Pipeline
import Testing

/// A worker whose disk really fills up: a file system of a few megabytes.
@Suite("Full disk", .serialized)
struct FullDiskTests {
    @Test("a full disk pauses the worker, commits nothing, loses nothing, and goes on when there is room again")
    func fullDisk() throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("tailrace-full-\(UInt32.random(in: 0 ... .max))")
        let disk = folder.appendingPathComponent("store")
        try FileManager.default.createDirectory(at: disk, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        guard mount("tmpfs", disk.path, "tmpfs", 0, "size=8m") == 0 else {
            print(
                "the test with a full disk is skipped: mounting a file system needs root (\(String(cString: strerror(errno))))"
            )
            return
        }
        defer { umount2(disk.path, Int32(MNT_DETACH)) }
        let broker = try EmbeddedBroker(defaultPartitions: 4)
        defer { broker.close() }
        try Self.pipeline(brokers: broker.bootstrapServers)
            .write(to: folder.appendingPathComponent("pipeline.yaml"), atomically: true, encoding: .utf8)
        let producer = try TraceProducer(brokers: broker.bootstrapServers, topic: "otlp_spans")
        let worker = try WorkerProcess(folder: folder, number: 0)
        let works = try eventually(within: 30_000) {
            try producer.write(5)
            return (worker.metric("tailrace_spans_kept_total") ?? 0) >= 50
        }
        try #require(works, "\(worker.logText)")

        let filler = disk.appendingPathComponent("filler")
        try Self.fill(filler.path)
        let isPaused = try eventually(within: 30_000) {
            try producer.write(5)
            return (worker.metric("tailrace_paused_workers") ?? 0) > 0 && worker.status("/readyz") == 503
        }
        #expect(isPaused, "\(worker.logText)")
        #expect(worker.metric("tailrace_ledger_imbalance_spans") == 0)
        try producer.write(50)

        try FileManager.default.removeItem(at: filler)
        let recovers = eventually(within: 60_000) {
            worker.metric("tailrace_paused_workers") == 0 && worker.status("/readyz") == 200
                && worker.metric("tailrace_partition_lag_records") == 0
                && worker.metric("tailrace_spans_in_window") == 0
        }
        #expect(recovers, "\(worker.logText)")
        #expect(worker.terminate() == 0)
        let cluster = try KafkaAdmin(KafkaClientOptions(brokers: broker.bootstrapServers)).clusterID() ?? ""
        let audit = try StoreAudit(
            store: disk.path,
            partitions: (0..<4).map { PartitionID(cluster: cluster, topic: "otlp_spans", partition: Int32($0)) })
        let discrepancies = audit.discrepancies(written: producer.traces)
        #expect(discrepancies.isEmpty, "\(discrepancies.count): \(discrepancies.prefix(5))")
    }

    /// Writes until nothing goes in any more.
    private static func fill(_ path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT, 0o600)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        let block = [UInt8](repeating: 1, count: 4096)
        while write(descriptor, block, block.count) > 0 {}
        #expect(errno == ENOSPC)
    }

    private static func pipeline(brokers: String) -> String {
        """
        pipeline: full
        stages:
          spans: { kind: kafka, brokers: "\(brokers)", topic: otlp_spans, group: full, session_timeout: 6s }
          sample:
            kind: tail_sampler
            from: spans
            window: { max: 2s, settle: 500ms, idle: 1s, tick: 100ms }
            policies:
              - { name: errors, type: status_code, status_code: { status_codes: [ERROR] } }
              - { name: half, type: probabilistic, probabilistic: { sampling_percentage: 50 } }
          store: { kind: segments, from: sample, flush_interval: 200ms }
        """
    }
}
