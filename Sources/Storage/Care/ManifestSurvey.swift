import Pipeline

/// Everything that manifests and epochs of a store say, without the done refs: small enough to hold.
struct ManifestSurvey {
    struct Entry {
        var partition: PartitionID
        var epoch: UInt64
        var low: Int64
        var high: Int64
    }

    struct ManifestItem {
        var chain: String
        var sequence: UInt64
        var checksum: UInt64
        var previousChecksum: UInt64
        var entries: [Entry]
        var segments: [SegmentReference]
        var decisionFiles: [DecisionFileReference]
    }

    /// Chains by name; manifests in order.
    private(set) var chains: [String: [ManifestItem]] = [:]
    private var sequences: [String: Set<UInt64>] = [:]
    /// Manifests that cannot be read, with the reason.
    private(set) var damaged: [(chain: String, name: String, reason: String)] = []
    private(set) var histories: [PartitionID: EpochHistory] = [:]
    private var limits: [PartitionID: [UInt64: EpochHistory.Limit]] = [:]
    /// Directories of partitions that no manifest names.
    private(set) var strangeEpochDirectories: [(directory: String, history: EpochHistory)] = []
    let layout: StoreLayout
    let fileSystem: any FileSystem

    init(layout: StoreLayout, fileSystem: any FileSystem, progress: (String) -> Void) throws {
        self.layout = layout
        self.fileSystem = fileSystem
        // Manifests before epochs: a manifest whose owner changes meanwhile is judged by the newer epoch.
        for chain in try fileSystem.list(layout.manifests) {
            for name in FileDeliveryStore.manifestNames(try fileSystem.list(layout.manifests + "/" + chain)) {
                do {
                    let item = try Self.read(chain, layout.manifests + "/" + chain + "/" + name, fileSystem)
                    chains[chain, default: []].append(item)
                    sequences[chain, default: []].insert(item.sequence)
                } catch {
                    damaged.append((chain, name, "\(error)"))
                }
                progress("manifests of \(chain): \(name)")
            }
        }
        let partitions = Set(chains.values.joined().flatMap { $0.entries.map(\.partition) })
        var directories: [String: PartitionID] = [:]
        for partition in partitions { directories[FileDeliveryStore.directoryName(partition)] = partition }
        for directory in try fileSystem.list(layout.epochs) {
            let history = try EpochHistory(directory: layout.epochs + "/" + directory, fileSystem: fileSystem)
            if let partition = directories[directory] {
                histories[partition] = history
                limits[partition] = history.acceptedEpochs()
            } else {
                strangeEpochDirectories.append((directory, history))
            }
        }
    }

    static func read(_ chain: String, _ path: String, _ fileSystem: any FileSystem) throws -> ManifestItem {
        let bytes = try fileSystem.read(path)
        let manifest = try Manifest.decode(bytes)
        return ManifestItem(
            chain: chain, sequence: manifest.sequence, checksum: Checksum.of(bytes),
            previousChecksum: manifest.previousChecksum,
            entries: manifest.entries.map {
                Entry(partition: $0.partition, epoch: $0.epoch, low: $0.low, high: $0.high)
            },
            segments: manifest.segments, decisionFiles: manifest.entries.flatMap(\.decisionFiles))
    }

    /// Whether a manifest is there and can be read.
    func has(_ chain: String, _ sequence: UInt64) -> Bool { sequences[chain]?.contains(sequence) == true }

    /// Entries of a manifest that count.
    func accepted(_ item: ManifestItem) -> [Entry] {
        item.entries.filter { accepts($0.partition, epoch: $0.epoch, chain: item.chain, sequence: item.sequence) }
    }

    /// Whether what an owner published of a partition with that manifest counts.
    func accepts(_ partition: PartitionID, epoch: UInt64, chain: String, sequence: UInt64) -> Bool {
        limits[partition]?[epoch]?.accepts(chain: chain, sequence: sequence) == true
    }

    /// Every segment that any manifest names, also a fenced one.
    var namedSegments: Set<String> { Set(chains.values.joined().flatMap { $0.segments.map(\.path) }) }

    /// Every decision file that any manifest names, with the most bytes that one vouches for.
    var namedDecisionFiles: [String: UInt64] {
        var lengths: [String: UInt64] = [:]
        for reference in chains.values.joined().flatMap(\.decisionFiles) {
            lengths[reference.path] = max(lengths[reference.path] ?? 0, reference.length)
        }
        return lengths
    }

    /// The entries that count of each partition, oldest first.
    func acceptedEntries() -> [PartitionID: [(item: ManifestItem, entry: Entry)]] {
        var entries: [PartitionID: [(item: ManifestItem, entry: Entry)]] = [:]
        for item in chains.values.joined() {
            for entry in accepted(item) { entries[entry.partition, default: []].append((item, entry)) }
        }
        return entries.mapValues { list in
            list.sorted { ($0.entry.epoch, $0.item.sequence) < ($1.entry.epoch, $1.item.sequence) }
        }
    }

    /// What the manifest before one says of a partition: where the offsets of its flush begin. Nil where there is none.
    func predecessor(of item: ManifestItem, _ partition: PartitionID) -> Entry? {
        let earlier = chains[item.chain]?.last { before in
            before.sequence < item.sequence && before.entries.contains { $0.partition == partition }
        }
        return earlier?.entries.first { $0.partition == partition }
    }

    /// `offsets 100 to 199` that a flush read of a partition for the first time.
    func offsets(of entry: Entry, in item: ManifestItem) -> String {
        let first = predecessor(of: item, entry.partition)?.high ?? entry.low
        if entry.high <= first { return "no new offsets" }
        return "offsets \(first) to \(entry.high - 1)"
    }
}
