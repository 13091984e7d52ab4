public import Pipeline

/// The decisions of one sampler of one partition from one flush.
public struct DecisionBlock: Sendable, Equatable {
    public var partition: PartitionID
    /// Generation of the partition's owner that decided; 0 in files of format version 1, which do not say.
    public var epoch: UInt64
    public var sampler: String
    public var records: [DecisionRecord]
    /// Late spans that followed decisions of this or of an earlier block.
    public var lateSpans: [LateSpans]
    /// Names of the policies by the version of their configuration.
    public var policyNames: [UInt32: [String]]
    /// What the details of the records refer to.
    public var names: [DecisionName: String]

    public init(
        partition: PartitionID, epoch: UInt64 = 0, sampler: String, records: [DecisionRecord],
        lateSpans: [LateSpans] = [], policyNames: [UInt32: [String]] = [:],
        names: [DecisionName: String] = [:]
    ) {
        self.partition = partition
        self.epoch = epoch
        self.sampler = sampler
        self.records = records
        self.lateSpans = lateSpans
        self.policyNames = policyNames
        self.names = names
    }

    /// The name of the policy that decided; empty where none did, nil where the block does not say.
    public func policyName(of record: DecisionRecord) -> String? {
        if record.policyIndex == DecisionRecord.noPolicy { return "" }
        guard let names = policyNames[record.policyVersion], Int(record.policyIndex) < names.count else { return nil }
        return names[Int(record.policyIndex)]
    }
}

/// The decisions of one flush: what one manifest of one chain makes count.
struct DecisionGroup: Sendable, Equatable {
    /// Number of that manifest.
    var sequence: UInt64
    var blocks: [DecisionBlock]
}
