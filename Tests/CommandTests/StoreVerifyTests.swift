import Foundation
import Kafka
import Pipeline
import Storage
import Testing

/// `tailrace store verify` over real stores that something happened to.
struct StoreVerifyTests {
    private func verify(_ store: TemporaryStore, _ options: String...) throws -> Command {
        try Command(["store", "verify", store.root, "--grace", "0s"] + options)
    }

    @Test("a whole store is clean")
    func aWholeStoreIsClean() throws {
        let store = try TemporaryStore()
        let answer = try verify(store)
        #expect(answer.code == 0, "\(answer.output)")
        #expect(answer.output.contains("2 segments"))
        #expect(answer.output.contains("3 decisions"))
        #expect(answer.output.hasSuffix("clean\n"))
        #expect(try Command("store", "verify", "/tmp/tailrace-no-store").code == 1)
        #expect(try Command("store", "verify").code == 2)
    }

    @Test("a missing segment is named with partition, offsets and the number of traces, and a copy is put in its place")
    func missingSegmentsAreNamedAndRestored() throws {
        let store = try TemporaryStore()
        let segment = try #require(store.files(".seg").last)
        let moved = store.root + "/segments/host-1/moved-by-hand.seg"
        try FileManager.default.moveItem(atPath: store.root + "/" + segment, toPath: moved)
        let answer = try verify(store)
        #expect(answer.code == 1)
        #expect(answer.output.contains("\(segment), which manifest host-1-0/2 names, is missing"))
        #expect(answer.output.contains("otlp_spans/3 (read with offsets 200 to 299)"))
        #expect(answer.output.contains("counts 1 kept traces with 4 spans there"))
        let repair = try verify(store, "--repair")
        #expect(repair.code == 0, "\(repair.output)")
        #expect(repair.output.contains("moved segments/host-1/moved-by-hand.seg to \(segment)"))
        #expect(repair.output.contains("clean after the repair"))
        #expect(try verify(store).code == 0)
    }

    @Test(
        "a damaged byte anywhere in a segment, a manifest, an epoch or a decision file is found",
        arguments: [
            ".seg", ".manifest", ".log", "000000000001",
        ])
    func damageIsFound(ending: String) throws {
        let store = try TemporaryStore()
        let file = store.root + "/" + (try #require(store.files(ending).first))
        var bytes = try [UInt8](Data(contentsOf: URL(fileURLWithPath: file)))
        bytes[bytes.count / 2] ^= 0x10
        try Data(bytes).write(to: URL(fileURLWithPath: file))
        let answer = try verify(store)
        #expect(answer.code == 1, "\(answer.output)")
        #expect(answer.output.contains("problem: "))
    }

    @Test("a manifest that showed traces and is gone is missed")
    func missingManifestsAreMissed() throws {
        let store = try TemporaryStore()
        let manifest = store.root + "/" + (try #require(store.files(".manifest").first))
        try FileManager.default.moveItem(atPath: manifest, toPath: manifest + ".tmp")
        let answer = try verify(store)
        #expect(answer.code == 1)
        #expect(
            answer.output.contains(
                "manifest host-1-0/1 is missing or damaged: 1 traces with 4 spans that it made visible are not "
                    + "(otlp_spans/3 offsets 110 to 120)"), "\(answer.output)")
        let repair = try verify(store, "--repair")
        #expect(repair.code == 0, "\(repair.output)")
        #expect(try verify(store).code == 0)
        #expect(FileManager.default.fileExists(atPath: manifest))
    }

    @Test("litter of a crash is no problem; a repair clears it away and touches nothing else")
    func litterIsClearedAway() throws {
        let store = try TemporaryStore()
        let named = store.files(".seg") + store.files(".manifest") + store.files(".log")
        for name in [
            "segments/host-1/000000000009-0.seg", "segments/host-1/000000000010-0.seg.tmp",
            "manifests/host-1-0/000000000009.manifest.tmp",
        ] {
            try Data("half".utf8).write(to: URL(fileURLWithPath: store.root + "/" + name))
        }
        let answer = try verify(store)
        #expect(answer.code == 0, "\(answer.output)")
        #expect(answer.output.contains("with 3 files of litter"))
        let repair = try verify(store, "--repair")
        #expect(repair.code == 0)
        #expect(repair.output.contains("removed segments/host-1/000000000010-0.seg.tmp"))
        #expect(
            repair.output.contains(
                "moved segments/host-1/000000000009-0.seg to quarantine/segments/host-1/000000000009-0.seg"))
        let left = store.files(".seg") + store.files(".manifest") + store.files(".log")
        #expect(left.filter { !$0.hasPrefix("quarantine") } == named)
        #expect(store.files(".tmp").isEmpty)
    }

    @Test("what a running worker has not named yet is left alone; what is young too")
    func runningWorkersAreLeftAlone() throws {
        let store = try TemporaryStore()
        let young = store.root + "/segments/host-1/000000000009-0.seg.tmp"
        try Data("half".utf8).write(to: URL(fileURLWithPath: young))
        #expect(try Command("store", "verify", store.root, "--repair").code == 0)
        #expect(FileManager.default.fileExists(atPath: young))
        let lock = try WorkerLocks(layout: store.layout).acquire("host-1")
        let answer = try verify(store, "--repair")
        #expect(answer.code == 0)
        #expect(answer.output.contains("1 workers run"))
        #expect(FileManager.default.fileExists(atPath: young))
        lock.release()
        #expect(try verify(store, "--repair").output.contains("removed"))
        #expect(!FileManager.default.fileExists(atPath: young))
    }

    @Test("offsets are compared with the log")
    func offsetsAreCompared() throws {
        var report = VerifyReport()
        report.newest = [
            TaskEntry(
                partition: TemporaryStore.partition, epoch: 1, low: 100, high: 200, lanes: [], streamTime: 0,
                streamTimeAtLow: 0, decisionFiles: [])
        ]
        func problems(_ committed: Int64?, _ start: Int64, _ end: Int64) -> [String] {
            var report = report
            StoreVerifier.compare(
                &report,
                with: [
                    PartitionOffsets(partition: TemporaryStore.partition, committed: committed, start: start, end: end)
                ])
            return report.findings.map(\.text)
        }
        #expect(problems(100, 0, 300).isEmpty)
        #expect(problems(nil, 100, 100).isEmpty)
        #expect(problems(101, 0, 300).first?.contains("offsets 100 to 100 would be skipped") == true)
        #expect(problems(90, 120, 300).first?.contains("offsets 100 to 119 (20)") == true)
        #expect(problems(90, 0, 99).first?.contains("the log ends at 99") == true)
    }

    @Test("a broker is asked for the offsets")
    func aBrokerIsAsked() throws {
        let broker = try EmbeddedBroker(defaultPartitions: 4)
        defer { broker.close() }
        try broker.createTopic("otlp_spans", partitions: 4)
        let store = try TemporaryStore()
        // The store is another cluster's, which must not be taken for this one.
        let answer = try verify(store, "--brokers", broker.bootstrapServers)
        #expect(answer.code == 1)
        #expect(answer.output.contains("the store was written from cluster c"), "\(answer.output)\(answer.errors)")
    }
}
