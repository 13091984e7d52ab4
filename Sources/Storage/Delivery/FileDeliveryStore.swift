import Glibc
public import Pipeline
import Synchronization

/// The delivery protocol over files: epochs, decisions, manifests. See spec/delivery.md section 3.
///
/// The order inside `publish` is everything: segments durable, decisions durable, epochs checked, manifest renamed. Only
/// then may offsets move. Readers see only what a manifest names.
public final class FileDeliveryStore: DeliveryStore {
    private let layout: StoreLayout
    private let fileSystem: any FileSystem
    private let incarnation: String
    private let chains = Mutex<[Int: Chain]>([:])
    private let unconfirmed = Mutex<[Int: Unconfirmed]>([:])
    /// The manifest read last, by its bytes: partitions that are taken over together have their entries in the same one.
    private let lastManifest = Mutex<(checksum: UInt64, byteCount: Int, manifest: Manifest)?>(nil)
    /// By chain.
    private let digests = Mutex<[String: ChainDigest]>([:])
    private let indexes = DecisionFileIndexes()

    /// One writer's chain of manifests and its decision file.
    private struct Chain {
        var sequence: UInt64 = 0
        var previousChecksum: UInt64 = 0
        var decisionFile = 0
        var decisionLength: UInt64 = 0
        var firstDecidedAt: Int64 = .max
        var lastDecidedAt: Int64 = .min
    }

    /// A manifest whose rename was begun and not seen to succeed. Readers may have seen it: from then on it must not change,
    /// and its group must not be published under another number.
    private struct Unconfirmed {
        var directory: String
        var name: String
        var bytes: [UInt8]
        var entries: [TaskEntry]
        /// The chain as it is when the manifest is there.
        var chain: Chain
    }

    /// A decision file is closed at this size, or when it spans this much stream time (milliseconds), so that old ones can
    /// be forgotten whole.
    private static let maximumDecisionFile: UInt64 = 64 << 20
    private static let maximumDecisionSpan: Int64 = 600_000
    private static let maximumDigests = 64

    /// - Parameter incarnation: names this start of this process; never used before.
    public init(layout: StoreLayout, incarnation: String, fileSystem: any FileSystem = LocalFileSystem()) throws {
        self.layout = layout
        self.incarnation = incarnation
        self.fileSystem = fileSystem
        // A file is durable only where the names of all its directories are; the root may be another process's.
        for directory in [layout.root, layout.epochs, layout.manifests, layout.decisions, layout.segments] {
            try fileSystem.createDirectory(directory)
        }
    }

    public func space() -> StoreSpace? { fileSystem.space(layout.root) }

    // MARK: - Assign

    public func acquire(_ partition: PartitionID) throws -> RestoredTask {
        let directory = layout.epochs + "/" + Self.directoryName(partition)
        try fileSystem.createDirectory(directory)
        while true {
            let newest = try newestEpoch(in: directory)
            let found = try newest.map { try lastEntry(of: partition, epoch: $0, in: directory) } ?? nil
            // What we build on must be durable. Its owner may have died between the rename and the sync.
            #if TAILRACE_MUTATIONS
                let syncedChain = ProtocolMutation.active == .takeOverNotSynced ? nil : found?.position.chain
            #else
                let syncedChain = found?.position.chain
            #endif
            if let syncedChain { try fileSystem.syncDirectory(layout.manifests + "/" + syncedChain) }
            let number = (newest?.number ?? 0) + 1
            let epoch = Epoch(number: number, incarnation: incarnation, parent: found?.position)
            // Of two workers that want the same number one succeeds; the other looks again.
            guard try fileSystem.createExclusively(epoch.encoded(), at: directory + "/" + Self.padded(number)) else {
                #if TAILRACE_MUTATIONS
                    if ProtocolMutation.active == .epochNotExclusive {
                        return RestoredTask(epoch: number, entry: found?.entry)
                    }
                #endif
                continue
            }
            #if TAILRACE_MUTATIONS
                if ProtocolMutation.active == .takeOverLooksOnce {
                    return RestoredTask(epoch: number, entry: found?.entry)
                }
            #endif
            // The owner before may have published between our look and our epoch. It looks at the epochs after its rename, we
            // look at the manifests after our epoch: one of us sees the other. If it is we, another epoch continues there.
            let position = try newest.map { try lastEntry(of: partition, epoch: $0, in: directory)?.position } ?? nil
            if position == found?.position { return RestoredTask(epoch: number, entry: found?.entry) }
        }
    }

