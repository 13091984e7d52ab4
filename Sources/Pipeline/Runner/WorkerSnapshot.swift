/// What one worker thread publishes about itself, about once per second: the source of `/metrics`.
public struct WorkerSnapshot: Sendable {
    public struct Partition: Sendable {
        public var id: PartitionID
        public var epoch: UInt64
        /// The next offset to process, and the durable watermark.
        public var position: Int64
        public var watermark: Int64
        /// Milliseconds since the Unix epoch.
        public var streamTime: Int64
        /// Stream time of the watermark: how old the oldest span is whose effect is not durable.
        public var watermarkTime: Int64
        public var counters: TaskCounters
        public var gauges: SamplerGauges
        /// By sampler.
        public var budgets: [(sampler: String, gauges: [BudgetGauge])] = []
        /// What the ledger equation leaves over (I16); always 0.
        public var imbalance: Int64
    }

    public var partitions: [Partition] = []
    /// Counters of tasks that left this thread.
    public var departed = TaskCounters()
    /// By sampler and policy.
    public var policies: [(sampler: String, counters: [PolicyCounters])] = []
    public var scrubbed: [(rule: String, count: UInt64)] = []
    public var bufferedBytes = 0
    public var queuedBytes = 0
    public var flushes: UInt64 = 0
    public var failedFlushes: UInt64 = 0
    public var fencedEntries: UInt64 = 0
    /// Duration of the last flush, milliseconds.
    public var lastFlushMilliseconds: Int64 = 0
    /// Why nothing is committed at present; nil when all is well.
    public var flushError: String?
    public var isPaused = false
    /// Partitions that wait for their decisions.
    public var restoringPartitions = 0
    /// Decisions that were read back, those of restores under way included.
    public var restoredDecisions: UInt64 = 0
    /// Time that finished restores took, milliseconds.
    public var restoreMilliseconds: UInt64 = 0
    /// Steps taken because something is short, in the order of the ladder.
    public var degradation: [DegradationStep] = []
    /// How often each step was taken.
    public var degradationsTaken: [DegradationStep.Kind: UInt64] = [:]

    public init() {}
}
