import Glibc
public import Pipeline
import Synchronization

/// A segment that a manifest names, with the partitions whose rows count: a row of a fenced task stays invisible beside its
/// neighbours' good ones.
public struct AcceptedSegment: Sendable, Hashable {
    public var reference: SegmentReference
    public var acceptedPartitions: Set<PartitionID>

    public init(reference: SegmentReference, acceptedPartitions: Set<PartitionID>) {
        self.reference = reference
        self.acceptedPartitions = acceptedPartitions
    }
}

/// What a reader may see of a store: the segments that manifests of rightful owners name.
///
/// A refresh looks for the next manifest of each chain and the next epoch of each partition; it lists whole directories only
/// when they are new, and now and then. Thread-safe.
public final class StoreCatalog: Sendable {
    /// Every so many refreshes whole directories are listed, to forget what was removed.
    private static let refreshesPerListing = 60

    private let layout: StoreLayout
    private let fileSystem: any FileSystem
    private let state = Mutex(State())

    private struct State {
        var chains: [String: Chain] = [:]
        /// By partition directory.
        var partitions: [String: EpochHistory] = [:]
        var refreshes = 0
        /// Of the manifests' entries, each once: their strings are shared.
        var known: Set<PartitionID> = []
        /// What the last refresh returned; nil when something has changed since.
        var accepted: [AcceptedSegment]?
    }

    private struct Chain {
        /// Number of the next manifest to look for.
        var next: UInt64 = 1
        /// Manifests that name segments, by number.
        var manifests: [UInt64: Item] = [:]
        /// Manifests that could not be read, with the reason; tried again at each refresh.
        var damaged: [UInt64: String] = [:]
    }

    /// The segments of a manifest with the entries it has; nothing else of it is needed here.
    private struct Item {
        var segments: [SegmentReference]
        var owners: [(partition: PartitionID, epoch: UInt64)]
    }

    public init(layout: StoreLayout, fileSystem: any FileSystem = LocalFileSystem()) {
        self.layout = layout
        self.fileSystem = fileSystem
    }

    /// Looks for new manifests and owners; returns everything that is visible now.
    public func refresh() throws -> [AcceptedSegment] {
        try state.withLock { state in
            let listsAll = state.refreshes % Self.refreshesPerListing == 0
            // Manifests before epochs: a manifest whose owner changes in between must not be taken for the new owner's
            // predecessor's without the new owner's file being seen.
            try loadManifests(&state, listsAll: listsAll)
            try loadEpochs(&state, listsAll: listsAll)
            state.refreshes += 1
            if let accepted = state.accepted { return accepted }
            let accepted = Self.accepted(state)
            state.accepted = accepted
            return accepted
        }
    }

    /// Manifests and epoch files that could not be read, as `path: reason`.
    public var problems: [String] {
        state.withLock { state in
            var problems: [String] = []
            for (name, chain) in state.chains {
                problems += chain.damaged.map {
                    "\(layout.manifests)/\(name)/\(FileDeliveryStore.manifestName($0.key)): \($0.value)"
                }
            }
            for (directory, history) in state.partitions {
                problems += history.unreadable.map {
                    "\(layout.epochs)/\(directory)/\(FileDeliveryStore.padded($0.key)): \($0.value); "
                        + "what its predecessors published after it took over may be shown"
                }
            }
            return problems.sorted()
        }
    }

    // MARK: - Manifests

    private func loadManifests(_ state: inout State, listsAll: Bool) throws {
        let names = try fileSystem.list(layout.manifests)
        for name in names {
            var chain = state.chains[name] ?? Chain()
            if listsAll || state.chains[name] == nil {
                try listManifests(name, &chain, &state)
            } else {
                for sequence in chain.damaged.keys { load(name, sequence, &chain, &state) }
                while try exists(path(name, chain.next)) {
                    load(name, chain.next, &chain, &state)
                    chain.next += 1
                }
            }
            state.chains[name] = chain
        }
        guard listsAll, state.chains.count > names.count else { return }
        let present = Set(names)
        state.chains = state.chains.filter { present.contains($0.key) }
        state.accepted = nil
    }

