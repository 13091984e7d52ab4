/// The part of a manifest that belongs to one partition: enough for any worker to go on from here.
public struct TaskEntry: Sendable, Equatable {
    public var partition: PartitionID
    /// Generation of the partition's owner.
    public var epoch: UInt64
    /// The watermark: the lowest offset with a ref whose effect is not durable.
    public var low: Int64
    /// Everything below this offset has been seen; effects other than those of samplers are complete.
    public var high: Int64
    /// Done refs in [low, high), one set per sampler of the pipeline, in plan order, by the sampler's name.
    public var lanes: [LaneEntry]
    /// Stream time after the last record, milliseconds since the Unix epoch.
    public var streamTime: Int64
    /// Stream time before the record at `low`: with it a replay closes windows at the same moments.
    public var streamTimeAtLow: Int64
    /// Decision files that a successor needs, oldest first.
    public var decisionFiles: [DecisionFileReference]

    public init(
        partition: PartitionID, epoch: UInt64, low: Int64, high: Int64, lanes: [LaneEntry], streamTime: Int64,
        streamTimeAtLow: Int64, decisionFiles: [DecisionFileReference]
    ) {
        self.partition = partition
        self.epoch = epoch
        self.low = low
        self.high = high
        self.lanes = lanes
        self.streamTime = streamTime
        self.streamTimeAtLow = streamTimeAtLow
        self.decisionFiles = decisionFiles
    }
}

/// What is done for one sampler.
public struct LaneEntry: Sendable, Equatable {
    public var sampler: String
    public var low: Int64
    public var done: DoneRefs
    /// What its policies remember (`Sampler.state`): belongs to the decisions of this entry.
    public var samplerState: [UInt8]

    public init(sampler: String, low: Int64, done: DoneRefs, samplerState: [UInt8] = []) {
        self.sampler = sampler
        self.low = low
        self.done = done
        self.samplerState = samplerState
    }
}

/// A decision file as far as a manifest vouches for it.
public struct DecisionFileReference: Sendable, Equatable {
    /// Path relative to the store.
    public var path: String
    /// Bytes that are durable; what follows is not to be read.
    public var length: UInt64
    /// Latest stream time of a decision in it, milliseconds: when all are older than the horizon the file is forgotten.
    public var lastDecidedAt: Int64
    /// Only what the owner of this epoch decided counts: the file may also hold what the same process decided after it had
    /// lost the partition. 0 in manifests of format version 1, which do not say.
    public var epoch: UInt64

    public init(path: String, length: UInt64, lastDecidedAt: Int64, epoch: UInt64 = 0) {
        self.path = path
        self.length = length
        self.lastDecidedAt = lastDecidedAt
        self.epoch = epoch
    }
}

/// What one flush makes durable: the flushes of the sinks, then the decisions, then the manifest, in this order.
public struct CommitGroup: Sendable {
    /// Per partition: what the manifest says, and the decisions since the last flush by sampler.
    public struct Task: Sendable {
        public var entry: TaskEntry
        public var decisions: [LaneDecisions]

        public init(entry: TaskEntry, decisions: [LaneDecisions]) {
            self.entry = entry
            self.decisions = decisions
        }
    }

    public var tasks: [Task]
    public var flushes: [any SinkFlush]

    public init(tasks: [Task], flushes: [any SinkFlush]) {
        self.tasks = tasks
        self.flushes = flushes
    }
}

/// Decisions of one sampler, and the late spans that followed earlier ones.
public struct LaneDecisions: Sendable, Equatable {
    public var sampler: String
    public var records: [DecisionRecord]
    public var lateSpans: [LateSpans]
    /// Names of the policies by the version of their configuration: what `policyIndex` of the records means.
    public var policyNames: [UInt32: [String]]
    /// What the details of the records refer to; what is not there has no name.
    public var names: [DecisionName: String]

    public init(
        sampler: String, records: [DecisionRecord], lateSpans: [LateSpans] = [],
        policyNames: [UInt32: [String]] = [:], names: [DecisionName: String] = [:]
    ) {
        self.names = names
        self.sampler = sampler
        self.records = records
        self.lateSpans = lateSpans
        self.policyNames = policyNames
    }

    public var isEmpty: Bool { records.isEmpty && lateSpans.isEmpty }
}

/// What a task starts with.
public struct RestoredTask: Sendable {
    public var epoch: UInt64
    /// Nil where the store knows nothing of the partition.
    public var entry: TaskEntry?

    public init(epoch: UInt64, entry: TaskEntry?) {
        self.epoch = epoch
        self.entry = entry
    }

    /// Where reading starts, whatever the log says was committed; nil where the store knows nothing, and the log's committed
    /// offset counts.
    public var startOffset: Int64? {
        #if TAILRACE_MUTATIONS
            if ProtocolMutation.active == .restartFromCommittedOffset { return nil }
        #endif
        return entry?.low
    }

    /// Whether there are decisions to be read back before the first record.
    public var hasDecisions: Bool { entry?.decisionFiles.isEmpty == false }
}

/// Where commit groups become durable and visible. Implemented over files by module Storage.
///
/// Thread-safe; each method may block on the disk.
public protocol DeliveryStore: AnyObject, Sendable {
    /// Takes the next epoch of a partition and restores what its last owner published. Older owners can publish nothing
    /// visible from here on.
    func acquire(_ partition: PartitionID) throws -> RestoredTask
    /// Reads remembered decisions back, block by block, newer than `oldest` (stream time, milliseconds): what a sampler needs
    /// to follow them. Sizes, durations and offsets of the records are 0.
    ///
    /// - Throws: what `body` throws, as it is; it ends the reading.
    func readDecisions(
        of entry: TaskEntry, since oldest: Int64,
        _ body: (_ sampler: String, _ records: [DecisionRecord]) throws -> Void
    ) throws
    /// Performs the group's steps in order; the rename of the manifest is the commit point. Entries of partitions that have
    /// a newer owner are left out.
    ///
    /// - Parameter writer: which of the worker's threads this is; each has its own chain of manifests.
    /// - Returns: the entries that were published, with their decision files.
    /// - Throws: when nothing was published; the same group may be tried again.
    func publish(_ group: CommitGroup, writer: Int) throws -> [TaskEntry]
    /// Room that is left; nil where the store cannot tell. Asked for a few times per second.
    func space() -> StoreSpace?
}

extension DeliveryStore {
    public func space() -> StoreSpace? { nil }
}
