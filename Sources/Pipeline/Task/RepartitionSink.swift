import Synchronization
import TraceModel

/// Writes spans to an internal topic, one record per trace and batch, keyed by trace id, and says how far it has come.
///
/// The flush sends the records, waits until all are acknowledged, and only then sends the progress: a reader that sees it has
/// seen everything before it. Offsets of the outer topic are committed after the flush. A crash between the two writes the
/// records again: at least once.
package final class RepartitionSink: Sink {
    private struct Entry {
        var traceID: TraceID
        var timestamp: Int64
        /// Where the record's value ends in the buffer.
        var end: Int
    }

    private let topic: any RepartitionTopic
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

    /// - Parameter maximumRecordBytes: spans of one trace and record that are larger are divided.
    package init(topic: any RepartitionTopic, maximumRecordBytes: Int) {
        self.topic = topic
        self.maximumRecordBytes = maximumRecordBytes
    }

    package var spanGrouping: SpanGrouping { .trace(maximumBytes: maximumRecordBytes) }

    package func write(_ spans: SpanPayload) throws {
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

    package func note(_ progress: [TaskProgress], now: Int64) {
        guard let first = progress.first, outerTopic.isEmpty || outerTopic == first.partition.topic else { return }
        outerTopic = first.partition.topic
        isProgressDue = !entries.isEmpty || lastProgressAt == .min || now - lastProgressAt >= Self.quietInterval
        self.progress = progress.filter { $0.partition.topic == outerTopic }
        progressAt = now
    }

    /// Never 0 while progress is due, so that it is sealed.
    package var bufferedBytes: Int { bytes.count + entries.count * 32 + (isProgressDue ? 1 : 0) }

    package func seal() -> (any SinkFlush)? {
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
        private let topic: any RepartitionTopic
        private let outerTopic: String
        private let bytes: [UInt8]
        private let entries: [Entry]
        private let progress: [TaskProgress]
        private let time: Int64
        private let isDone = Mutex(false)

        init(
            topic: any RepartitionTopic, outerTopic: String, bytes: [UInt8], entries: [Entry], progress: [TaskProgress],
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
                try topic.send { writer in
                    #if TAILRACE_MUTATIONS
                        if ProtocolMutation.active == .progressBeforeRecords { try sendProgress(writer, counts) }
                        if ProtocolMutation.active == .repartitionedBeforeAcknowledged {
                            return try sendRecords(writer)
                        }
                    #endif
                    try sendRecords(writer)
                    try writer.flush()
                    if progress.isEmpty { return }
                    try sendProgress(writer, counts)
                    try writer.flush()
                }
                isDone = true
            }
            return []
        }

        private func sendRecords(_ writer: any RepartitionWriter) throws {
            try bytes.withUnsafeBytes { bytes in
                var start = 0
                for entry in entries {
                    let key = Array(entry.traceID.hex.utf8)
                    let value = UnsafeRawBufferPointer(rebasing: bytes[start..<entry.end])
                    try key.withUnsafeBytes { key in
                        try writer.send(partition: nil, key: key, value: value, timestamp: entry.timestamp)
                    }
                    start = entry.end
                }
            }
        }

        private func sendProgress(_ writer: any RepartitionWriter, _ counts: (outer: Int, inner: Int)) throws {
            let report = RepartitionProgress(
                partitionCount: Int32(clamping: counts.outer), reportedAt: time,
                partitions: progress.map { task in
                    RepartitionProgress.Partition(
                        number: task.partition.partition, epoch: task.epoch, streamTime: task.streamTime,
                        isAtEnd: task.isAtEnd)
                })
            // The wall clock as timestamp: a log that is kept by time then keeps records of an old backlog as long as others.
            try RepartitionProgress.key.withUnsafeBytes { key in
                try report.encoded().withUnsafeBytes { value in
                    for partition in 0..<Int32(clamping: counts.inner) {
                        try writer.send(partition: partition, key: key, value: value, timestamp: time)
                    }
                }
            }
        }
    }
}