    private func newestEpoch(in directory: String) throws -> Epoch? {
        guard let name = try Self.epochNames(fileSystem.list(directory)).last else { return nil }
        return try readEpoch(directory + "/" + name)
    }

    private func readEpoch(_ path: String) throws -> Epoch {
        do {
            return try Epoch.decode(try fileSystem.read(path))
        } catch let error as StoreError {
            throw StageError("epoch file \(path) cannot be read: \(error)")
        }
    }

    private func readEpochIfPresent(_ path: String) throws -> Epoch? {
        do {
            return try readEpoch(path)
        } catch let error as FileError where error.code == ENOENT {
            return nil
        }
    }

    private typealias FoundEntry = (entry: TaskEntry, position: Epoch.ManifestPosition)

    /// The newest undamaged entry of a partition that its owner of this epoch published, or what that owner took over.
    private func lastEntry(of partition: PartitionID, epoch: Epoch, in directory: String) throws -> FoundEntry? {
        if let own = try lastOwnEntry(of: partition, epoch: epoch) { return own }
        // An owner that published nothing changed nothing. What its predecessors published after it looked counts: it may
        // have died before it looked again.
        var number = epoch.number - 1
        let oldest = max(1, epoch.parent?.epoch ?? 1)
        while number >= oldest {
            // Epochs that nobody needs any more are removed, long after their owners could have published.
            if let predecessor = try readEpochIfPresent(directory + "/" + Self.padded(number)),
                let own = try lastOwnEntry(of: partition, epoch: predecessor)
            {
                if number > oldest || own.position.sequence >= epoch.parent?.sequence ?? 0 { return own }
            }
            number -= 1
        }
        guard let parent = epoch.parent else { return nil }
        guard let manifest = try readManifest(chain: parent.chain, name: Self.manifestName(parent.sequence)),
            let entry = manifest.entries.first(where: { $0.partition == partition && $0.epoch == parent.epoch })
        else {
            throw StageError(
                "manifest \(parent.chain)/\(Self.manifestName(parent.sequence)), which \(partition) continues, "
                    + "is missing or damaged")
        }
        return (entry, parent)
    }

    /// The newest undamaged entry that the owner of this epoch published.
    private func lastOwnEntry(of partition: PartitionID, epoch: Epoch) throws -> FoundEntry? {
        for chain in try fileSystem.list(layout.manifests) where chain.hasPrefix(epoch.incarnation + "-") {
            let names = try Self.manifestNames(fileSystem.list(layout.manifests + "/" + chain))
            if let found = try lastEntry(of: partition, epoch: epoch.number, chain, names) { return found }
        }
        return nil
    }

    /// The newest undamaged entry of an epoch in a chain.
    ///
    /// - Parameter names: of the chain's manifests, as listed now.
    private func lastEntry(
        of partition: PartitionID, epoch: UInt64, _ chain: String, _ names: [String]
    ) throws -> FoundEntry? {
        let numbers = names.compactMap(Self.manifestNumber)
        if numbers.count == names.count {
            // Taken out while manifests are read, so that no thread waits for another one's disk: one that wants it meanwhile begins
            // anew, and the one that knows more stays.
            var digest = digests.withLock { $0.removeValue(forKey: chain) } ?? ChainDigest()
            let answer = try digest.find(partition, epoch: epoch, in: numbers) { number in
                try readManifest(chain: chain, name: Self.manifestName(number))?.entries
            }
            digests.withLock { digests in
                // Most are of processes that ended long ago, whose partitions others have taken over: nobody asks for them again.
                if digests.count >= Self.maximumDigests { digests = [:] }
                if digests[chain]?.count ?? 0 <= digest.count { digests[chain] = digest }
            }
            switch answer {
            case .nowhere: return nil
            case .at(let number):
                if let manifest = try readManifest(chain: chain, name: Self.manifestName(number)),
                    let entry = manifest.entries.first(where: { $0.partition == partition }), entry.epoch == epoch
                {
                    return (entry, Epoch.ManifestPosition(chain: chain, sequence: manifest.sequence, epoch: epoch))
                }
                digests.withLock { $0[chain] = nil }
            case .unknown: break
            }
        }
        // Some manifest is damaged or has gone.
        for name in names.reversed() {
            guard let manifest = try readManifest(chain: chain, name: name) else { continue }
            guard let entry = manifest.entries.first(where: { $0.partition == partition }) else { continue }
            if entry.epoch > epoch { continue }
            if entry.epoch < epoch { break }
            return (entry, Epoch.ManifestPosition(chain: chain, sequence: manifest.sequence, epoch: epoch))
        }
        return nil
    }

