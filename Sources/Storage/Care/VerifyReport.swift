public import Pipeline

/// What a check of a store found.
public struct VerifyReport: Sendable {
    public enum Severity: String, Sendable {
        /// Something is missing, damaged or contradicts something else.
        case problem
        /// What a crash leaves: harmless, and in nobody's way.
        case litter
        /// Worth knowing.
        case note
    }

    /// What a repair may do about a finding.
    public enum Remedy: Sendable, Equatable {
        /// A temporary file: nothing ever reads it.
        case remove(String)
        /// Out of the way, but kept: `quarantine/<path>`.
        case putAside(String)
        /// A file with the right contents goes where a manifest names it.
        case restore(from: String, to: String)
    }

    public struct Finding: Sendable, Equatable {
        public var severity: Severity
        /// One sentence that names the file, the partition and the offsets.
        public var text: String
        public var remedy: Remedy?
    }

    public struct Counts: Sendable, Equatable {
        public var manifests = 0
        public var partitions = 0
        public var epochs = 0
        public var segments = 0
        public var segmentBytes: UInt64 = 0
        public var traces: UInt64 = 0
        public var decisionFiles = 0
        public var decisions: UInt64 = 0
    }

    public var findings: [Finding] = []
    public var counts = Counts()
    /// The newest entry that counts, of each partition: where its next owner starts.
    public var newest: [TaskEntry] = []

    /// Some manifest is missing or damaged: a file that nobody names may be one that it named.
    var lacksManifests = false

    public init() {}

    public var isClean: Bool { !findings.contains { $0.severity == .problem } }

    public mutating func add(_ severity: Severity, _ text: String, _ remedy: Remedy? = nil) {
        findings.append(Finding(severity: severity, text: text, remedy: remedy))
    }
}

/// Offsets of one partition as its cluster knows them.
public struct PartitionOffsets: Sendable, Equatable {
    public var partition: PartitionID
    /// The group's committed offset; nil where it has none.
    public var committed: Int64?
    /// The oldest record, and the offset of the next one.
    public var start: Int64
    public var end: Int64

    public init(partition: PartitionID, committed: Int64?, start: Int64, end: Int64) {
        self.partition = partition
        self.committed = committed
        self.start = start
        self.end = end
    }
}
