import Synchronization
import Testing
import TraceModel

@testable import Pipeline

@Suite("Taking over a partition with decisions", .serialized)
struct RestoreTests {
    private let late = RestoringWorker.late
    private let other = RestoringWorker.other

    @Test("other partitions of the same thread go on while one restores")
    func othersGoOn() throws {
        let worker = try RestoringWorker()
        worker.store.allow(late, blocks: 1)
        let host = try worker.host()
        #expect(try host.assign([late, other]) == [late: 100])
        #expect(worker.source.paused == [late])
        for offset in 0..<20 as Range<Int64> {
            let span = TestSpan(trace: UInt64(offset), number: UInt64(offset), isRoot: true)
            host.deliver(ManualBatch(other, [span], offset: offset, at: 100_000 + offset * 1000))
        }
        try worker.wait(for: "the other partition") { worker.store.decisions(of: other).count >= 10 }
        try worker.wait(for: "the figures") { worker.figures(of: other)?.position == 20 && worker.restoring == 1 }
        #expect(worker.figures(of: late) == nil)
        #expect(worker.source.paused == [late])
        #expect(!worker.store.published.contains { $0.partition == late })

        worker.store.allow(late, blocks: .max)
        try worker.wait(for: "the restore") { worker.source.paused.isEmpty }
        try worker.wait(for: "the figures") { worker.figures(of: late) != nil && worker.restoring == 0 }
        #expect(worker.runner.snapshots.reduce(0) { $0 + $1.restoredDecisions } == 10 * RestoringWorker.blocks)
        worker.runner.stop()
        #expect(worker.runner.failureMessage == nil)
    }

    /// A source may have records on their way when it is paused.
    @Test("records that come while a partition restores wait, and follow its decisions, in order")
    func recordsWait() throws {
        let worker = try RestoringWorker()
        worker.store.allow(late, blocks: 0)
        let host = try worker.host()
        _ = try host.assign([late])
        // Late spans of a kept and of a dropped trace of the last block, then a new trace.
        let batches = [2004, 2005, 500].enumerated().map { index, trace in
            ManualBatch(
                late, [TestSpan(trace: UInt64(trace), number: UInt64(index + 1))], offset: 100 + Int64(index),
                at: 91_000)
        }
        for batch in batches { host.deliver(batch) }
        host.reachedEnd(late)
        try worker.wait(for: "the first look at the decisions") { worker.restoring == 1 }
        #expect(!batches.contains { $0.isReleased })
        worker.store.allow(late, blocks: .max)
        try worker.wait(for: "the records") { worker.figures(of: late)?.position == 103 }
        let counters = try #require(worker.figures(of: late)?.counters)
        #expect(counters.lateKept == 1 && counters.lateDropped == 1)
        #expect(worker.figures(of: late)?.gauges.openSpans == 1)
        #expect(batches.allSatisfy { $0.isReleased })
        worker.runner.stop()
        #expect(worker.runner.failureMessage == nil)
    }

    @Test("a partition revoked while it restores publishes nothing", arguments: [true, false])
    func revoked(lost: Bool) throws {
        let worker = try RestoringWorker()
        worker.store.allow(late, blocks: 1)
        let host = try worker.host()
        _ = try host.assign([late, other])
        let batch = ManualBatch(late, [TestSpan(trace: 7, number: 1, isRoot: true)], offset: 100, at: 91_000)
        host.deliver(batch)
        try worker.wait(for: "a block") { worker.store.state.withLock { $0.readBlocks[late] == 1 } }
        // The blocks that are left are not waited for.
        host.revoke([late], lost: lost)
        try worker.wait(for: "the batch") { batch.isReleased }
        #expect(worker.store.state.withLock { $0.readBlocks[late] == 1 })

        worker.store.allow(late, blocks: .max)
        try worker.wait(for: "the end of the reading") { worker.store.state.withLock { $0.broken == 1 } }
        let span = TestSpan(trace: 5, number: 1, isRoot: true)
        for offset in 0..<3 as Range<Int64> {
            host.deliver(ManualBatch(other, [span], offset: offset, at: 100_000 + offset * 2000))
        }
        try worker.wait(for: "a flush") { !worker.store.decisions(of: other).isEmpty }
        #expect(!worker.store.published.contains { $0.partition == late })
        #expect(worker.figures(of: late) == nil)
        worker.runner.stop()
        #expect(worker.runner.failureMessage == nil)
    }