    /// Nil for a damaged or missing manifest: a torn write before the rename leaves none, but disks fail. A disk that does
    /// not answer at present is no reason to go back to an older one.
    ///
    /// - Throws: also for one that a newer program wrote. To go back to one before it would store everything since then twice.
    private func readManifest(chain: String, name: String) throws -> Manifest? {
        let path = layout.manifests + "/" + chain + "/" + name
        let bytes: [UInt8]
        do throws(FileError) {
            bytes = try fileSystem.read(path)
        } catch {
            if error.code == ENOENT { return nil }
            throw error
        }
        let checksum = Checksum.of(bytes)
        if let known = lastManifest.withLock({ $0 }), known.checksum == checksum, known.byteCount == bytes.count {
            return known.manifest
        }
        do throws(StoreError) {
            let manifest = try Manifest.decode(bytes)
            lastManifest.withLock { $0 = (checksum, bytes.count, manifest) }
            return manifest
        } catch {
            // To go back to one before a newer program's would store everything since then twice.
            if case .newer = error { throw StageError("manifest \(path): \(error)") }
            return nil
        }
    }

    public func readDecisions(
        of entry: TaskEntry, since oldest: Int64,
        _ body: (_ sampler: String, _ records: [DecisionRecord]) throws -> Void
    ) throws {
        var stop: (any Error)?
        for file in entry.decisionFiles where file.lastDecidedAt >= oldest {
            do {
                let reader = try DecisionFileReader(
                    path: layout.path(file.path), length: file.length, fileSystem: fileSystem)
                let index = indexes.index(of: file.path)
                defer { indexes.trim() }
                try reader.forEachBlockToRemember(of: entry.partition, since: oldest, index) { block in
                    // What the same process decided after it had lost the partition does not count.
                    var isOfEpoch = file.epoch == 0 || block.epoch == 0 || block.epoch == file.epoch
                    #if TAILRACE_MUTATIONS
                        if ProtocolMutation.active == .decisionFileKeptAcrossEpochs { isOfEpoch = true }
                    #endif
                    guard isOfEpoch else { return }
                    do {
                        try body(block.sampler, block.records.filter { $0.decidedAt >= oldest })
                    } catch {
                        stop = error
                        throw error
                    }
                }
            } catch {
                if let stop { throw stop }
                throw StageError("decision file \(file.path) cannot be read: \(error)")
            }
        }
    }

    // MARK: - Publish

    public func publish(_ group: CommitGroup, writer: Int) throws -> [TaskEntry] {
        var chain = chains.withLock { $0[writer] ?? Chain() }
        let name = "\(incarnation)-\(writer)"
        if let entries = try confirm(writer) { return entries }

        // 1. What readers will be pointed to.
        var segments: [SegmentReference] = []
        #if TAILRACE_MUTATIONS
            var postponed: [any SinkFlush] = []
            for flush in group.flushes {
                switch ProtocolMutation.active {
                case .manifestBeforeSegment where flush is SegmentFlush:
                    postponed.append(flush)
                    if let flush = flush as? SegmentFlush { segments.append(try flush.plannedReference()) }
                case .deadLetterAfterManifest where flush is AppendFlush: postponed.append(flush)
                case .flushErrorIgnored: segments += (try? flush.perform()) ?? []
                default: segments += try flush.perform()
                }
            }
        #else
            for flush in group.flushes { segments += try flush.perform() }
        #endif

        // 2. The decisions that explain it, and that a successor follows.
        let entries = try appendDecisions(group.tasks, writer: writer, chain: &chain)

        // 3. The commit point. Entries of partitions with a newer owner are left out; the look is repeated right before the
        // rename, and what slips through even so is invisible by the new owner's epoch file.
        let directory = layout.manifests + "/" + name
        let path = directory + "/" + Self.manifestName(chain.sequence + 1)
        var owned = try entries.filter(isOwned)
        var bytes: [UInt8] = []
        while true {
            let manifest = Manifest(
                incarnation: name, sequence: chain.sequence + 1, previousChecksum: chain.previousChecksum,
                entries: owned, segments: segments)
            bytes = manifest.encoded()
            try fileSystem.writeDurably(bytes, to: path + ".tmp")
            let stillOwned = try owned.filter(isOwned)
            if stillOwned == owned { break }
            owned = stillOwned
        }
        chain.sequence += 1
        chain.previousChecksum = Checksum.of(bytes)
        let attempt = Unconfirmed(
            directory: directory, name: Self.manifestName(chain.sequence), bytes: bytes, entries: owned, chain: chain)
        unconfirmed.withLock { $0[writer] = attempt }
        try fileSystem.renameDurably(path + ".tmp", to: path)
        #if TAILRACE_MUTATIONS
            for flush in postponed { _ = try flush.perform() }
        #endif
        return try accept(attempt, writer: writer)
    }

