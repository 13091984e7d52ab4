import OTLP
import Testing
import TraceModel

@testable import Pipeline

/// A topic that is not keyed, repartitioned and sampled: the real tasks of both halves, with logs in memory between them.
@Suite("A repartitioned backlog")
struct RepartitionTests {
    static let seeds: [UInt64] = [1, 2, 3, 4, 5, 6, 7, 8]

    @Test("keeps every error trace whole and once, though its partitions are filled 1 : 1.84", arguments: seeds)
    func whole(seed: UInt64) throws {
        let backlog = UnkeyedBacklog(seed: seed)
        let logs = try backlog.repartitioned()
        let outcome = try backlog.sampled(logs, isRepartitioned: true, restartEvery: nil)
        #expect(outcome.brokenErrorTraces(of: backlog) == [], "seed \(seed)")
        #expect(outcome.late == 0, "seed \(seed)")
    }

    @Test("loses error traces where stream time is the latest one seen: the test sees what it is for")
    func control() throws {
        let backlog = UnkeyedBacklog(seed: 1)
        let outcome = try backlog.sampled(try backlog.repartitioned(), isRepartitioned: false, restartEvery: nil)
        #expect(!outcome.brokenErrorTraces(of: backlog).isEmpty)
    }

    @Test("keeps them whole and once over restarts of the sampling half", arguments: seeds)
    func restarts(seed: UInt64) throws {
        let backlog = UnkeyedBacklog(seed: seed)
        let outcome = try backlog.sampled(try backlog.repartitioned(), isRepartitioned: true, restartEvery: 97)
        #expect(outcome.brokenErrorTraces(of: backlog) == [], "seed \(seed)")
    }

    @Test("a record of several traces becomes a record per trace, with the outer record's stream time")
    func perTrace() throws {
        let plan = try RunningRegistry.plan("  out: { kind: output, from: spans }")
        let sink = GroupingSink(maximumBytes: .max)
        let task = try UnkeyedBacklog.task(plan, sink: sink, isRepartitioned: false)
        let spans = [1, 2, 1, 3, 2, 1].enumerated().map { TestSpan(trace: $1, number: UInt64($0 + 1)) }
        task.process(offset: 0, at: 5000, key: [], bytes: TestSpan.encode([TestSpan(trace: 9, number: 90)]))
        // A record that is older than its predecessor does not turn time back.
        task.process(offset: 1, at: 3000, key: [], bytes: TestSpan.encode(spans))
        #expect(sink.payloads.dropFirst().map(\.traceID) == [1, 2, 3].map(TestSpan.traceID))
        #expect(sink.payloads.dropFirst().map(\.spanCount) == [3, 2, 1])
        #expect(sink.payloads.map(\.timestamp) == [5000, 5000, 5000, 5000])
        let numbers = try sink.payloads.dropFirst().map { try TestSpan.decode($0.payload).map(\.spanID.value) }
        #expect(numbers == [[1, 3, 6], [2, 5], [4]])
        #expect(task.counters.imbalance(inWindow: 0) == 0)
    }

    @Test("spans of one trace that are larger than a record may be are divided")
    func divided() throws {
        let plan = try RunningRegistry.plan("  out: { kind: output, from: spans }")
        let sink = GroupingSink(maximumBytes: 500)
        let task = try UnkeyedBacklog.task(plan, sink: sink, isRepartitioned: false)
        let spans = (1...20).map { TestSpan(trace: 7, number: UInt64($0)) }
        task.process(offset: 0, at: 5000, key: [], bytes: TestSpan.encode(spans))
        #expect(sink.payloads.count > 1)
        #expect(sink.payloads.allSatisfy { $0.payload.count <= 500 && $0.traceID == TestSpan.traceID(7) })
        #expect(try sink.payloads.flatMap { try TestSpan.decode($0.payload).map(\.spanID.value) } == Array(1...20))
    }

    @Test("what is held for its time is let go when memory runs out, and nothing of it is lost")
    func memory() throws {
        let plan = try RunningRegistry.plan(UnkeyedBacklog.sampling)
        let sink = GroupingSink(maximumBytes: .max)
        let task = try UnkeyedBacklog.task(plan, sink: sink, isRepartitioned: true)
        for number: UInt64 in 1...500 {
            task.process(
                offset: Int64(number - 1), at: Int64(number) * 1000, key: [],
                bytes: TestSpan.encode([TestSpan(trace: number, number: number, isError: true)]))
        }
        #expect(task.openSpans == 500)
        #expect(sink.traces.isEmpty)
        task.shrink(toBytes: 0)
        #expect(task.openSpans == 0)
        #expect(sink.traces.count == 500)
        #expect(task.counters.imbalance(inWindow: task.openSpans) == 0)
    }
}

