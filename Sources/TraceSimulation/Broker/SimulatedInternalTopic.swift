import OTLP
import Pipeline
import TraceModel

/// The producer of one worker thread to the internal topic: what was handed over reaches the log a moment later, or at the
/// flush, or never where the process dies. What is not acknowledged may be in the log all the same.
final class SimulatedInternalTopic: RepartitionTopic, @unchecked Sendable {
    private unowned let process: SimulatedProcess
    private var waiting: [PartitionLog.Record] = []
    private var partitions: [Int32] = []

    init(process: SimulatedProcess) { self.process = process }

    func partitionCounts(outer: String) throws -> (outer: Int, inner: Int) {
        (process.world.outerPartitions.count, process.world.partitions.count)
    }

    func send(_ body: (any RepartitionWriter) throws -> Void) throws {
        // The records of an attempt that failed are sent again by the next.
        waiting = []
        partitions = []
        try body(Writer(topic: self))
    }

    private struct Writer: RepartitionWriter {
        let topic: SimulatedInternalTopic

        func send(
            partition: Int32?, key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, timestamp: Int64
        ) throws {
            topic.take(partition: partition, key: Array(key), value: Array(value), timestamp: timestamp)
        }

        func flush() throws { try topic.flush() }
    }

    private func take(partition: Int32?, key: [UInt8], value: [UInt8], timestamp: Int64) {
        let count = UInt64(process.world.partitions.count)
        let isProgress = key == RepartitionProgress.key
        let keyed = TraceID(hex: String(decoding: key, as: UTF8.self)).map { Int32($0.low % count) }
        waiting.append(
            PartitionLog.Record(
                offset: 0, timestamp: timestamp, key: key, payload: value,
                spans: isProgress ? [] : Self.spans(value), isProgress: isProgress))
        partitions.append(partition ?? keyed ?? 0)
        // The library sends by itself after a moment.
        process.after(process.world.random.pick(2000...60_000)) { [self] in
            if process.world.isReachable(process.place) { deliver() }
        }
    }

    private static func spans(_ value: [UInt8]) -> [Int] {
        let requests = (try? OTLPDecoder.decode(value)) ?? []
        return requests.flatMap { $0.scopeSpans.flatMap(\.spans) }.map { Int($0.name) ?? -1 }
    }

    /// The first that waits reaches its log.
    private func deliver() {
        guard !waiting.isEmpty else { return }
        process.world.appendInternal(waiting.removeFirst(), to: partitions.removeFirst())
    }

    private func flush() throws {
        while !waiting.isEmpty {
            guard process.take(.produce, "") == nil, process.world.isReachable(process.place) else {
                throw StageError("the internal topic does not answer")
            }
            deliver()
        }
        // The answer to the last of them is lost.
        guard process.take(.acknowledged, "") == nil, !process.world.random.chance(4) else {
            throw StageError("the internal topic has not acknowledged")
        }
    }
}
