import Synchronization

@testable import Pipeline

/// Hands partitions and records to the worker when the test says so.
final class ManualSource: Source {
    struct State {
        var host: (any SourceHost)?
        var isStopped = false
        var paused: Set<PartitionID> = []
        var wasPaused: Set<PartitionID> = []
    }

    let state = Mutex(State())

    func run(_ host: any SourceHost) throws {
        state.withLock { $0.host = host }
        while !state.withLock({ $0.isStopped }) { NamedThread.pause(milliseconds: 1) }
    }

    var host: (any SourceHost)? { state.withLock { $0.host } }
    var paused: Set<PartitionID> { state.withLock { $0.paused } }
    var wasPaused: Set<PartitionID> { state.withLock { $0.wasPaused } }

    func stop() { state.withLock { $0.isStopped = true } }
    func pause(_ partitions: [PartitionID]) {
        state.withLock {
            $0.paused.formUnion(partitions)
            $0.wasPaused.formUnion(partitions)
        }
    }
    func resume(_ partitions: [PartitionID]) { state.withLock { $0.paused.subtract(partitions) } }
    func commit(_ offsets: [PartitionID: CommittedOffset], wait: Bool) throws {}
    var status: SourceStatus { SourceStatus() }
}

/// One record that owns its bytes, and says when it was released.
final class ManualBatch: RecordBatch, @unchecked Sendable {
    // The bytes are written once, before the batch is handed over.
    let partition: PartitionID
    private let offset: Int64
    private let time: Int64
    private let bytes: UnsafeMutableRawBufferPointer
    let released = Atomic<Bool>(false)

    init(_ partition: PartitionID, _ spans: [TestSpan], offset: Int64, at time: Int64) {
        self.partition = partition
        self.offset = offset
        self.time = time
        let payload = TestSpan.encode(spans)
        bytes = .allocate(byteCount: payload.count, alignment: 8)
        bytes.copyBytes(from: payload)
    }

    deinit { bytes.deallocate() }

    var count: Int { 1 }
    var byteCount: Int { bytes.count }

    func record(at index: Int) -> SourceRecord {
        SourceRecord(
            offset: offset, timestamp: time, key: UnsafeRawBufferPointer(start: nil, count: 0),
            payload: UnsafeRawBufferPointer(bytes))
    }

    func release() { released.store(true, ordering: .releasing) }
    var isReleased: Bool { released.load(ordering: .acquiring) }
}

/// A store in memory, whose decisions are read block by block as the test lets them.
final class GatedDecisions: DeliveryStore {
    struct State {
        var entries: [PartitionID: TaskEntry] = [:]
        var epochs: [PartitionID: UInt64] = [:]
        var blocks: [PartitionID: [[DecisionRecord]]] = [:]
        /// How many blocks may be read.
        var allowed: [PartitionID: Int] = [:]
        var readBlocks: [PartitionID: Int] = [:]
        /// Reads that ended before the last block.
        var broken = 0
        var failure: String?
        var groups: [CommitGroup] = []
    }

    let state = Mutex(State())

    func allow(_ partition: PartitionID, blocks: Int) { state.withLock { $0.allowed[partition] = blocks } }

    func acquire(_ partition: PartitionID) throws -> RestoredTask {
        state.withLock { state in
            state.epochs[partition, default: 0] += 1
            return RestoredTask(epoch: state.epochs[partition] ?? 0, entry: state.entries[partition])
        }
    }

    func readDecisions(
        of entry: TaskEntry, since oldest: Int64, _ body: (String, [DecisionRecord]) throws -> Void
    ) throws {
        let blocks = state.withLock { $0.blocks[entry.partition] ?? [] }
        for (index, block) in blocks.enumerated() {
            while true {
                let (isAllowed, failure) = state.withLock {
                    ($0.allowed[entry.partition] ?? .max > index, $0.failure)
                }
                if let failure { throw StageError(failure) }
                if isAllowed { break }
                NamedThread.pause(milliseconds: 1)
            }
            do {
                try body("sample", block)
            } catch {
                state.withLock { $0.broken += 1 }
                throw error
            }
            state.withLock { $0.readBlocks[entry.partition, default: 0] += 1 }
        }
    }

    func publish(_ group: CommitGroup, writer: Int) throws -> [TaskEntry] {
        state.withLock { state in
            state.groups.append(group)
            return group.tasks.map(\.entry)
        }
    }

    var published: [TaskEntry] { state.withLock { $0.groups.flatMap { $0.tasks.map(\.entry) } } }

