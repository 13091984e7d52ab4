public import Pipeline
import Synchronization

/// A segment that a manifest names, with the partitions whose rows count: a row of a fenced task stays invisible beside its
/// neighbours' good ones.
public struct AcceptedSegment: Sendable, Equatable {
    public var reference: SegmentReference
    public var acceptedPartitions: Set<PartitionID>

    public init(reference: SegmentReference, acceptedPartitions: Set<PartitionID>) {
        self.reference = reference
        self.acceptedPartitions = acceptedPartitions
    }
}

/// What a reader may see of a store: the segments that manifests of rightful owners name.
///
/// Reads only what is new since the last `refresh`. Thread-safe.
public final class StoreCatalog: Sendable {
    private let layout: StoreLayout
    private let fileSystem: any FileSystem
    private let state = Mutex(State())

    private struct State {
        var manifests: [ManifestFile: Item] = [:]
        /// By partition directory, then by number.
        var epochs: [String: [UInt64: Epoch]] = [:]
        /// Manifests that could not be read, with the reason; tried again at each refresh.
        var damaged: [ManifestFile: String] = [:]
    }

    private struct ManifestFile: Hashable {
        var chain: String
        var sequence: UInt64
    }

    /// The segments of a manifest with the entries it has; nothing else of it is needed here.
    private struct Item {
        var segments: [SegmentReference]
        var owners: [(partition: PartitionID, epoch: UInt64)]
    }

    /// Up to which manifest an epoch's entries count; nil for the newest owner's, which all do.
    private struct Limit {
        var last: Epoch.ManifestPosition?
    }

    public init(layout: StoreLayout, fileSystem: any FileSystem = LocalFileSystem()) {
        self.layout = layout
        self.fileSystem = fileSystem
    }

    /// Looks for new manifests and owners; returns everything that is visible now.
    public func refresh() throws -> [AcceptedSegment] {
        try state.withLock { state in
            // Manifests before epochs: a manifest whose owner changes in between must not be taken for the new owner's
            // predecessor's without the new owner's file being seen.
            try loadManifests(&state)
            try loadEpochs(&state)
            return accepted(state)
        }
    }

    /// Manifests that could not be read, as `path: reason`.
    public var problems: [String] {
        state.withLock { state in
            state.damaged.map {
                "\(layout.manifests)/\($0.key.chain)/\(FileDeliveryStore.manifestName($0.key.sequence)): \($0.value)"
            }.sorted()
        }
    }

    private func loadManifests(_ state: inout State) throws {
        for chain in try fileSystem.list(layout.manifests) {
            for name in try FileDeliveryStore.manifestNames(fileSystem.list(layout.manifests + "/" + chain)) {
                guard let sequence = UInt64(name.dropLast(".manifest".count)) else { continue }
                let file = ManifestFile(chain: chain, sequence: sequence)
                if state.manifests[file] != nil { continue }
                do {
                    let manifest = try Manifest.decode(
                        try fileSystem.read(layout.manifests + "/" + chain + "/" + name))
                    let owners = manifest.segments.isEmpty ? [] : manifest.entries.map { ($0.partition, $0.epoch) }
                    state.manifests[file] = Item(segments: manifest.segments, owners: owners)
                    state.damaged[file] = nil
                } catch {
                    state.damaged[file] = String(describing: error)
                }
            }
        }
    }

    private func loadEpochs(_ state: inout State) throws {
        for directory in try fileSystem.list(layout.epochs) {
            let path = layout.epochs + "/" + directory
            for name in try FileDeliveryStore.epochNames(fileSystem.list(path)) {
                guard let number = UInt64(name), state.epochs[directory]?[number] == nil else { continue }
                state.epochs[directory, default: [:]][number] = try Epoch.decode(try fileSystem.read(path + "/" + name))
            }
        }
    }

    private func accepted(_ state: State) -> [AcceptedSegment] {
        var limits: [PartitionID: [UInt64: Limit]] = [:]
        var segments: [AcceptedSegment] = []
        for (file, item) in state.manifests where !item.segments.isEmpty {
            var partitions: Set<PartitionID> = []
            for (partition, epoch) in item.owners {
                if limits[partition] == nil { limits[partition] = Self.acceptedEpochs(of: partition, state) }
                #if TAILRACE_MUTATIONS
                    if ProtocolMutation.active == .readerAcceptsAnyEpoch {
                        partitions.insert(partition)
                        continue
                    }
                #endif
                guard let limit = limits[partition]?[epoch] else { continue }
                // No limit: the newest owner. Otherwise what the next owner found in place.
                if let last = limit.last, last.chain != file.chain || file.sequence > last.sequence { continue }
                partitions.insert(partition)
            }
            if partitions.isEmpty { continue }
            segments += item.segments.map { AcceptedSegment(reference: $0, acceptedPartitions: partitions) }
        }
        return segments.sorted { $0.reference.path < $1.reference.path }
    }

    /// Epochs of a partition that count, with the last manifest of each: from the newest owner back along its ancestors.
    private static func acceptedEpochs(
        of partition: PartitionID, _ state: State
    ) -> [UInt64: Limit] {
        guard let epochs = state.epochs[FileDeliveryStore.directoryName(partition)], let newest = epochs.keys.max()
        else {
            return [:]
        }
        var accepted = [newest: Limit(last: nil)]
        var epoch = epochs[newest]
        while let parent = epoch?.parent, accepted[parent.epoch] == nil {
            accepted[parent.epoch] = Limit(last: parent)
            epoch = epochs[parent.epoch]
        }
        return accepted
    }
}
