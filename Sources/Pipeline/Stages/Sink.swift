/// A stage that makes things durable: files, topics, segments.
///
/// One instance per worker thread, shared by the thread's tasks and used by that thread only. `write` buffers; `seal` hands
/// what was buffered to a `SinkFlush`, which the writer thread performs before the manifest is written (step 1 of the
/// commit group in spec/delivery.md). Offsets move only after the flush succeeded.
///
/// A sink implements the `write` for each port type that its `StageDefinition` accepts.
public protocol Sink: AnyObject {
    func write(_ trace: KeptTrace) throws
    func write(_ spans: SpanPayload) throws
    func write(_ dropped: DroppedTrace) throws
    func write(_ rejected: RejectedRecord) throws

    /// Bytes buffered since the last `seal`; they count towards the worker's budget and can trigger a flush.
    var bufferedBytes: Int { get }

    /// How spans come that reach the sink without a sampler between.
    var spanGrouping: SpanGrouping { get }

    /// Told before a flush: where the tasks are that write to this sink, with everything written that they have read so far.
    ///
    /// - Parameter now: the wall clock, milliseconds since the Unix epoch.
    func note(_ progress: [TaskProgress], now: Int64)

    /// Takes what was buffered; nil when there is nothing.
    func seal() -> (any SinkFlush)?

    /// The disk is nearly full: a sink leaves out what is not needed to keep the spans, until it is told that there is room
    /// again. Most have nothing of the kind.
    func saveSpace(_ isShort: Bool)
}

/// How a sink wants the spans of a record.
public enum SpanGrouping: Sendable, Equatable {
    /// In one payload.
    case record
    /// In one payload per trace; a larger one than `maximumBytes` is divided where it has more than one span.
    case trace(maximumBytes: Int)
}

/// How far a task has come.
public struct TaskProgress: Sendable, Equatable {
    public var partition: PartitionID
    public var epoch: UInt64
    /// Milliseconds since the Unix epoch; `Int64.min` before the first record.
    public var streamTime: Int64
    /// The partition was read to its end.
    public var isAtEnd: Bool

    public init(partition: PartitionID, epoch: UInt64, streamTime: Int64, isAtEnd: Bool) {
        self.partition = partition
        self.epoch = epoch
        self.streamTime = streamTime
        self.isAtEnd = isAtEnd
    }
}

extension Sink {
    public var spanGrouping: SpanGrouping { .record }
    public func note(_ progress: [TaskProgress], now: Int64) {}
    public func saveSpace(_ isShort: Bool) {}
    public func write(_ trace: KeptTrace) throws { throw StageError("this sink takes no traces") }
    public func write(_ spans: SpanPayload) throws { throw StageError("this sink takes no spans") }
    public func write(_ dropped: DroppedTrace) throws { throw StageError("this sink takes no summaries") }
    public func write(_ rejected: RejectedRecord) throws { throw StageError("this sink takes no rejects") }
}

/// The durable part of a sink's work, done on the writer thread. Performed again after a failure, so it must be idempotent
/// or at least safe to repeat.
public protocol SinkFlush: AnyObject, Sendable {
    /// Makes everything durable and returns the segments (if any) that the manifest shall name.
    ///
    /// - Throws: when nothing may be committed; the group is then tried again later.
    func perform() throws -> [SegmentReference]
}

/// A segment file as a manifest names it.
public struct SegmentReference: Sendable, Hashable, Codable {
    /// Path relative to the store.
    public var path: String
    public var byteCount: UInt64
    /// XXH3-64 of the whole file.
    public var checksum: UInt64

    public init(path: String, byteCount: UInt64, checksum: UInt64) {
        self.path = path
        self.byteCount = byteCount
        self.checksum = checksum
    }
}

/// A stage cannot do what it was asked: one sentence that a user can act on.
public struct StageError: Error, Sendable, CustomStringConvertible {
    public var message: String

    public init(_ message: String) { self.message = message }

    public var description: String { message }
}