/// Traces whose spans are spread over the partitions of a topic, in the order of time within each of them.
struct UnkeyedBacklog {
    struct Record {
        var time: Int64
        var spans: [TestSpan]
    }

    /// Partition 3 holds 1.84 times what partition 0 holds.
    private static let weights = [1.0, 1.2, 1.5, 1.84]
    private static let innerPartitions: UInt64 = 3
    static let sampling = """
          sample:
            kind: tail_sampler
            from: spans
            window: { max: 30s, settle: 10s, idle: 15s }
            policies: [{ name: errors, type: status_code, status_code: { status_codes: [ERROR] } }]
          out: { kind: output, from: sample }
        """

    private(set) var partitions: [[Record]] = [[], [], [], []]
    private(set) var spansOfErrorTraces: [UInt64: Set<UInt64>] = [:]
    private let seed: UInt64

    init(seed: UInt64) {
        self.seed = seed
        var random = TaskRandom(seed: seed)
        var number: UInt64 = 0
        for trace: UInt64 in 1...1500 {
            let start = Int64.random(in: 0..<240_000, using: &random)
            let count = Int.random(in: 2...6, using: &random)
            let errorSpan = trace % 5 == 0 ? Int.random(in: 0..<count, using: &random) : -1
            for index in 0..<count {
                number += 1
                let span = TestSpan(trace: trace, number: number, isRoot: index == 0, isError: index == errorSpan)
                // SDKs flush every few seconds.
                let time = start + Int64.random(in: 0..<8000, using: &random)
                partitions[Self.partition(&random)].append(Record(time: 1_000_000 + time, spans: [span]))
                if errorSpan >= 0 { spansOfErrorTraces[trace, default: []].insert(number) }
            }
        }
        for index in partitions.indices { partitions[index].sort { $0.time < $1.time } }
    }

    private static func partition(_ random: inout TaskRandom) -> Int {
        var place = Double.random(in: 0..<weights.reduce(0, +), using: &random)
        for (index, weight) in weights.enumerated() {
            if place < weight { return index }
            place -= weight
        }
        return 0
    }

    struct InnerRecord {
        var time: Int64
        var key: [UInt8]
        var value: [UInt8]
    }

    /// The internal topic's log after two repartitioners of different speed have drained the backlog: each reads its partitions
    /// in turn, record by record, so that the fuller one falls behind in time.
    func repartitioned() throws -> [[InnerRecord]] {
        var random = TaskRandom(seed: seed &+ 100)
        var logs = [[InnerRecord]](repeating: [], count: Int(Self.innerPartitions))
        var repartitioners = [Repartitioner(partitions: [0, 3]), Repartitioner(partitions: [1, 2])]
        for index in repartitioners.indices { try repartitioners[index].start() }
        while repartitioners.contains(where: { !$0.isDone }) {
            // The second one is slower, and stands still at times.
            let turn = Int.random(in: 0..<10, using: &random) < 7 ? 0 : 1
            let flushed = repartitioners[turn].step(records: Int.random(in: 1...40, using: &random), of: partitions)
            for record in flushed.records { logs[Int(record.trace % Self.innerPartitions)].append(record.record) }
            for index in logs.indices {
                logs[index].append(
                    InnerRecord(time: 0, key: RepartitionProgress.key, value: flushed.progress.encoded()))
            }
        }
        return logs
    }

    private struct Repartitioner {
        let partitions: [Int]
        private var tasks: [Int: PartitionTask] = [:]
        private var next: [Int: Int] = [:]
        private let sink = GroupingSink(maximumBytes: .max)
        private(set) var isDone = false

        init(partitions: [Int]) { self.partitions = partitions }

        mutating func start() throws {
            let plan = try RunningRegistry.plan("  out: { kind: output, from: spans }")
            for partition in partitions {
                tasks[partition] = try UnkeyedBacklog.task(plan, sink: sink, isRepartitioned: false)
            }
        }

