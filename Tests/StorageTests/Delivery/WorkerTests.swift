import Synchronization
import Testing
import TraceModel
import TraceSimulation

@testable import Pipeline
@testable import Sampling
@testable import Storage

/// The worker's threads around the protocol: hand-overs while the disk is slow.
@Suite(.serialized)
struct WorkerTests {
    /// Hands partitions and records to the worker when the test says so.
    private final class ManualSource: Source {
        private let state = Mutex<(host: (any SourceHost)?, stopped: Bool)>((nil, false))

        func run(_ host: any SourceHost) throws {
            state.withLock { $0.host = host }
            while !state.withLock({ $0.stopped }) { NamedThread.pause(milliseconds: 1) }
        }

        func host() -> any SourceHost {
            while true {
                if let host = state.withLock({ $0.host }) { return host }
                NamedThread.pause(milliseconds: 1)
            }
        }

        func stop() { state.withLock { $0.stopped = true } }
        func pause(_ partitions: [PartitionID]) {}
        func resume(_ partitions: [PartitionID]) {}
        let committed = Mutex<[PartitionID: Int64]>([:])
        func commit(_ offsets: [PartitionID: CommittedOffset], wait: Bool) throws {
            committed.withLock { committed in
                for (partition, offset) in offsets { committed[partition] = offset.offset }
            }
        }
        var status: SourceStatus { SourceStatus() }
    }

    /// Records of a simulated log.
    private final class Batch: RecordBatch, @unchecked Sendable {
        let partition: PartitionID
        private let first: Int64
        private var buffers: [UnsafeMutableRawBufferPointer] = []
        private let times: [Int64]
        let byteCount: Int

        init(_ partition: PartitionID, _ records: ArraySlice<SimulatedLog.Record>) {
            self.partition = partition
            first = Int64(records.startIndex)
            times = records.map(\.time)
            for record in records {
                let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: record.bytes.count, alignment: 1)
                buffer.copyBytes(from: record.bytes)
                buffers.append(buffer)
            }
            byteCount = records.reduce(0) { $0 + $1.bytes.count }
        }

        var count: Int { times.count }

        func record(at index: Int) -> SourceRecord {
            SourceRecord(
                offset: first + Int64(index), timestamp: times[index],
                key: UnsafeRawBufferPointer(start: nil, count: 0),
                payload: UnsafeRawBufferPointer(buffers[index]))
        }

        func release() {
            for buffer in buffers { buffer.deallocate() }
            buffers = []
        }
    }

    /// A store whose publishing waits while its gate is closed.
    private final class GatedStore: DeliveryStore {
        private let store: FileDeliveryStore
        private let state = Mutex<(isOpen: Bool, waiting: Int)>((true, 0))

        init(_ store: FileDeliveryStore) { self.store = store }

        func close() { state.withLock { $0.isOpen = false } }
        func open() { state.withLock { $0.isOpen = true } }
        var waiting: Int { state.withLock { $0.waiting } }

        func acquire(_ partition: PartitionID) throws -> RestoredTask { try store.acquire(partition) }

        func readDecisions(
            of entry: TaskEntry, since oldest: Int64, _ body: (String, [DecisionRecord]) throws -> Void
        ) throws { try store.readDecisions(of: entry, since: oldest, body) }

        func publish(_ group: CommitGroup, writer: Int) throws -> [TaskEntry] {
            state.withLock { $0.waiting += 1 }
            defer { state.withLock { $0.waiting -= 1 } }
            while !state.withLock({ $0.isOpen }) { NamedThread.pause(milliseconds: 1) }
            return try store.publish(group, writer: writer)
        }
    }

    private static func plan(_ source: ManualSource, sink: @escaping @Sendable () -> any Sink) throws -> PipelinePlan {
        let text = """
            pipeline: worker
            stages:
              spans: { kind: input }
              sample:
                kind: tail_sampler
                from: spans
                window: { max: 12s, settle: 4s, idle: 7s }
                policies: [{ name: half, type: probabilistic, probabilistic: { sampling_percentage: 50 } }]
              out: { kind: output, from: sample }
            """
        return try SimulatedRegistry.load(text, SimulatedRegistry.make(source: { source }, sink: sink))
    }

    private static func wait(until condition: () -> Bool) throws {
        for _ in 0..<5000 {
            if condition() { return }
            NamedThread.pause(milliseconds: 1)
        }
        throw StageError("waited too long")
    }

    /// - Parameter comesBack: the partition is given to the same worker again while the disk still hangs.
    @Test(arguments: [true, false], [true, false])
    func aHandOverWhileTheDiskHangsLosesAndDoublesNothing(comesBack: Bool, lost: Bool) throws {
        var random = SeededRandom(seed: comesBack ? 31 : 32)
        let log = SimulatedLog(partitions: 2, records: 90, random: &random)
        let partitions = log.partitions.keys.sorted()
        let fileSystem = SimulatedFileSystem()
        let layout = SimulatedWorker.layout
        let store = GatedStore(try FileDeliveryStore(layout: layout, incarnation: "w", fileSystem: fileSystem))
        let source = ManualSource()
        let plan = try Self.plan(source) { LineSink(layout: layout, incarnation: "w", fileSystem: fileSystem) }
        var settings = WorkerSettings()
        settings.threads = 1
        settings.flushInterval = 20
        settings.revokeDeadline = 100
        let runner = try PipelineRunner(
            plan: plan, settings: settings,
            environment: StageEnvironment(
                workingDirectory: ".", storeDirectory: ".", incarnation: "w", pipelineName: "worker"),
            store: store,
            deadLetters: { worker in
                DeadLetterSink(
                    path: "\(layout.deadLetters)/w-\(worker).jsonl", pipeline: "worker", fileSystem: fileSystem)
            }, log: { _ in })
        try runner.start()
        let host = source.host()

        func deliver(_ partition: PartitionID, from first: Int64, to last: Int) {
            guard let records = log.partitions[partition], first < last else { return }
            host.deliver(Batch(partition, records[Int(first)..<last]))
        }

        _ = try host.assign(partitions)
        for partition in partitions { deliver(partition, from: 0, to: 30) }
        try Self.wait { source.committed.withLock { $0.count } == 2 }
        store.close()
        for partition in partitions { deliver(partition, from: 30, to: 50) }
        try Self.wait { store.waiting > 0 }
        // Decided and buffered behind the flush that hangs.
        for partition in partitions { deliver(partition, from: 50, to: 70) }
        host.revoke([partitions[0]], lost: lost)
        if comesBack {
            let starts = try host.assign([partitions[0]])
            deliver(partitions[0], from: starts[partitions[0]] ?? 0, to: 80)
            deliver(partitions[1], from: 70, to: 80)
        }
        store.open()
        deliver(partitions[1], from: comesBack ? 80 : 70, to: 90)
        NamedThread.pause(milliseconds: 100)
        host.revoke(partitions, lost: false)
        runner.stop()
        #expect(runner.failureMessage == nil)
        for snapshot in runner.snapshots { #expect(snapshot.departed.imbalance(inWindow: 0) == 0) }
        try CrashTests.finish(fileSystem, log, "comes back \(comesBack), lost \(lost)")
    }
}