    /// The manifest is there. An entry counts as published when its partition has no newer owner even now: a newer one may
    /// have looked before the manifest was there, and will not see it.
    private func accept(_ attempt: Unconfirmed, writer: Int) throws -> [TaskEntry] {
        #if TAILRACE_MUTATIONS
            let published =
                try ProtocolMutation.active == .epochNotCheckedAfterRename
                ? attempt.entries : attempt.entries.filter(isOwned)
        #else
            let published = try attempt.entries.filter(isOwned)
        #endif
        indexes.noteFlush()
        chains.withLock { $0[writer] = attempt.chain }
        unconfirmed.withLock { $0[writer] = nil }
        return published
    }

    /// After a failed rename: the entries of the last attempt if its manifest is there all the same (the rename was done, and
    /// the sync of the directory failed), made durable now; nil if it is not.
    private func confirm(_ writer: Int) throws -> [TaskEntry]? {
        guard let attempt = unconfirmed.withLock({ $0[writer] }) else { return nil }
        #if TAILRACE_MUTATIONS
            if ProtocolMutation.active == .failedRenameForgotten { return nil }
        #endif
        guard try fileSystem.list(attempt.directory).contains(attempt.name) else {
            unconfirmed.withLock { $0[writer] = nil }
            return nil
        }
        let path = attempt.directory + "/" + attempt.name
        try fileSystem.writeDurably(attempt.bytes, to: path + ".tmp")
        try fileSystem.renameDurably(path + ".tmp", to: path)
        return try accept(attempt, writer: writer)
    }

    /// Whether the entry's epoch is the partition's newest.
    private func isOwned(_ entry: TaskEntry) throws -> Bool {
        #if TAILRACE_MUTATIONS
            if ProtocolMutation.active == .epochNotChecked { return true }
        #endif
        let directory = layout.epochs + "/" + Self.directoryName(entry.partition)
        return try Self.epochNames(fileSystem.list(directory)).last == Self.padded(entry.epoch)
    }

    private func appendDecisions(
        _ tasks: [CommitGroup.Task], writer: Int, chain: inout Chain
    ) throws -> [TaskEntry] {
        var group = DecisionGroup(sequence: chain.sequence + 1, blocks: [])
        var partitions: Set<PartitionID> = []
        if chain.decisionLength >= Self.maximumDecisionFile
            || chain.firstDecidedAt != .max && chain.lastDecidedAt - chain.firstDecidedAt > Self.maximumDecisionSpan
        {
            chain.decisionFile += 1
            chain.decisionLength = 0
            chain.firstDecidedAt = .max
            chain.lastDecidedAt = .min
        }
        for task in tasks {
            for lane in task.decisions where !lane.isEmpty {
                partitions.insert(task.entry.partition)
                for record in lane.records {
                    chain.firstDecidedAt = min(chain.firstDecidedAt, record.decidedAt)
                    chain.lastDecidedAt = max(chain.lastDecidedAt, record.decidedAt)
                }
                group.blocks.append(
                    DecisionBlock(
                        partition: task.entry.partition, epoch: task.entry.epoch, sampler: lane.sampler,
                        records: lane.records, lateSpans: lane.lateSpans, policyNames: lane.policyNames,
                        names: lane.names))
            }
        }
        #if TAILRACE_MUTATIONS
            if ProtocolMutation.active == .decisionsNotWritten { group.blocks = [] }
        #endif
        if !group.blocks.isEmpty {
            let length = chain.decisionLength
            do throws(FileError) {
                try append(group, writer: writer, chain: &chain)
            } catch {
                // Shorter than what was written: somebody removed the file, which nobody needs any more. A new one begins.
                guard error.code == EINVAL, length > 0 else { throw error }
                chain.decisionFile += 1
                chain.decisionLength = 0
                try append(group, writer: writer, chain: &chain)
            }
        }
        let relative = decisionPath(writer, chain)
        return tasks.map { task in
            var entry = task.entry
            let reference = DecisionFileReference(
                path: relative, length: chain.decisionLength, lastDecidedAt: chain.lastDecidedAt, epoch: entry.epoch)
            // One reference per file and epoch: how far an earlier epoch of this process got stays as it was when it ended.
            if let index = entry.decisionFiles.firstIndex(where: { $0.path == relative && $0.epoch == entry.epoch }) {
                entry.decisionFiles[index] = reference
            } else if partitions.contains(entry.partition) {
                entry.decisionFiles.append(reference)
            }
            return entry
        }
    }

