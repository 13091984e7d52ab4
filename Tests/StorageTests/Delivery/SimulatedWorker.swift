import OTLP
import Pipeline
import Storage
import Synchronization
import TraceModel
import TraceSimulation

@testable import Pipeline
@testable import Sampling

/// The logs of all partitions: what was produced, and what must become of it.
struct SimulatedLog {
    struct Record {
        var bytes: [UInt8]
        var time: Int64
        /// Trace number by span number; empty for a record that cannot be read.
        var spans: [UInt64: UInt64]
    }

    var partitions: [PartitionID: [Record]] = [:]

    static func traceID(_ number: UInt64) -> TraceID { TraceID(high: number &* 0x9e37_79b9_7f4a_7c15, low: number) }

    /// Partitions with traces of their own. Every span has a number of its own.
    init(partitions count: Int32, records: Int, random: inout SeededRandom) {
        var number: UInt64 = 1
        for index in 0..<count {
            let partition = PartitionID(cluster: "c", topic: "t", partition: index)
            var time: Int64 = 10_000
            var list: [Record] = []
            for position in 0..<records {
                time += .random(in: 0...1500, using: &random)
                if Int.random(in: 0...24, using: &random) == 0 {
                    list.append(Record(bytes: [0xff, 0xff, 1], time: time, spans: [:]))
                    continue
                }
                var spans: [UInt64: UInt64] = [:]
                var models: [Span] = []
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    // Traces last a while and overlap; some spans come long after their trace was decided.
                    let back = Int.random(in: 0...19, using: &random) == 0 ? 60 : 6
                    let trace =
                        UInt64(max(0, position / 3 - .random(in: 0...back, using: &random)) + 1) * 100 + UInt64(index)
                    spans[number] = trace
                    models.append(
                        Span(
                            traceID: Self.traceID(trace), spanID: SpanID(number),
                            parentSpanID: SpanID(Int.random(in: 0...4, using: &random) == 0 ? 0 : 1), name: "op",
                            startTime: 1, endTime: 2))
                    number += 1
                }
                let resource = ResourceSpans(
                    resource: Resource(), scopeSpans: [ScopeSpans(scope: InstrumentationScope(), spans: models)])
                list.append(Record(bytes: OTLPEncoder.encode([resource]), time: time, spans: spans))
            }
            partitions[partition] = list
        }
    }
}

/// Writes one file per flush: a line per trace with its partition, trace id and span numbers.
final class LineSink: Sink {
    private var lines: [String] = []
    private var sequence = 0
    private let layout: StoreLayout
    private let incarnation: String
    private let fileSystem: any FileSystem

    init(layout: StoreLayout, incarnation: String, fileSystem: any FileSystem) {
        self.layout = layout
        self.incarnation = incarnation
        self.fileSystem = fileSystem
    }

    func write(_ trace: KeptTrace) throws {
        let spans = try OTLPDecoder.decode(trace.payload).flatMap { $0.scopeSpans.flatMap(\.spans) }
        let numbers = spans.map { String($0.spanID.value) }.joined(separator: ",")
        lines.append("\(trace.partition.partition) \(trace.summary.traceID.hex) \(numbers)")
    }

    var bufferedBytes: Int { lines.count }

    func seal() -> (any SinkFlush)? {
        if lines.isEmpty { return nil }
        sequence += 1
        defer { lines = [] }
        return Flush(
            bytes: Array((lines.joined(separator: "\n") + "\n").utf8), path: "segments/\(incarnation)/\(sequence).txt",
            layout: layout, fileSystem: fileSystem)
    }

    private final class Flush: SinkFlush {
        let bytes: [UInt8]
        let path: String
        let layout: StoreLayout
        let fileSystem: any FileSystem

        init(bytes: [UInt8], path: String, layout: StoreLayout, fileSystem: any FileSystem) {
            self.bytes = bytes
            self.path = path
            self.layout = layout
            self.fileSystem = fileSystem
        }

        func perform() throws -> [SegmentReference] {
            let full = layout.path(path)
            try fileSystem.writeDurably(bytes, to: full + ".tmp")
            try fileSystem.renameDurably(full + ".tmp", to: full)
            return [SegmentReference(path: path, byteCount: UInt64(bytes.count), checksum: Checksum.of(bytes))]
        }
    }
}

