import OTLP
import Pipeline
import Synchronization
import TraceModel

/// One thing that a sink was given.
enum OutputItem: Sendable {
    case trace(KeptTrace)
    case spans(SpanPayload)
    case summary(DroppedTrace)
    case reject(RejectedRecord)

    /// The traces that it is about; none for a record that could not be read.
    var traceIDs: Set<TraceID> {
        switch self {
        case .trace(let trace): [trace.summary.traceID]
        case .spans(let spans): [spans.traceID]
        case .summary(let dropped): [dropped.summary.traceID]
        case .reject(let rejected): Set(Self.spans(in: rejected.payload).map(\.span.traceID))
        }
    }

    /// The spans in it, as they are.
    var spans: [(span: Span, resource: Resource)] {
        switch self {
        case .trace(let trace): Self.spans(in: trace.payload)
        case .spans(let spans): Self.spans(in: spans.payload)
        case .reject(let rejected): Self.spans(in: rejected.payload)
        case .summary: []
        }
    }

    private static func spans(in payload: [UInt8]) -> [(span: Span, resource: Resource)] {
        guard let decoded = try? OTLPDecoder.decode(payload) else { return [] }
        return decoded.flatMap { part in part.scopeSpans.flatMap(\.spans).map { ($0, part.resource) } }
    }
}

/// What has durably left a pipeline, by sink: what a crash does not take back.
final class OutputLog: Sendable {
    private let items = Mutex<[String: [OutputItem]]>([:])

    func append(_ new: [OutputItem], to sink: String) {
        items.withLock { $0[sink, default: []] += new }
    }

    func items(of sink: String) -> [OutputItem] { items.withLock { $0[sink] ?? [] } }
}

/// Stands in for every sink of a tested pipeline: keeps what it is given. What was not flushed is gone after a crash, as with
/// a real one.
final class CapturingSink: Sink {
    private let name: String
    private let log: OutputLog
    private let grouping: SpanGrouping
    /// Where the sink writes a topic that another source of the same pipeline reads.
    private let relay: RepartitionRelay?
    /// The sink stores traces, and of dropped ones their number: these have not reached it.
    private let ignoresDropped: Bool
    private(set) var items: [OutputItem] = []

    init(name: String, log: OutputLog, grouping: SpanGrouping, relay: RepartitionRelay?, ignoresDropped: Bool = false) {
        self.name = name
        self.log = log
        self.grouping = grouping
        self.relay = relay
        self.ignoresDropped = ignoresDropped
    }

    func write(_ trace: KeptTrace) { append(.trace(trace), bytes: trace.payload.count) }
    func write(_ spans: SpanPayload) { append(.spans(spans), bytes: spans.payload.count) }
    func write(_ dropped: DroppedTrace) {
        if !ignoresDropped { append(.summary(dropped), bytes: 256) }
    }
    func write(_ rejected: RejectedRecord) { append(.reject(rejected), bytes: rejected.payload.count) }

    private func append(_ item: OutputItem, bytes: Int) {
        items.append(item)
        bufferedItems += 1
        itemBytes += bytes
    }

    private var bufferedItems = 0
    private var itemBytes = 0

    // Something that is buffered has at least a byte, so that it is sealed.
    var bufferedBytes: Int { itemBytes + bufferedItems + (relay?.isProgressDue == true ? 1 : 0) }

    var spanGrouping: SpanGrouping { grouping }

    func note(_ progress: [TaskProgress], now: Int64) { relay?.note(progress, hasRecords: !items.isEmpty, now: now) }

    func seal() -> (any SinkFlush)? {
        let message = relay?.seal(items)
        guard !items.isEmpty || message != nil else { return nil }
        defer {
            items = []
            bufferedItems = 0
            itemBytes = 0
        }
        return Flush(name: name, items: items, log: log, message: message, relay: relay)
    }

    /// Performed once: nothing fails between it and the manifest.
    private final class Flush: SinkFlush, @unchecked Sendable {
        private let name: String
        private let items: [OutputItem]
        private let log: OutputLog
        private let message: RepartitionRelay.Message?
        // Used by the thread that runs the test only, hence the unchecked Sendable.
        private let relay: RepartitionRelay?

        init(
            name: String, items: [OutputItem], log: OutputLog, message: RepartitionRelay.Message?,
            relay: RepartitionRelay?
        ) {
            self.name = name
            self.items = items
            self.log = log
            self.message = message
            self.relay = relay
        }

        func perform() -> [SegmentReference] {
            log.append(items, to: name)
            if let message { relay?.send(message) }
            return []
        }
    }
}

/// The internal topic between a `repartition` stage and the source that reads it in the same pipeline: records by trace, then
/// the progress that moves the reader's stream time, as `RepartitionSink` sends them.
final class RepartitionRelay {
    struct Message {
        var records: [TestTopic.Record]
        var progress: RepartitionProgress?
    }

    private let topic: TestTopic
    private let outer: TestTopic
    private var progress: [TaskProgress] = []
    private var notedAt: Int64 = 0
    private(set) var isProgressDue = false
    private var lastProgressAt = Int64.min
    /// Milliseconds, as in production.
    private static let quietInterval: Int64 = 5000

    init(from outer: TestTopic, to topic: TestTopic) {
        self.outer = outer
        self.topic = topic
    }

    func note(_ progress: [TaskProgress], hasRecords: Bool, now: Int64) {
        let own = progress.filter { $0.partition.topic == outer.name }
        guard !own.isEmpty else { return }
        isProgressDue = hasRecords || lastProgressAt == .min || now - lastProgressAt >= Self.quietInterval
        self.progress = own
        notedAt = now
    }

    func seal(_ items: [OutputItem]) -> Message? {
        guard !items.isEmpty || isProgressDue else { return nil }
        let records = items.compactMap { item -> TestTopic.Record? in
            guard case .spans(let spans) = item else { return nil }
            return TestTopic.Record(
                timestamp: spans.timestamp, key: Array(spans.traceID.hex.utf8), payload: spans.payload)
        }
        guard isProgressDue else { return Message(records: records) }
        isProgressDue = false
        lastProgressAt = notedAt
        return Message(
            records: records,
            progress: RepartitionProgress(
                partitionCount: Int32(clamping: outer.partitions.count), reportedAt: notedAt,
                partitions: progress.map {
                    RepartitionProgress.Partition(
                        number: $0.partition.partition, epoch: $0.epoch, streamTime: $0.streamTime, isAtEnd: $0.isAtEnd)
                }))
    }

    func send(_ message: Message) {
        for record in message.records { topic.append(record, to: topic.partition(ofKey: record.key)) }
        guard let progress = message.progress else { return }
        let record = TestTopic.Record(
            timestamp: progress.reportedAt, key: RepartitionProgress.key, payload: progress.encoded())
        for partition in topic.partitions.indices { topic.append(record, to: partition) }
    }
}
