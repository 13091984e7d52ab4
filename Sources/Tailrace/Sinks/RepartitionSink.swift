import Kafka
import Pipeline
import Synchronization
import TraceModel

/// Writes spans to an internal topic, one record per trace and batch, keyed by trace id, and says how far it has come.
///
/// The flush sends the records, waits until all are acknowledged, and only then sends the progress: a reader that sees it has
/// seen everything before it. Offsets of the outer topic are committed after the flush. A crash between the two writes the
/// records again: at least once.
final class RepartitionSink: Sink {
    private struct Entry {
        var traceID: TraceID
        var timestamp: Int64
        /// Where the record's value ends in the buffer.
        var end: Int
    }

    private let topic: InternalTopic
    private let maximumRecordBytes: Int
    private var bytes: [UInt8] = []
    private var entries: [Entry] = []
    private var outerTopic = ""
    /// Noted since the last seal.
    private var progress: [TaskProgress] = []
    private var progressAt: Int64 = 0
    private var isProgressDue = false
    private var lastProgressAt = Int64.min
    /// Without news progress is told after this time, milliseconds: readers that have just started wait for it.
    private static let quietInterval: Int64 = 5000

    init(topic: InternalTopic, maximumRecordBytes: Int) {
        self.topic = topic
        self.maximumRecordBytes = maximumRecordBytes
    }

    var spanGrouping: SpanGrouping { .trace(maximumBytes: maximumRecordBytes) }

    func write(_ spans: SpanPayload) throws {
        try read(spans.partition.topic)
        bytes += spans.payload
        entries.append(Entry(traceID: spans.traceID, timestamp: spans.timestamp, end: bytes.count))
    }

    /// Progress is told by partition number, which two topics would share.
    private func read(_ topic: String) throws {
        guard outerTopic.isEmpty || outerTopic == topic else {
            throw StageError(
                "a repartition stage reads one topic, this one gets \(outerTopic) and \(topic); use one stage for each, with "
                    + "internal topics of their own")
        }
        outerTopic = topic
    }

    func note(_ progress: [TaskProgress], now: Int64) {
        guard let first = progress.first, outerTopic.isEmpty || outerTopic == first.partition.topic else { return }
        outerTopic = first.partition.topic
        isProgressDue = !entries.isEmpty || lastProgressAt == .min || now - lastProgressAt >= Self.quietInterval
        self.progress = progress.filter { $0.partition.topic == outerTopic }
        progressAt = now
    }

    /// Never 0 while progress is due, so that it is sealed.
    var bufferedBytes: Int { bytes.count + entries.count * 32 + (isProgressDue ? 1 : 0) }

    func seal() -> (any SinkFlush)? {
        guard !entries.isEmpty || isProgressDue else { return nil }
        defer {
            bytes = []
            entries = []
            isProgressDue = false
        }
        if isProgressDue { lastProgressAt = progressAt }
        return Flush(
            topic: topic, outerTopic: outerTopic, bytes: bytes, entries: entries,
            progress: isProgressDue ? progress : [], at: progressAt)
    }

    private final class Flush: SinkFlush {
        private let topic: InternalTopic
        private let outerTopic: String
        private let bytes: [UInt8]
        private let entries: [Entry]
        private let progress: [TaskProgress]
        private let time: Int64
        private let isDone = Mutex(false)

        init(
            topic: InternalTopic, outerTopic: String, bytes: [UInt8], entries: [Entry], progress: [TaskProgress],
            at time: Int64
        ) {
            self.topic = topic
            self.outerTopic = outerTopic
            self.bytes = bytes
            self.entries = entries
            self.progress = progress
            self.time = time
        }

        func perform() throws -> [SegmentReference] {
            try isDone.withLock { isDone in
                if isDone { return }
                let counts = try topic.partitionCounts(outer: outerTopic)
                try topic.send { producer in
                    try sendRecords(producer)
                    try producer.flush(timeoutMs: 60_000)
                    if progress.isEmpty { return }
                    try sendProgress(producer, counts)
                    try producer.flush(timeoutMs: 60_000)
                }
                isDone = true
            }
            return []
        }

