public import Pipeline
import Synchronization
public import TraceModel

/// Finds what was decided about a trace in the decision files of a store.
///
/// A look-up reads of each flush the header (once, then it is remembered) and 32 bytes of its filter; only the flushes that
/// may have the trace are unpacked. What fenced owners wrote does not count. Thread-safe; blocks on files.
public final class DecisionLog: Sendable {
    /// One decision with where it stands.
    public struct Entry: Sendable, Equatable {
        public var record: DecisionRecord
        /// Nil in old files, which do not name policies.
        public var policy: String?
        /// Names of what its detail refers to, as far as they are known.
        public var names: DetailNames
        public var partition: PartitionID
        public var sampler: String
        public var place: Place
    }

    /// For people.
    public struct DetailNames: Sendable, Equatable {
        public var tier: String?
        public var rule: String?
        public var key: String?
        /// The policy that the detail is of.
        public var policy: String?
    }

    /// Late spans of a trace, from one flush.
    public struct LateEntry: Sendable, Equatable {
        public var lateSpans: LateSpans
        public var partition: PartitionID
        public var sampler: String
        public var place: Place
    }

    /// The flush that wrote something.
    public struct Place: Sendable, Equatable {
        /// Decision file, relative to the store.
        public var file: String
        /// Chain and number of the manifest that made it count; nil in old files, which do not say.
        public var chain: String
        public var sequence: UInt64?
        /// Generation of the partition's owner; 0 where an old file does not say.
        public var epoch: UInt64
    }

    public struct Answer: Sendable {
        public var entries: [Entry] = []
        public var lateEntries: [LateEntry] = []
        public var coverage = Coverage()
    }

    /// What the log knows: a trace that was decided outside of it is not in it.
    public struct Coverage: Sendable, Equatable {
        /// Stream time of the earliest and latest decision, milliseconds since the Unix epoch; nil for an empty log.
        public var earliest: Int64?
        public var latest: Int64?
        public var files = 0
        public var decisions: UInt64 = 0
        /// Files that could not be read, or not wholly, as `path: reason`: an answer may be missing.
        public var problems: [String] = []
    }

    /// What is known of a file's groups.
    private struct Directory: Sendable {
        var groups: [DecisionFileReader.Group] = []
        /// Where reading goes on.
        var end: UInt64?
    }

    /// What the newest manifest of a chain says.
    private struct Chain {
        var newest: UInt64
        var lengths: [String: UInt64]
    }

    private let layout: StoreLayout
    private let fileSystem: any FileSystem
    private let directories = Mutex<[String: Directory]>([:])

    public init(layout: StoreLayout, fileSystem: any FileSystem = LocalFileSystem()) {
        self.layout = layout
        self.fileSystem = fileSystem
    }

    /// Everything the log says of a trace.
    ///
    /// - Throws: where the store's directories cannot be listed; damaged files are named in the answer.
    public func find(_ id: TraceID) throws(FileError) -> Answer {
        var answer = Answer()
        var limits: [PartitionID: [UInt64: EpochHistory.Limit]] = [:]
        var seen = Set<String>()
        for incarnation in try fileSystem.list(layout.decisions) {
            var chains: [String: Chain?] = [:]
            for name in try fileSystem.list(layout.decisions + "/" + incarnation) where name.hasSuffix(".log") {
                let file = "decisions/\(incarnation)/\(name)"
                let writer = name.prefix { $0 != "-" }
                let chain = "\(incarnation)-\(writer)"
                seen.insert(file)
                if chains[chain] == nil { chains[chain] = .some(newest(of: chain)) }
                do {
                    try search(file, chain, chains[chain] ?? nil, id, &limits, &answer)
                } catch {
                    answer.coverage.problems.append("\(file): \(error)")
                }
            }
        }
        // Files that were removed are forgotten.
        directories.withLock { directories in
            directories = directories.filter { seen.contains($0.key) }
        }
        answer.entries.sort { $0.record.decidedAt < $1.record.decidedAt }
        return answer
    }

    /// The segments that the flush of an entry made visible; empty where its manifest is gone or says nothing.
    public func segments(of place: Place) -> [SegmentReference] {
        guard let sequence = place.sequence else { return [] }
        return manifest(place.chain, FileDeliveryStore.manifestName(sequence))?.segments ?? []
    }

    // MARK: -

