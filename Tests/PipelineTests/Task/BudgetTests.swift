import OTLP
import Synchronization
import Testing
import TraceModel

@testable import Pipeline

/// What a worker does when its budget is used up: the sampler says what it holds, and sees what it is asked for.
@Suite("The budget of a worker")
struct BudgetTests {
    /// Says whatever the test wants, and notes what it is told.
    private final class StubSampler: Sampler {
        var gauges = SamplerGauges()
        private(set) var targets: [Int] = []
        var failure: (any Error)?
        var decisionHorizon: Int64 { 0 }
        var policyCounters: [PolicyCounters] { [] }

        func add(
            _ batch: SpanBatch, _ selection: borrowing [UInt32], context: borrowing RecordContext,
            to output: any SamplerOutput
        ) {}
        func advance(to streamTime: Int64, output: any SamplerOutput) {}
        func shrink(toBytes bytes: Int, output: any SamplerOutput) { targets.append(bytes) }
        func closeAll(output: any SamplerOutput) {}
        func restore(_ decisions: [DecisionRecord]) {}
    }

    private final class Control: WorkerControl {
        let state = Mutex<(paused: [Bool], failures: [String])>(([], []))

        func commit(_ offsets: [PartitionID: CommittedOffset], wait: Bool) {}
        func setPaused(_ isPaused: Bool, _ partitions: [PartitionID], worker: Int, for reason: PauseReason) {
            if reason == .restoring { return }
            state.withLock { $0.paused.append(isPaused) }
        }
        func fenced(_ partitions: [PartitionID]) {}
        func dataLoss(_ partition: PartitionID, from: Int64, to: Int64, explanation: String) {}
        func failed(_ error: any Error) { state.withLock { $0.failures.append(String(describing: error)) } }
        func log(_ message: String) {}
    }

    private final class NoStore: DeliveryStore, GroupWriter, TaskRestorer {
        func acquire(_ partition: PartitionID) throws -> RestoredTask { RestoredTask(epoch: 1, entry: nil) }
        func readDecisions(of entry: TaskEntry, since oldest: Int64, _ body: (String, [DecisionRecord]) throws -> Void)
        {}
        func restore(_ restore: TaskRestore) {}
        func publish(_ group: CommitGroup, writer: Int) throws -> [TaskEntry] { [] }
        func publish(_ group: CommitGroup) {}
    }

    private final class NoSink: Sink {
        func write(_ rejected: RejectedRecord) {}
        var bufferedBytes: Int { 0 }
        func seal() -> (any SinkFlush)? { nil }
    }

    /// A worker with one partition whose sampler is a stub, and a budget of 1000 bytes.
    private struct Worker {
        let core: WorkerCore
        let control = Control()
        let sampler = StubSampler()
        private var now: Int64 = 0

        init() throws {
            var registry = StageRegistry()
            nonisolated(unsafe) let stub = sampler
            registry.register(
                StageDefinition(
                    kind: "input", role: .source, summary: "", inputs: [],
                    outputs: [OutputPort("spans", .spans, summary: "")], options: [],
                    make: .source { _, _ in throw StageError("records are given by hand") }))
            registry.register(
                StageDefinition(
                    kind: "stub", role: .sampler, summary: "", inputs: [.spans],
                    outputs: [OutputPort("kept", .traces, summary: "")], options: [], make: .sampler { _, _ in stub }))
            registry.register(
                StageDefinition(
                    kind: "output", role: .sink, summary: "", inputs: [.traces], outputs: [], options: [],
                    make: .sink { _, _ in NoSink() }))
            let text = """
                pipeline: budget
                stages:
                  spans: { kind: input }
                  sample: { kind: stub, from: spans }
                  out: { kind: output, from: sample }
                """
            let plan = try #require(PipelinePlan.load(text: text, registry: registry, environment: [:]).plan)
            var settings = WorkerSettings()
            settings.threads = 1
            settings.memoryBudget = 1000
            let store = NoStore()
            core = WorkerCore(
                index: 0, plan: plan, settings: settings,
                environment: StageEnvironment(
                    workingDirectory: ".", storeDirectory: ".", incarnation: "w", pipelineName: "budget"),
                sinks: WorkerSinks(sinks: [:], deadLetters: NoSink()), store: store, control: control, writer: store,
                restorer: store, at: WorkerTime(wall: 0, monotonic: 0))
            core.assign(
                PartitionID(cluster: "c", topic: "t", partition: 0), RestoredTask(epoch: 1, entry: nil),
                TaskPlan(plan: plan, source: plan.sources[0]),
                PartitionTask.Settings(encoding: .otlpProto, maximumRecordBytes: 1000, sourceName: "spans"),
                startOffset: 0, at: WorkerTime(wall: 0, monotonic: 0))
        }

        mutating func upkeep() {
            now += 200
            core.upkeep(at: WorkerTime(wall: now, monotonic: now))
        }
    }

    @Test("remembered decisions count, but leave a quarter to the windows")
    func decisionsCount() throws {
        var worker = try Worker()
        worker.sampler.gauges.windowBytes = 800
        worker.upkeep()
        #expect(worker.sampler.targets.isEmpty)
        worker.sampler.gauges.decisionBytes = 400
        worker.upkeep()
        #expect(worker.sampler.targets == [540])
        worker.sampler.gauges.decisionBytes = 5000
        worker.upkeep()
        #expect(worker.sampler.targets == [540, 225])
        #expect(worker.control.state.withLock { $0.paused }.isEmpty)
    }

    @Test("a disk that takes no spans pauses the partitions while the budget is used up, and no longer")
    func refusingDisk() throws {
        var worker = try Worker()
        worker.sampler.gauges.windowBytes = 800
        worker.sampler.gauges.spillError = "no space left on device"
        worker.upkeep()
        #expect(worker.control.state.withLock { $0.paused }.isEmpty)
        worker.sampler.gauges.windowBytes = 1200
        worker.upkeep()
        #expect(worker.control.state.withLock { $0.paused } == [true])
        worker.sampler.gauges.spillError = nil
        worker.upkeep()
        #expect(worker.control.state.withLock { $0.paused } == [true, false])
    }

    @Test("a sampler that cannot go on is reported, and nothing is sealed")
    func failure() throws {
        var worker = try Worker()
        worker.sampler.failure = StageError("cannot read back")
        worker.upkeep()
        #expect(worker.control.state.withLock { $0.failures } == ["cannot read back"])
    }
}