    private func listManifests(_ name: String, _ chain: inout Chain, _ state: inout State) throws {
        let sequences = try FileDeliveryStore.manifestNames(fileSystem.list(layout.manifests + "/" + name))
            .compactMap { UInt64($0.dropLast(".manifest".count)) }
        for sequence in sequences where sequence >= chain.next || chain.damaged[sequence] != nil {
            load(name, sequence, &chain, &state)
        }
        chain.next = max(chain.next, (sequences.max() ?? 0) + 1)
        let present = Set(sequences)
        chain.damaged = chain.damaged.filter { present.contains($0.key) }
        let count = chain.manifests.count
        chain.manifests = chain.manifests.filter { present.contains($0.key) }
        if chain.manifests.count != count { state.accepted = nil }
    }

    private func load(_ name: String, _ sequence: UInt64, _ chain: inout Chain, _ state: inout State) {
        do {
            let manifest = try Manifest.decode(try fileSystem.read(path(name, sequence)))
            chain.damaged[sequence] = nil
            if manifest.segments.isEmpty { return }
            chain.manifests[sequence] = Item(
                segments: manifest.segments,
                owners: manifest.entries.map { (state.known.insert($0.partition).memberAfterInsert, $0.epoch) })
            state.accepted = nil
        } catch {
            chain.damaged[sequence] = String(describing: error)
        }
    }

    private func path(_ chain: String, _ sequence: UInt64) -> String {
        layout.manifests + "/" + chain + "/" + FileDeliveryStore.manifestName(sequence)
    }

    private func exists(_ path: String) throws -> Bool {
        do throws(FileError) {
            _ = try fileSystem.size(path)
            return true
        } catch {
            if error.code == ENOENT { return false }
            throw error
        }
    }

    // MARK: - Epochs

    private func loadEpochs(_ state: inout State, listsAll: Bool) throws {
        for directory in try fileSystem.list(layout.epochs) {
            var history = state.partitions[directory] ?? EpochHistory()
            let before = history
            let path = layout.epochs + "/" + directory
            if listsAll || state.partitions[directory] == nil {
                try history.load(from: path, fileSystem)
            } else {
                for number in history.unreadable.keys { history.read(number, from: path, fileSystem) }
                while try exists(path + "/" + FileDeliveryStore.padded(history.newest + 1)) {
                    history.read(history.newest + 1, from: path, fileSystem)
                }
            }
            if history != before { state.accepted = nil }
            state.partitions[directory] = history
        }
    }

    private static func accepted(_ state: State) -> [AcceptedSegment] {
        var limits: [PartitionID: [UInt64: EpochHistory.Limit]] = [:]
        var segments: [AcceptedSegment] = []
        // Thousands of segments have the same partitions: one set for all of them.
        var sets: Set<Set<PartitionID>> = []
        for (name, chain) in state.chains {
            for (sequence, item) in chain.manifests {
                var partitions: Set<PartitionID> = []
                for (partition, epoch) in item.owners {
                    if limits[partition] == nil {
                        limits[partition] =
                            state.partitions[FileDeliveryStore.directoryName(partition)]?.acceptedEpochs() ?? [:]
                    }
                    #if TAILRACE_MUTATIONS
                        if ProtocolMutation.active == .readerAcceptsAnyEpoch {
                            partitions.insert(partition)
                            continue
                        }
                    #endif
                    guard let limit = limits[partition]?[epoch] else { continue }
                    if limit.accepts(chain: name, sequence: sequence) { partitions.insert(partition) }
                }
                if partitions.isEmpty { continue }
                partitions = sets.insert(partitions).memberAfterInsert
                segments += item.segments.map { AcceptedSegment(reference: $0, acceptedPartitions: partitions) }
            }
        }
        return segments.sorted { $0.reference.path < $1.reference.path }
    }
}