    private func decisionPath(_ writer: Int, _ chain: Chain) -> String {
        "decisions/\(incarnation)/\(writer)-\(chain.decisionFile).log"
    }

    /// The chain's state is kept only when the whole commit group succeeds: a repeated group appends at the same place.
    private func append(_ group: DecisionGroup, writer: Int, chain: inout Chain) throws(FileError) {
        let encoded: [UInt8]
        do {
            encoded = (chain.decisionLength == 0 ? DecisionFile.fileHeader() : []) + (try DecisionFile.encode(group))
        } catch {
            throw FileError(
                operation: "encode", path: decisionPath(writer, chain), code: EOVERFLOW,
                explanation: String(describing: error))
        }
        try fileSystem.appendDurably(
            encoded, to: layout.path(decisionPath(writer, chain)), at: chain.decisionLength, isPrivate: false)
        chain.decisionLength += UInt64(encoded.count)
    }

    // MARK: - Names

    /// The longest name that a partition's directory gets, bytes; file systems allow 255.
    private static let longestDirectoryName = 200

    /// A directory name for a partition: bytes other than letters, digits, `.`, `_` and `-` are written as %XX. Of a name that
    /// would be too long the end is replaced by a hash of the whole.
    package static func directoryName(_ partition: PartitionID) -> String {
        let number = String(partition.partition)
        let name = [partition.cluster, partition.topic].map(escaped).joined(separator: "~")
        if name.utf8.count + 1 + number.utf8.count <= longestDirectoryName { return name + "~" + number }
        let hash = String(Checksum.of(Array("\(partition.cluster)\u{0}\(partition.topic)".utf8)), radix: 16)
        // No partition without a hash has three parts after its cluster: the two cannot be the same.
        return name.prefix(longestDirectoryName - 40) + "~" + hash + "~" + number
    }

    private static func escaped(_ text: String) -> String {
        text.utf8.map { byte in
            let isPlain =
                (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
                || byte == 0x2e || byte == 0x5f || byte == 0x2d
            return isPlain
                ? String(UnicodeScalar(byte)) : "%" + String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
        }.joined()
    }

    /// Zero-padded, so that the order of names is the order of numbers.
    static func padded(_ number: UInt64) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 12 - digits.count)) + digits
    }

    package static func manifestName(_ sequence: UInt64) -> String { padded(sequence) + ".manifest" }

    /// Nil where the name is not as `manifestName` makes them. Called for each name of long chains: makes no strings.
    static func manifestNumber(_ name: String) -> UInt64? {
        let digits = name.utf8.prefix { (0x30...0x39).contains($0) }
        guard digits.count >= 12, digits.count == 12 || digits.first != 0x30, name.utf8.count == digits.count + 9,
            name.hasSuffix(".manifest")
        else { return nil }
        return UInt64(Substring(digits))
    }

    static func manifestNames(_ names: [String]) -> [String] { names.filter { $0.hasSuffix(".manifest") } }

    /// Leaves out temporary files of an exclusive creation.
    static func epochNames(_ names: [String]) -> [String] { names.filter { !$0.contains(".") } }
}
