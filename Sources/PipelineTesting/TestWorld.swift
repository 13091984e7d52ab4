import Glibc
import OTLP
import Pipeline
import TraceModel

/// Everything that one test has: its clock, its topics, its store, and the worker of the moment.
final class TestWorld {
    let plan: PipelinePlan
    let topics: [TestTopic]
    let fileSystem = MemoryFileSystem()
    let outputs = OutputLog()
    let book = DecisionBook()
    private(set) var traces: [String: [TestTrace]] = [:]
    /// Names in the order in which they were first used.
    private(set) var traceNames: [String] = []
    /// Milliseconds since the test began.
    private(set) var now: Int64 = 0
    private(set) var worker: TestWorker?
    /// Figures of workers that are gone.
    private var formerSnapshots: [WorkerSnapshot] = []
    private var starts = 0
    private let test: PipelineTest
    /// Repartition stages by their index, with the topics that they join.
    private let relays: [Int: (outer: TestTopic, inner: TestTopic)]

    /// Every test begins at the same moment, a whole hour: 2026-01-01T00:00:00Z in milliseconds.
    static let epoch: Int64 = 1_767_225_600_000

    init(plan: PipelinePlan, test: PipelineTest) throws {
        self.plan = plan
        self.test = test
        var topics: [TestTopic] = []
        for index in plan.sources {
            let stage = plan.stages[index]
            let name = stage.settings.string("topic") ?? stage.name
            // Two sources of one topic are two logs here.
            let isTaken = topics.contains { $0.name == name }
            topics.append(
                TestTopic(
                    source: stage.name, name: isTaken ? "\(name)@\(stage.name)" : name, partitionCount: test.partitions)
            )
        }
        self.topics = topics
        relays = Self.relays(plan, topics)
        worker = try start()
    }

    /// Where a repartition stage feeds a source of the same pipeline.
    private static func relays(
        _ plan: PipelinePlan, _ topics: [TestTopic]
    ) -> [Int: (outer: TestTopic, inner: TestTopic)] {
        var relays: [Int: (outer: TestTopic, inner: TestTopic)] = [:]
        for index in plan.sinks where plan.stages[index].kind == "repartition" {
            guard let topic = plan.stages[index].settings.string("topic"),
                let inner = topics.first(where: { topicOfSource in
                    topicOfSource.name == topic
                        && plan.stage(named: topicOfSource.source)?.settings.string("keyed_by") == "repartition"
                }),
                let outer = topics.first(where: { candidate in
                    plan.index(of: candidate.source).map { TaskPlan(plan: plan, source: $0).stages.contains(index) }
                        == true
                })
            else { continue }
            relays[index] = (outer, inner)
        }
        return relays
    }

    /// A new one for each start of a worker: what it holds dies with its process.
    func relay(of sink: Int) -> RepartitionRelay? {
        relays[sink].map { RepartitionRelay(from: $0.outer, to: $0.inner) }
    }

    var time: WorkerTime { WorkerTime(wall: Self.epoch + now, monotonic: now) }

    /// Where windows spill to disk, if they do. Nothing is made there before.
    var spillRoot: String { "/tmp/tailrace-test-\(getpid())" }

    /// Called when the test is over.
    func close() {
        worker = nil
        rmdir(spillRoot + "/spill")
        rmdir(spillRoot)
    }

    private func start() throws -> TestWorker {
        starts += 1
        return try TestWorker(self, incarnation: starts)
    }

    // MARK: - Steps

    func tick() throws { try worker?.tick(at: time) }

    func advance(_ duration: Int64) throws {
        let end = now + duration
        // A worker looks at its clock several times per second. Over days that would take long and change little.
        let interval = max(WorkerCore.upkeepInterval, duration / 10_000)
        // The last look is at the end, and a whole interval after the one before it: what is due then is done.
        now += (end - now) % interval
        if now < end { try tick() }
        while now < end {
            let isIdle = relays.isEmpty && worker?.isIdle == true
            now = isIdle ? end : now + interval
            try tick()
        }
    }

    func flush() throws {
        try tick()
        try worker?.flush(at: time)
    }

    /// The process dies; a new one starts at once.
    func crash() throws {
        if let worker { formerSnapshots.append(worker.lastSnapshot) }
        book.forgetUnpublished()
        worker = nil
        worker = try start()
        try tick()
    }

    /// Every partition moves to another worker.
    func rebalance() throws {
        try worker?.handOver(at: time)
        if let worker { formerSnapshots.append(worker.lastSnapshot) }
        worker = try start()
        try tick()
    }