    @Test("a partition that comes back while its old restore runs has the task of its new epoch")
    func comesBack() throws {
        let worker = try RestoringWorker()
        worker.store.allow(late, blocks: 1)
        let host = try worker.host()
        _ = try host.assign([late])
        try worker.wait(for: "a block") { worker.store.state.withLock { $0.readBlocks[late] == 1 } }
        host.revoke([late], lost: true)
        _ = try host.assign([late])
        #expect(worker.source.paused == [late])
        worker.store.allow(late, blocks: .max)
        try worker.wait(for: "the restore") { worker.figures(of: late) != nil }
        #expect(worker.figures(of: late)?.epoch == 2)
        try worker.wait(for: "the source") { worker.source.paused.isEmpty }
        host.deliver(ManualBatch(late, [TestSpan(trace: 4, number: 1)], offset: 100, at: 91_000))
        try worker.wait(for: "the record") { worker.figures(of: late)?.counters.lateKept == 1 }
        worker.runner.stop()
        let epochs = Set(worker.store.published.filter { $0.partition == late }.map(\.epoch))
        #expect(epochs == [2])
    }

    @Test("a task that restores during a reload decides by the new policies and keeps its decisions")
    func reloads() throws {
        let worker = try RestoringWorker()
        worker.store.allow(late, blocks: 1)
        let host = try worker.host()
        _ = try host.assign([late])
        try worker.wait(for: "a block") { worker.store.state.withLock { $0.readBlocks[late] == 1 } }
        let before = worker.runner.plan.configurationHash(of: try #require(worker.runner.plan.index(of: "sample")))
        try worker.reload(policy: "other")
        let after = worker.runner.plan.configurationHash(of: try #require(worker.runner.plan.index(of: "sample")))
        #expect(before != after)
        worker.store.allow(late, blocks: .max)
        try worker.wait(for: "the restore") { worker.source.paused.isEmpty }
        host.deliver(ManualBatch(late, [TestSpan(trace: 1003, number: 1)], offset: 100, at: 91_000))
        host.deliver(ManualBatch(late, [TestSpan(trace: 77, number: 2, isRoot: true)], offset: 101, at: 92_000))
        host.deliver(ManualBatch(late, [TestSpan(trace: 78, number: 3)], offset: 102, at: 99_000))
        host.revoke([late], lost: false)
        worker.runner.stop()
        let decisions = worker.store.decisions(of: late)
        #expect(decisions.map(\.traceID) == [TestSpan.traceID(77)])
        #expect(decisions.map(\.policyVersion) == [after])
        #expect(worker.runner.snapshots.first?.departed.lateDropped == 1)
        #expect(worker.runner.failureMessage == nil)
    }

    @Test("a partition whose decisions cannot be read stops the pipeline, which says why")
    func fails() throws {
        let worker = try RestoringWorker()
        worker.store.state.withLock { $0.failure = "the disk is gone" }
        let host = try worker.host()
        _ = try host.assign([late])
        try worker.wait(for: "the failure") { worker.runner.failureMessage != nil }
        #expect(worker.runner.failureMessage == "cannot take over \(late): the disk is gone")
        worker.runner.stop()
    }
}

@Suite("Paused partitions")
struct PartitionPausesTests {
    private let one = PartitionID(cluster: "c", topic: "t", partition: 1)
    private let two = PartitionID(cluster: "c", topic: "t", partition: 2)

    @Test("one that is paused for several reasons goes on when the last of them has gone")
    func severalReasons() {
        var pauses = PartitionPauses()
        #expect(pauses.pause([one], for: .restoring) == [one])
        #expect(pauses.pause([one, two], for: .pressure) == [two])
        #expect(pauses.resume([one, two], for: .pressure) == [two])
        #expect(pauses.isPaused(one) && !pauses.isPaused(two))
        #expect(pauses.resume([one], for: .throttled) == [])
        #expect(pauses.resume([one], for: .restoring) == [one])
        #expect(pauses.resume([one], for: .restoring) == [])
        #expect(!pauses.isPaused(one))
    }

    @Test("one that has gone comes back without the reasons of before")
    func forgets() {
        var pauses = PartitionPauses()
        _ = pauses.pause([one], for: .pressure)
        pauses.forget([one])
        #expect(!pauses.isPaused(one))
        #expect(pauses.resume([one], for: .pressure) == [])
        #expect(pauses.pause([one], for: .restoring) == [one])
    }
}