        private func sendRecords(_ producer: KafkaProducer) throws {
            try bytes.withUnsafeBytes { bytes in
                var start = 0
                for entry in entries {
                    let key = Array(entry.traceID.hex.utf8)
                    let value = UnsafeRawBufferPointer(rebasing: bytes[start..<entry.end])
                    try key.withUnsafeBytes { key in
                        try producer.send(topic: topic.name, key: key, value: value, timestampMs: entry.timestamp)
                    }
                    start = entry.end
                }
            }
        }

        private func sendProgress(_ producer: KafkaProducer, _ counts: (outer: Int, inner: Int)) throws {
            let report = RepartitionProgress(
                partitionCount: Int32(clamping: counts.outer), reportedAt: time,
                partitions: progress.map { task in
                    RepartitionProgress.Partition(
                        number: task.partition.partition, epoch: task.epoch, streamTime: task.streamTime,
                        isAtEnd: task.isAtEnd)
                })
            // The wall clock as timestamp: a log that is kept by time then keeps records of an old backlog as long as others.
            for partition in 0..<Int32(clamping: counts.inner) {
                try producer.send(
                    topic: topic.name, partition: partition, key: RepartitionProgress.key, value: report.encoded(),
                    timestampMs: time)
            }
        }
    }
}

/// The internal topic of a repartition: made where it is missing, with as many partitions as the outer one.
///
/// One per sink, used by its writer thread.
final class InternalTopic: Sendable {
    private struct State {
        var producer: KafkaProducer?
        var counts: (outer: Int, inner: Int)?
        /// Monotonic milliseconds.
        var countedAt: Int64 = 0
    }

    let name: String
    private let configuration: KafkaProducer.Configuration
    private let state = Mutex(State())
    /// Partitions may be added while a worker runs.
    private static let countInterval: Int64 = 30_000

    init(name: String, configuration: KafkaProducer.Configuration) {
        self.name = name
        self.configuration = configuration
    }

    /// The partitions of both topics; asks the brokers, at most every half minute.
    func partitionCounts(outer: String) throws -> (outer: Int, inner: Int) {
        try state.withLock { state in
            let now = WallClock.monotonic()
            if let counts = state.counts, now - state.countedAt < Self.countInterval { return counts }
            let admin = try KafkaAdmin(configuration.client)
            let outerCount = try admin.topic(outer).partitionCount
            let counts = (outer: outerCount, inner: try makeIfMissing(admin, partitions: outerCount))
            state.counts = counts
            state.countedAt = now
            return counts
        }
    }

    private func makeIfMissing(_ admin: KafkaAdmin, partitions: Int) throws -> Int {
        do {
            return try admin.topic(name).partitionCount
        } catch let error where error.code == .unknownTopic {
            // The producers' timestamps are what windows close on, whatever the brokers' default is; and what the outer topic
            // takes must fit. -1: as many copies as the brokers make by default.
            try admin.createTopicIfMissing(
                name, partitions: partitions, replication: -1,
                config: [
                    ("message.timestamp.type", "CreateTime"),
                    ("max.message.bytes", String(configuration.maxMessageBytes)),
                ])
            return try admin.topic(name).partitionCount
        }
    }

    /// Runs `body` with the producer; one that can send no more is replaced for the next attempt.
    func send(_ body: (KafkaProducer) throws -> Void) throws {
        let producer = try state.withLock { state in
            if let producer = state.producer { return producer }
            let producer = try KafkaProducer(configuration)
            state.producer = producer
            return producer
        }
        do {
            try body(producer)
        } catch let error as KafkaError where error.isFatal {
            state.withLock { $0.producer = nil }
            throw error
        }
    }
}
