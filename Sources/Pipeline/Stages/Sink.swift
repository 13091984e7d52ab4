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

    /// Takes what was buffered; nil when there is nothing.
    func seal() -> (any SinkFlush)?

    /// The disk is nearly full: a sink leaves out what is not needed to keep the spans, until it is told that there is room
    /// again. Most have nothing of the kind.
    func saveSpace(_ isShort: Bool)
}

extension Sink {
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
public struct SegmentReference: Sendable, Equatable, Codable {
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