    func decisions(of partition: PartitionID) -> [DecisionRecord] {
        state.withLock { state in
            state.groups.flatMap(\.tasks).filter { $0.entry.partition == partition }
                .flatMap { $0.decisions.flatMap(\.records) }
        }
    }
}

/// A runner over both, with one worker thread and two partitions: one has decisions to be read back, the other has none.
struct RestoringWorker {
    static let late = PartitionID(cluster: "c", topic: "t", partition: 0)
    static let other = PartitionID(cluster: "c", topic: "t", partition: 1)
    /// The blocks that the first partition has; trace 1000 × block + n was kept where n is even.
    static let blocks: UInt64 = 3

    let source = ManualSource()
    let store = GatedDecisions()
    let runner: PipelineRunner
    private let registry: StageRegistry

    private final class NoSink: Sink {
        func write(_ trace: KeptTrace) {}
        func write(_ rejected: RejectedRecord) {}
        var bufferedBytes: Int { 0 }
        func seal() -> (any SinkFlush)? { nil }
    }

    init() throws {
        var registry = RunningRegistry.registry
        let source = source
        registry.register(
            StageDefinition(
                kind: "manual", role: .source, summary: "", inputs: [],
                outputs: [OutputPort("spans", .spans, summary: "")], options: [],
                make: .source { _, _ in source }))
        registry.register(
            StageDefinition(
                kind: "nothing", role: .sink, summary: "", inputs: [.traces], outputs: [], options: [],
                make: .sink { _, _ in NoSink() }))
        self.registry = registry
        var settings = WorkerSettings()
        settings.threads = 1
        settings.flushInterval = 10
        runner = try PipelineRunner(
            plan: try Self.plan(registry, policy: "half"), settings: settings,
            environment: StageEnvironment(
                workingDirectory: ".", storeDirectory: ".", incarnation: "i", pipelineName: "restore"),
            store: store, deadLetters: { _ in NoSink() }, log: { _ in })
        store.state.withLock { state in
            state.entries[Self.late] = TaskEntry(
                partition: Self.late, epoch: 0, low: 100, high: 100,
                lanes: [LaneEntry(sampler: "sample", low: 100, done: DoneRefs())], streamTime: 90_000,
                streamTimeAtLow: 90_000,
                decisionFiles: [DecisionFileReference(path: "d", length: 1, lastDecidedAt: 90_000)])
            state.blocks[Self.late] = (0..<Self.blocks).map { block in
                (0..<10).map { Self.decision(on: 1000 * block + $0, isKept: $0 % 2 == 0) }
            }
        }
        try runner.start()
    }

    static func decision(on trace: UInt64, isKept: Bool) -> DecisionRecord {
        DecisionRecord(
            traceID: TestSpan.traceID(trace), isKept: isKept, trigger: .root, policyIndex: 0, policyVersion: 1,
            probability: 1, decidedAt: 80_000, spanCount: 1, byteCount: 1, duration: 1, firstOffset: 0, lastOffset: 0)
    }

    private static func plan(_ registry: StageRegistry, policy: String) throws -> PipelinePlan {
        let text = """
            pipeline: restore
            stages:
              spans: { kind: manual }
              sample:
                kind: tail_sampler
                from: spans
                window: { max: 12s, settle: 1s, idle: 7s }
                policies: [{ name: \(policy), type: always_sample }]
              out: { kind: nothing, from: sample }
            """
        let (plan, diagnostics) = PipelinePlan.load(text: text, registry: registry, environment: [:])
        guard let plan else { throw StageError(diagnostics.sorted.map(\.description).joined(separator: "\n")) }
        return plan
    }

    func reload(policy: String) throws {
        try runner.reload(try Self.plan(registry, policy: policy), settings: WorkerSettings())
    }

    func wait(for what: String, until condition: () throws -> Bool) throws {
        for _ in 0..<5000 {
            if try condition() { return }
            NamedThread.pause(milliseconds: 1)
        }
        throw StageError("waited too long for \(what)")
    }

    func host() throws -> any SourceHost {
        try wait(for: "the source") { source.host != nil }
        guard let host = source.host else { throw StageError("no source") }
        return host
    }

    func figures(of partition: PartitionID) -> WorkerSnapshot.Partition? {
        runner.snapshots.flatMap(\.partitions).first { $0.id == partition }
    }

    var restoring: Int { runner.snapshots.reduce(0) { $0 + $1.restoringPartitions } }
}