    // MARK: - Records

    func send(_ traffic: PipelineTest.Traffic) throws {
        for index in prepare(traffic) {
            let spans = try makeSpans(traffic, index)
            try append(spans, key: key(traffic.name, index), to: entrance(nil), partition: nil)
            if traffic.interval > 0 { try advance(traffic.interval) }
        }
        try tick()
    }

    func send(_ record: PipelineTest.Record) throws {
        let topic = entrance(record.source)
        switch record.content {
        case .bytes(let bytes):
            topic?.append(
                TestTopic.Record(timestamp: time.wall, key: [], payload: bytes), to: record.partition ?? 0)
        case .spans(let traffics):
            var spans: [ResourceSpans] = []
            for traffic in traffics {
                for index in prepare(traffic) { spans += try makeSpans(traffic, index) }
            }
            let key = traffics.first.map { self.key($0.name, 0) } ?? []
            try append(spans, key: key, to: topic, partition: record.partition)
        }
        try tick()
    }

    func resend(_ references: [PipelineTest.TraceReference]) throws {
        for reference in references {
            for (index, trace) in (traces[reference.name] ?? []).enumerated() {
                for spans in trace.sent {
                    try append(spans, key: key(reference.name, index), to: entrance(nil), partition: nil)
                }
            }
        }
        try tick()
    }

    private func prepare(_ traffic: PipelineTest.Traffic) -> Range<Int> {
        if traces[traffic.name] == nil {
            traceNames.append(traffic.name)
            traces[traffic.name] = (0..<(traffic.count ?? 1)).map { index in
                let title = traffic.count == nil ? traffic.name : "\(traffic.name) \(index + 1)"
                return TestTrace(title: title, id: test.traceIDs[title] ?? TestIdentifiers.traceID(title))
            }
        }
        return 0..<(traces[traffic.name]?.count ?? 0)
    }

    private func makeSpans(_ traffic: PipelineTest.Traffic, _ index: Int) throws -> [ResourceSpans] {
        let ids = test.traceIDs
        return try traces[traffic.name]?[index].send(
            traffic.spans, now: UInt64(time.wall) * 1_000_000,
            link: { ids[$0] ?? TestIdentifiers.traceID($0) }) ?? []
    }

    private func key(_ name: String, _ index: Int) -> [UInt8] {
        traces[name].map { Array($0[index].id.hex.utf8) } ?? []
    }

    private func append(
        _ spans: [ResourceSpans], key: [UInt8], to topic: TestTopic?, partition: Int?
    ) throws {
        guard let topic else { return }
        let settings = plan.stage(named: topic.source)?.settings
        let isJSON = settings?.string("encoding") == RecordEncoding.otlpJSON.rawValue
        let key = settings?.string("keyed_by") == "nothing" ? [] : key
        let record = TestTopic.Record(
            timestamp: time.wall, key: key,
            payload: isJSON ? OTLPJSONEncoder.encode(spans) : OTLPEncoder.encode(spans))
        topic.append(record, to: partition ?? topic.partition(ofKey: key))
    }

    /// The log that spans for a source come in by: for the source of an internal topic the one before the repartition.
    private func entrance(_ source: String?) -> TestTopic? {
        let inner = relays.values.map(\.inner.source)
        let topic = source.flatMap { name in topics.first { $0.source == name } }
        if let topic { return relays.values.first { $0.inner === topic }?.outer ?? topic }
        return topics.first { !inner.contains($0.source) } ?? topics.first
    }

    // MARK: - What can be seen

    /// Everything that a sink was given, but for what a crash has taken.
    func items(in sink: String) -> [OutputItem] {
        outputs.items(of: sink) + (worker?.buffered(in: sink) ?? [])
    }

    /// Figures of all workers of the test: those that are gone count too, as in a sum over a fleet.
    var snapshots: [WorkerSnapshot] { formerSnapshots + (worker.map { [$0.snapshot] } ?? []) }

    /// Names of policies by sampler.
    var policies: [String: [String]] {
        Dictionary(
            (worker?.snapshot.policies ?? []).map { ($0.sampler, $0.counters.map(\.name)) },
            uniquingKeysWith: { first, _ in first })
    }

    /// A moment as messages show it: `12.5 s`.
    static func seconds(_ milliseconds: Int64) -> String {
        "\(NumberRange.shown(Double(milliseconds) / 1000)) s"
    }
}