/// A worker process: tasks over a store, driven step by step. Dropping it is the crash.
final class SimulatedWorker {
    static let layout = StoreLayout(root: "store")

    let incarnation: String
    let store: FileDeliveryStore
    private let plan: PipelinePlan
    private let sinks: WorkerSinks
    private(set) var tasks: [PartitionID: PartitionTask] = [:]
    /// A group that could not be published and will be tried again.
    private(set) var unpublished: CommitGroup?

    static let plan: PipelinePlan? = {
        let text = """
            pipeline: simulation
            stages:
              spans: { kind: input }
              sample:
                kind: tail_sampler
                from: spans
                window: { max: 12s, settle: 4s, idle: 7s }
                policies: [{ name: half, type: probabilistic, probabilistic: { sampling_percentage: 50 } }]
              out: { kind: output, from: sample }
            """
        return try? SimulatedRegistry.load(text, SimulatedRegistry.make())
    }()

    init(incarnation: String, fileSystem: any FileSystem) throws {
        guard let plan = Self.plan else { throw StageError("the simulation's pipeline is wrong") }
        self.plan = plan
        self.incarnation = incarnation
        store = try FileDeliveryStore(layout: Self.layout, incarnation: incarnation, fileSystem: fileSystem)
        sinks = WorkerSinks(
            sinks: [plan.sinks[0]: LineSink(layout: Self.layout, incarnation: incarnation, fileSystem: fileSystem)],
            deadLetters: DeadLetterSink(
                path: "\(Self.layout.deadLetters)/\(incarnation)-0.jsonl", pipeline: "simulation",
                fileSystem: fileSystem))
    }

    /// Takes a partition over; returns where its predecessor's manifest says to start.
    @discardableResult
    func assign(_ partition: PartitionID) throws -> TaskEntry? {
        let restored = try store.acquire(partition)
        let environment = StageEnvironment(
            workingDirectory: ".", storeDirectory: ".", incarnation: incarnation, pipelineName: "simulation")
        let task = try PartitionTask(
            taskPlan: TaskPlan(plan: plan, source: plan.sources[0]),
            settings: PartitionTask.Settings(encoding: .otlpProto, maximumRecordBytes: 1 << 20, sourceName: "spans"),
            partition: partition, environment: environment, restored: restored, startOffset: 0, sinks: sinks)
        if let entry = restored.entry {
            try store.readDecisions(of: entry, since: task.decisionHorizonStart) { sampler, records in
                task.restoreDecisions(sampler: sampler, records)
            }
        }
        tasks[partition] = task
        return restored.entry
    }

    /// Forgets a partition, as after a revoke.
    func release(_ partition: PartitionID) { tasks[partition] = nil }

    /// Processes up to `count` records of a partition; returns false at the end of its log.
    func process(_ partition: PartitionID, _ log: SimulatedLog, count: Int) -> Bool {
        guard let task = tasks[partition], let records = log.partitions[partition] else { return false }
        for _ in 0..<count where task.position < records.count {
            let record = records[Int(task.position)]
            record.bytes.withUnsafeBytes { payload in
                task.process(
                    SourceRecord(
                        offset: task.position, timestamp: record.time,
                        key: UnsafeRawBufferPointer(start: nil, count: 0),
                        payload: payload), now: .max)
            }
        }
        return task.position < records.count
    }

    /// Publishes what was decided, or tries again what could not be published before.
    func flush() throws -> [TaskEntry] {
        let group: CommitGroup
        if let unpublished {
            group = unpublished
        } else {
            let flushes = sinks.seal()
            let sealed = tasks.values.filter(\.isPositioned).sorted { $0.partition < $1.partition }.map { $0.seal() }
            group = CommitGroup(tasks: sealed, flushes: flushes)
        }
        unpublished = group
        let entries = try store.publish(group, writer: 0)
        unpublished = nil
        for entry in entries where tasks[entry.partition]?.epoch == entry.epoch {
            tasks[entry.partition]?.decisionFiles = entry.decisionFiles
        }
        return entries
    }
}
