/// How a worker process runs its pipeline.
public struct WorkerSettings: Sendable {
    /// Threads that own tasks.
    public var threads: Int = 2
    /// A flush happens after this time, milliseconds, or when `flushBytes` are buffered.
    public var flushInterval: Int64 = 2000
    public var flushBytes: Int = 64 << 20
    /// Memory for windows and buffers of the whole worker, bytes. Above it the oldest traces are decided early; when that
    /// does not help, partitions are paused.
    public var memoryBudget: Int = 2 << 30
    /// A partition that was read to its end and is quiet for so long goes on with the wall clock, milliseconds.
    public var idleClock: Int64 = 5000
    /// How long a revoke may take, milliseconds; must stay below the session timeout.
    public var revokeDeadline: Int = 2000
    /// Records waiting for a worker thread, bytes; above it the thread's partitions are paused.
    public var queueBytes: Int = 64 << 20

    public init() {}
}