        mutating func step(
            records: Int, of backlog: [[Record]]
        ) -> (records: [(trace: UInt64, record: InnerRecord)], progress: RepartitionProgress) {
            for _ in 0..<records {
                for partition in partitions {
                    let index = next[partition, default: 0]
                    guard index < backlog[partition].count else { continue }
                    let record = backlog[partition][index]
                    next[partition] = index + 1
                    tasks[partition]?.process(
                        offset: Int64(index), at: record.time, key: [], bytes: TestSpan.encode(record.spans))
                }
            }
            let flushed = sink.payloads.map { payload in
                (
                    payload.traceID.low,
                    InnerRecord(
                        time: payload.timestamp, key: Array(payload.traceID.hex.utf8), value: payload.payload)
                )
            }
            sink.payloads = []
            let progress = partitions.map { partition in
                RepartitionProgress.Partition(
                    number: Int32(partition), epoch: 1, streamTime: tasks[partition]?.streamTime ?? .min,
                    isAtEnd: next[partition, default: 0] == backlog[partition].count)
            }
            isDone = progress.allSatisfy(\.isAtEnd)
            return (
                flushed,
                // Long after the records were written: it is a backlog.
                RepartitionProgress(partitionCount: 4, reportedAt: 100_000_000, partitions: progress)
            )
        }
    }

    struct Outcome {
        /// Of every kept trace: its span numbers, once for each time they were stored.
        var kept: [UInt64: [UInt64]] = [:]
        var late: UInt64 = 0

        func brokenErrorTraces(of backlog: UnkeyedBacklog) -> [UInt64] {
            backlog.spansOfErrorTraces.filter { trace, spans in (kept[trace] ?? []).sorted() != spans.sorted() }
                .map(\.key).sorted()
        }
    }

    func sampled(_ logs: [[InnerRecord]], isRepartitioned: Bool, restartEvery: Int?) throws -> Outcome {
        let plan = try RunningRegistry.plan(Self.sampling)
        var outcome = Outcome()
        for log in logs {
            var restored = RestoredTask(epoch: 1, entry: nil)
            var decisions: [LaneDecisions] = []
            var reached = 0
            while true {
                let sink = GroupingSink(maximumBytes: .max)
                let task = try Self.task(plan, sink: sink, isRepartitioned: isRepartitioned, restored: restored)
                for lane in decisions { task.restoreDecisions(sampler: lane.sampler, lane.records) }
                let stop = min(log.count, restartEvery.map { reached + $0 } ?? log.count)
                for index in Int(task.position)..<max(stop, Int(task.position)) {
                    task.process(
                        offset: Int64(index), at: log[index].time, key: log[index].key, bytes: log[index].value)
                    #expect(task.counters.imbalance(inWindow: task.openSpans) == 0)
                }
                reached = stop
                if stop == log.count { task.closeAll() }
                let sealed = task.seal()
                for trace in sink.traces {
                    let numbers = try TestSpan.decode(trace.payload).map(\.spanID.value)
                    outcome.kept[trace.summary.traceID.low, default: []] += numbers
                }
                outcome.late += task.counters.lateKept + task.counters.lateDropped
                if stop == log.count { break }
                decisions += sealed.decisions
                restored = RestoredTask(epoch: restored.epoch + 1, entry: sealed.entry)
            }
        }
        return outcome
    }

    static func task(
        _ plan: PipelinePlan, sink: GroupingSink, isRepartitioned: Bool,
        restored: RestoredTask = RestoredTask(epoch: 1, entry: nil)
    ) throws -> PartitionTask {
        let environment = StageEnvironment(
            workingDirectory: ".", storeDirectory: ".", incarnation: "i", pipelineName: "test")
        var settings = PartitionTask.Settings(
            encoding: .otlpProto, maximumRecordBytes: 100_000, sourceName: "spans")
        settings.isRepartitioned = isRepartitioned
        return try PartitionTask(
            taskPlan: try TaskPlan.make(plan: plan, source: plan.sources[0], environment: environment),
            settings: settings, partition: TaskDriver.partition, environment: environment, restored: restored,
            startOffset: 0, sinks: WorkerSinks(sinks: [plan.sinks[0]: sink], deadLetters: sink))
    }
}

/// Takes spans by trace, as a repartition does, and keeps everything.
final class GroupingSink: Sink {
    let spanGrouping: SpanGrouping
    var payloads: [SpanPayload] = []
    var traces: [KeptTrace] = []

    init(maximumBytes: Int) { spanGrouping = .trace(maximumBytes: maximumBytes) }

    func write(_ trace: KeptTrace) { traces.append(trace) }
    func write(_ spans: SpanPayload) { payloads.append(spans) }
    var bufferedBytes: Int { 0 }
    func seal() -> (any SinkFlush)? { nil }
}

extension PartitionTask {
    fileprivate func process(offset: Int64, at time: Int64, key: [UInt8], bytes: [UInt8]) {
        key.withUnsafeBytes { key in
            bytes.withUnsafeBytes { payload in
                process(SourceRecord(offset: offset, timestamp: time, key: key, payload: payload), now: .max)
            }
        }
    }
}