    private func search(
        _ file: String, _ chainName: String, _ chain: Chain?, _ id: TraceID,
        _ limits: inout [PartitionID: [UInt64: EpochHistory.Limit]], _ answer: inout Answer
    ) throws {
        let reader = try DecisionFileReader(path: layout.path(file), fileSystem: fileSystem)
        let (groups, problem) = groups(of: reader, file, chain)
        if let problem { answer.coverage.problems.append("\(file): \(problem)") }
        answer.coverage.files += 1
        let hash = DecisionFilter.hash(id)
        for group in groups {
            if let header = group.header, header.recordCount > 0 {
                answer.coverage.decisions += UInt64(header.recordCount)
                answer.coverage.include(header.firstDecidedAt, header.lastDecidedAt)
            }
            guard try reader.mayContain(hash, in: group) else { continue }
            for block in try reader.blocks(of: group) {
                if group.header == nil { answer.coverage.include(block) }
                try add(block, of: group, file, chainName, id, &limits, &answer)
            }
        }
    }

    private func add(
        _ block: DecisionBlock, of group: DecisionFileReader.Group, _ file: String, _ chain: String, _ id: TraceID,
        _ limits: inout [PartitionID: [UInt64: EpochHistory.Limit]], _ answer: inout Answer
    ) throws {
        let records = block.records.filter { $0.traceID == id }
        let late = block.lateSpans.filter { $0.traceID == id }
        if records.isEmpty, late.isEmpty { return }
        let place = Place(file: file, chain: chain, sequence: group.header?.sequence, epoch: block.epoch)
        if let sequence = place.sequence {
            if limits[block.partition] == nil {
                limits[block.partition] = try EpochHistory(
                    directory: layout.epochs + "/" + FileDeliveryStore.directoryName(block.partition),
                    fileSystem: fileSystem
                ).acceptedEpochs()
            }
            guard limits[block.partition]?[block.epoch]?.accepts(chain: chain, sequence: sequence) == true else {
                return
            }
        }
        for record in records {
            answer.entries.append(
                Entry(
                    record: record, policy: block.policyName(of: record), names: block.detailNames(of: record),
                    partition: block.partition, sampler: block.sampler, place: place))
        }
        for spans in late {
            answer.lateEntries.append(
                LateEntry(lateSpans: spans, partition: block.partition, sampler: block.sampler, place: place))
        }
    }

    /// The groups that are published. Those beyond are being written, or were never finished.
    private func groups(
        of reader: DecisionFileReader, _ file: String, _ chain: Chain?
    ) -> (groups: [DecisionFileReader.Group], problem: String?) {
        var known = directories.withLock { $0[file] } ?? Directory()
        var position = known.end ?? reader.firstGroupOffset
        var problem: String?
        do {
            while let group = try reader.group(at: position) {
                if let sequence = group.header?.sequence, let chain, sequence > chain.newest { break }
                known.groups.append(group)
                position = group.end
            }
        } catch {
            // A tail that no manifest vouches for may be torn: that is how a crash leaves it.
            if let vouched = chain?.lengths[file], position < vouched { problem = "\(error)" }
        }
        known.end = position
        let updated = known
        directories.withLock { $0[file] = updated }
        return (updated.groups, problem)
    }

    private func newest(of chain: String) -> Chain? {
        let names = (try? fileSystem.list(layout.manifests + "/" + chain)) ?? []
        for name in FileDeliveryStore.manifestNames(names).reversed() {
            guard let manifest = manifest(chain, name) else { continue }
            var lengths: [String: UInt64] = [:]
            for reference in manifest.entries.flatMap(\.decisionFiles) {
                lengths[reference.path] = max(lengths[reference.path] ?? 0, reference.length)
            }
            return Chain(newest: manifest.sequence, lengths: lengths)
        }
        return nil
    }

    private func manifest(_ chain: String, _ name: String) -> Manifest? {
        guard let bytes = try? fileSystem.read(layout.manifests + "/" + chain + "/" + name) else { return nil }
        return try? Manifest.decode(bytes)
    }
}

extension DecisionBlock {
    fileprivate func detailNames(of record: DecisionRecord) -> DecisionLog.DetailNames {
        var found = DecisionLog.DetailNames()
        if record.detail.kind == .none { return found }
        for name in DecisionName.all(in: record) {
            switch name.kind {
            case .tier: found.tier = names[name]
            case .rule: found.rule = names[name]
            case .key: found.key = names[name]
            }
        }
        var decider = record
        decider.policyIndex = record.detail.policyIndex
        found.policy = policyName(of: decider)
        return found
    }
}

extension DecisionLog.Coverage {
    fileprivate mutating func include(_ first: Int64, _ last: Int64) {
        earliest = min(earliest ?? first, first)
        latest = max(latest ?? last, last)
    }

    fileprivate mutating func include(_ block: DecisionBlock) {
        decisions += UInt64(block.records.count)
        for record in block.records { include(record.decidedAt, record.decidedAt) }
    }
}
