import BrokerTestSupport
import Foundation
import Kafka
import Pipeline
import Testing

/// A running worker whose pipeline file changes.
@Suite("Reload", .serialized)
struct ReloadTests {
    @Test("open traces survive a reload and are decided by the new policies; a file with mistakes changes nothing")
    func reload() throws {
        let broker = try EmbeddedBroker()
        defer { broker.close() }
        try broker.createTopic("otlp_spans", partitions: 2)
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("tailrace-reload-\(UInt32.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appendingPathComponent("pipeline.yaml")
        func write(_ policy: String, window: String = "6s") throws {
            try Self.pipeline(brokers: broker.bootstrapServers, policy: policy, window: window)
                .write(to: file, atomically: true, encoding: .utf8)
        }
        // Nothing would be kept.
        try write("{ name: none, type: probabilistic, probabilistic: { sampling_percentage: 0 } }")
        let producer = try TraceProducer(brokers: broker.bootstrapServers, topic: "otlp_spans")
        let worker = try WorkerProcess(folder: folder, number: 0)
        try producer.write(50)
        try producer.writeGarbage()
        let isOpen = eventually(within: 30_000) { worker.metric("tailrace_spans_in_window") == 200 }
        try #require(isOpen, "\(worker.logText)")

        try write("{ name: none, type: probabilistik, probabilistic: { sampling_percentage: 0 } }")
        let refusal = try worker.post("/admin/reload")
        #expect(refusal.status == 422)
        #expect(refusal.body.contains("pipeline.yaml:9:") && refusal.body.contains("probabilistic"), "\(refusal.body)")
        #expect(worker.metric("tailrace_config_generation") == 1)
        #expect(worker.metric("tailrace_config_last_reload_successful") == 0)

        // Spans with errors were judged by a policy that did not ask for errors: they are judged again.
        try write("{ name: errors, type: status_code, status_code: { status_codes: [ERROR] } }")
        let answer = try worker.post("/admin/reload")
        #expect(answer.status == 200, "\(answer.body)")
        #expect(answer.body.contains("\"changed\":[\"sample\"]"), "\(answer.body)")
        #expect(worker.metric("tailrace_config_generation") == 2)
        #expect(worker.metric("tailrace_spans_in_window") == 200)
        let isDecided = eventually(within: 60_000) {
            worker.metric("tailrace_partition_watermark_offset") == Double(producer.recordCount)
        }
        #expect(isDecided, "\(worker.logText)")
        #expect(worker.metric("tailrace_traces_kept_total") == 10)

        // SIGHUP does the same.
        try write("{ name: all, type: always_sample }", window: "3s")
        worker.hangUp()
        let isThird = eventually(within: 20_000) { worker.metric("tailrace_config_generation") == 3 }
        #expect(isThird, "\(worker.logText)")
        try producer.write(20)
        try producer.writeGarbage()
        let keepsAll = eventually(within: 60_000) {
            worker.metric("tailrace_partition_watermark_offset") == Double(producer.recordCount)
        }
        #expect(keepsAll, "\(worker.logText)")
        #expect(worker.metric("tailrace_traces_kept_total") == 30)
        #expect(worker.metric("tailrace_ledger_imbalance_spans") == 0)
        #expect(worker.terminate() == 0)
        let cluster = try KafkaAdmin(KafkaClientOptions(brokers: broker.bootstrapServers)).clusterID() ?? ""
        let audit = try StoreAudit(
            store: folder.appendingPathComponent("store").path,
            partitions: (0..<2).map { PartitionID(cluster: cluster, topic: "otlp_spans", partition: Int32($0)) })
        let discrepancies = audit.discrepancies(written: producer.traces)
        #expect(discrepancies.isEmpty, "\(discrepancies.prefix(5))")
        let versions = try Self.configVersions(folder.appendingPathComponent("store/deadletter"))
        #expect(
            versions.count == 2 && Set(versions).count == 2, "dead letters name the configuration in force: \(versions)"
        )
    }

    /// The configuration versions that the dead letters carry.
    private static func configVersions(_ folder: URL) throws -> [String] {
        try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .filter { $0.pathExtension == "jsonl" }
            .flatMap { try String(contentsOf: $0, encoding: .utf8).split(separator: "\n") }
            .compactMap {
                (try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])?["config_version"] as? String
            }
    }

    private static func pipeline(brokers: String, policy: String, window: String) -> String {
        """
        pipeline: reload
        stages:
          spans: { kind: kafka, brokers: "\(brokers)", topic: otlp_spans, group: reload, session_timeout: 6s }
          sample:
            kind: tail_sampler
            from: spans
            window: { max: \(window), settle: \(window), idle: \(window), tick: 100ms }
            policies:
              - \(policy)
          store: { kind: segments, from: sample, flush_interval: 200ms }
        """
    }
}
