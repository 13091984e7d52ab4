import OTLP
import Pipeline
import Storage
import TraceModel

/// What the files of the store say, read straight from the simulated disk and judged by rules of the oracle's own: which
/// manifests' entries count.
final class StoreImage {
    struct ManifestKey: Hashable {
        var chain: String
        var sequence: UInt64
    }

    /// An entry of a manifest that counts.
    struct AcceptedKey: Hashable, Comparable {
        var manifest: ManifestKey
        var partition: PartitionID

        static func < (left: AcceptedKey, right: AcceptedKey) -> Bool {
            (left.manifest.chain, left.manifest.sequence, left.partition)
                < (right.manifest.chain, right.manifest.sequence, right.partition)
        }
    }

    /// A stored trace, or late spans of one.
    struct Row {
        var partition: PartitionID
        var traceID: TraceID
        var isLate: Bool
        var policyVersion: UInt32
        var copies: [Int]
    }

    private unowned let disk: SimulatedDisk
    private let fileSystem: LocalFileSystem
    private(set) var epochs: [PartitionID: [UInt64: Epoch]] = [:]
    private(set) var manifests: [ManifestKey: Manifest] = [:]
    private var rows: [String: [Row]] = [:]
    /// Manifests that were removed as unneeded: what they said still counts for the oracle.
    private(set) var collected: Set<ManifestKey> = []
    private let partitions: [String: PartitionID]

    init(disk: SimulatedDisk, fileSystem: LocalFileSystem, partitions: [PartitionID]) {
        self.disk = disk
        self.fileSystem = fileSystem
        self.partitions = Dictionary(
            uniqueKeysWithValues: partitions.map { (FileDeliveryStore.directoryName($0), $0) })
    }

    // MARK: - Loading

    /// After a power failure: what was there may be gone.
    ///
    /// Epochs stay known that were collected or cannot be read: what they say still counts.
    func reload() {
        manifests = manifests.filter { collected.contains($0.key) }
        for (partition, numbered) in epochs {
            let names = disk.names(Simulation.layout.epochs + "/" + FileDeliveryStore.directoryName(partition))
            let present = Set(names.compactMap { UInt64($0) })
            epochs[partition] = numbered.filter { present.contains($0.key) || $0.key < present.min() ?? 0 }
        }
        let layout = Simulation.layout
        for directory in disk.names(layout.epochs) {
            for name in disk.names(layout.epochs + "/" + directory) { load(layout.epochs + "/\(directory)/\(name)") }
        }
        for chain in disk.names(layout.manifests) {
            for name in disk.names(layout.manifests + "/" + chain) { load(layout.manifests + "/\(chain)/\(name)") }
        }
    }

    func collect(_ key: ManifestKey) { collected.insert(key) }

    /// Another store.
    func forget() {
        epochs = [:]
        manifests = [:]
        rows = [:]
        collected = []
    }

    /// Loads a manifest or an epoch file; returns the key of a manifest.
    @discardableResult
    func load(_ path: String) -> ManifestKey? {
        let parts = path.split(separator: "/").map(String.init)
        guard parts.count == 4, let bytes = disk.contents(path) else { return nil }
        if parts[1] == "manifests", parts[3].hasSuffix(".manifest"), let manifest = try? Manifest.decode(bytes) {
            let key = ManifestKey(chain: parts[2], sequence: manifest.sequence)
            manifests[key] = manifest
            return key
        }
        if parts[1] == "epochs", !parts[3].contains("."), let partition = partitions[parts[2]],
            let epoch = try? Epoch.decode(bytes)
        {
            epochs[partition, default: [:]][epoch.number] = epoch
        }
        return nil
    }

    /// Rows of a segment. A segment never changes, so it is read once.
    func rows(of segment: SegmentReference) throws -> [Row] {
        if let known = rows[segment.path] { return known }
        let reader = try SegmentReader(
            path: Simulation.layout.path(segment.path), expectedByteCount: segment.byteCount, fileSystem: fileSystem)
        let versions = try reader.summaries().policyVersions
        var list: [Row] = []
        try reader.forEachRow { row in
            var copies: [Int] = []
            for resource in try OTLPDecoder.decode(try reader.payload(of: row)) {
                for scope in resource.scopeSpans { copies += scope.spans.map { Int($0.name) ?? -1 } }
            }
            list.append(
                Row(
                    partition: row.partition, traceID: row.traceID, isLate: row.isLate,
                    policyVersion: versions[row.index], copies: copies))
        }
        rows[segment.path] = list
        return list
    }

    // MARK: - What counts

    /// How far an epoch's manifests count.
    private enum Limit {
        /// The newest owner's all do.
        case none
        case upTo(Epoch.ManifestPosition)
    }

    /// The entries of rightful owners: all of the newest epoch, and of each ancestor up to what its successor took over.
    func accepted() -> Set<AcceptedKey> {
        var limits: [PartitionID: [UInt64: Limit]] = [:]
        for (partition, numbered) in epochs {
            guard let newest = numbered.keys.max() else { continue }
            var accepted: [UInt64: Limit] = [newest: .none]
            var epoch = numbered[newest]
            while let parent = epoch?.parent, accepted[parent.epoch] == nil {
                accepted[parent.epoch] = .upTo(parent)
                epoch = numbered[parent.epoch]
            }
            limits[partition] = accepted
        }
        var keys: Set<AcceptedKey> = []
        for (key, manifest) in manifests {
            for entry in manifest.entries {
                guard let limit = limits[entry.partition]?[entry.epoch] else { continue }
                if case .upTo(let last) = limit, last.chain != key.chain || key.sequence > last.sequence { continue }
                keys.insert(AcceptedKey(manifest: key, partition: entry.partition))
            }
        }
        return keys
    }

    func entry(_ key: AcceptedKey) -> TaskEntry? {
        manifests[key.manifest]?.entries.first { $0.partition == key.partition }
    }
}
