import Pipeline

/// Which files of a store nobody needs, and never will again. A pure function of what is there.
///
/// A process removes its own files and those of *retired* incarnations: starts of processes that own no partition any more.
/// What another living owner may be about to name is left to that owner. Once a file is not needed it stays so: acceptance
/// of an entry is decided for good by the epoch file of the next owner, and a successor continues from the newest entries.
///
/// Kept are: manifests that name a segment with accepted rows; the newest few of each chain, for a damaged one is walked back
/// from; the newest entry of each partition and the one that its owner continues; epoch files on the way from a partition's
/// newest owner to the oldest that has accepted rows; decision files that any kept manifest refers to, and the newest ones
/// of each writer, which are being written.
struct GarbagePlan {
    /// Manifests kept at the end of each chain.
    static let spareManifests = 8

    /// Relative paths, in the order in which they may go: what names others before what is named.
    private(set) var manifests: [StoreInventory.ManifestKey] = []
    private(set) var files: [String] = []
    /// Removed where they are empty.
    private(set) var directories: [String] = []

    /// - Parameters:
    ///   - own: incarnation of this process.
    ///   - oldestDecision: decision files with a decision of this stream time or later stay for people to read.
    init(_ inventory: StoreInventory, own: String, oldestDecision: Int64) {
        // What an unreadable file needs is not known: nothing is removed until it is repaired.
        guard inventory.problem == nil else { return }
        let owners = Set(inventory.histories.values.compactMap { $0.epochs[$0.newest]?.incarnation })
        func isMine(_ incarnation: Substring) -> Bool {
            #if TAILRACE_MUTATIONS
                if ProtocolMutation.active == .collectorTakesOthersFiles { return true }
            #endif
            return incarnation == own || !owners.contains(String(incarnation))
        }
        let accepted = Accepted(inventory)
        let needed = Self.neededManifests(inventory)

        var kept: [StoreInventory.ManifestFacts] = []
        for (key, facts) in inventory.manifests {
            // Also where a segment is missing: the manifest is the evidence that something was lost.
            #if TAILRACE_MUTATIONS
                let showsRows =
                    ProtocolMutation.active != .collectorForgetsRows && !facts.segments.isEmpty
                    && facts.owners.contains { accepted.accepts($0, in: key) }
            #else
                let showsRows = !facts.segments.isEmpty && facts.owners.contains { accepted.accepts($0, in: key) }
            #endif
            if showsRows || needed.contains(key) || !isMine(Self.incarnation(ofChain: key.chain)) {
                kept.append(facts)
            } else {
                manifests.append(key)
            }
        }
        manifests.sort { ($0.chain, $0.sequence) < ($1.chain, $1.sequence) }

        // A segment goes when its manifest is gone already, so that no manifest ever names a missing one.
        #if TAILRACE_MUTATIONS
            let isFirst = ProtocolMutation.active == .segmentCollectedFirst
            let naming = inventory.manifests.filter { key, facts in
                !isFirst || facts.owners.contains { accepted.accepts($0, in: key) }
            }.values
            if ProtocolMutation.active == .segmentCollectedFirst { manifests = [] }
        #else
            let naming = inventory.manifests.values
        #endif
        var named: Set<UInt64> = []
        for facts in naming { named.formUnion(facts.segments) }
        files += inventory.segments.filter { path in
            #if TAILRACE_MUTATIONS
                if ProtocolMutation.active == .collectorLeavesLitter { return false }
            #endif
            // Its own may be waiting for their manifest on a full disk, for however long.
            let incarnation = Self.incarnation(ofFile: path)
            return incarnation != own && isMine(incarnation) && !named.contains(StoreInventory.segmentHash(path))
        }
        #if TAILRACE_MUTATIONS
            let forgetsDecisions = ProtocolMutation.active == .collectorForgetsDecisions
            let referred = forgetsDecisions ? [] : Self.decisionPaths(of: kept, inventory)
            let newest = forgetsDecisions ? [] : Self.newestDecisionFiles(inventory.decisions)
        #else
            let referred = Self.decisionPaths(of: kept, inventory)
            let newest = Self.newestDecisionFiles(inventory.decisions)
        #endif
        files += inventory.decisions.filter { path in
            isMine(Self.incarnation(ofFile: path)) && !referred.contains(path) && !newest.contains(path)
                && inventory.lastDecidedAt[path] ?? .min < oldestDecision
        }
        files += Self.unneededEpochs(inventory, accepted, own: own)
        files += inventory.temporaries.filter { path in
            let incarnation = Self.incarnation(ofFile: path)
            if path.hasPrefix("epochs/") { return true }
            if path.hasPrefix("manifests/") {
                let writer = Self.incarnation(ofChain: String(incarnation))
                return writer != own && isMine(writer)
            }
            return incarnation != own && isMine(incarnation)
        }
        files.sort()
        directories = inventory.directories.filter { path in
            let name = Self.incarnation(ofFile: path + "/")
            let incarnation = path.hasPrefix("manifests/") ? Self.incarnation(ofChain: String(name)) : name
            return incarnation != own && isMine(incarnation)
        }
    }

    /// Manifests that a successor may read.
    private static func neededManifests(_ inventory: StoreInventory) -> Set<StoreInventory.ManifestKey> {
        var needed: Set<StoreInventory.ManifestKey> = []
        #if TAILRACE_MUTATIONS
            if ProtocolMutation.active == .collectorForgetsParents { return [] }
        #endif
        for (chain, sequences) in inventory.sequences {
            for sequence in sequences.suffix(spareManifests) {
                needed.insert(StoreInventory.ManifestKey(chain: chain, sequence: sequence))
            }
        }
        for history in inventory.histories.values {
            // The one that the newest owner continues, and the next one would if it published nothing.
            if let parent = history.epochs[history.newest]?.parent {
                needed.insert(StoreInventory.ManifestKey(chain: parent.chain, sequence: parent.sequence))
            }
        }
        // The newest entry of each partition and epoch: one of them is what the next owner continues.
        let isNewest = inventory.owners.values.map {
            inventory.histories[FileDeliveryStore.directoryName($0.partition)]?.newest == $0.epoch
        }
        var newest: [Int32: StoreInventory.ManifestKey] = [:]
        for (key, facts) in inventory.manifests {
            for owner in facts.owners where isNewest[Int(owner)] {
                if let other = newest[owner], other.sequence >= key.sequence { continue }
                newest[owner] = key
            }
        }
        return needed.union(newest.values)
    }

    private static func decisionPaths(
        of manifests: [StoreInventory.ManifestFacts], _ inventory: StoreInventory
    ) -> Set<String> {
        var positions: Set<Int32> = []
        for facts in manifests { positions.formUnion(facts.decisions) }
        return Set(positions.map { inventory.decisionPaths.values[Int($0)] })
    }

    /// Older epoch files that lead to no accepted row; each partition's owner removes its own.
    private static func unneededEpochs(_ inventory: StoreInventory, _ accepted: Accepted, own: String) -> [String] {
        var paths: [String] = []
        for (directory, history) in inventory.histories where history.epochs[history.newest]?.incarnation == own {
            // The parent of the newest is named in its file; what lies behind that is found through the parent's.
            let rows = accepted.epochsWithRows[directory] ?? []
            let oldestWithRows = rows.min() ?? .max
            for number in history.epochs.keys.sorted() where number != history.newest {
                let isOnTheWay = accepted.limits[directory]?[number] != nil && number > oldestWithRows
                #if TAILRACE_MUTATIONS
                    if ProtocolMutation.active == .collectorForgetsEpochs {
                        paths.append("epochs/\(directory)/\(FileDeliveryStore.padded(number))")
                        continue
                    }
                #endif
                if !isOnTheWay { paths.append("epochs/\(directory)/\(FileDeliveryStore.padded(number))") }
            }
        }
        return paths
    }

    /// The files with the highest number of each writer: they may be open.
    private static func newestDecisionFiles(_ paths: [String]) -> Set<String> {
        var newest: [Substring: (number: Int, path: String)] = [:]
        var unknown: Set<String> = []
        for path in paths {
            // decisions/<incarnation>/<writer>-<n>.log
            guard let dash = path.lastIndex(of: "-"), path.hasSuffix(".log"),
                let number = Int(path[path.index(after: dash)...].dropLast(".log".count))
            else {
                unknown.insert(path)
                continue
            }
            if let other = newest[path[..<dash]], other.number > number { continue }
            newest[path[..<dash]] = (number, path)
        }
        return unknown.union(newest.values.map(\.path))
    }

    /// `<folder>/<incarnation>/…`
    private static func incarnation(ofFile path: String) -> Substring {
        let parts = path.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
        return parts.count > 1 ? parts[1] : ""
    }

    /// `<incarnation>-<writer>`
    private static func incarnation(ofChain chain: String) -> Substring {
        chain.lastIndex(of: "-").map { chain[..<$0] } ?? chain[...]
    }
}

/// Which entries count, by the epoch files.
private struct Accepted {
    /// By partition directory and epoch.
    private(set) var limits: [String: [UInt64: EpochHistory.Limit]] = [:]
    /// Epochs with accepted entries in manifests that name segments, by partition directory.
    private(set) var epochsWithRows: [String: Set<UInt64>] = [:]
    /// By position in the inventory's owners; nil where nothing of it counts.
    private let limitsOfOwners: [EpochHistory.Limit?]

    init(_ inventory: StoreInventory) {
        let limits = inventory.histories.mapValues { $0.acceptedEpochs() }
        let directories = inventory.owners.values.map { FileDeliveryStore.directoryName($0.partition) }
        limitsOfOwners = zip(inventory.owners.values, directories).map { limits[$1]?[$0.epoch] }
        self.limits = limits
        var ownersWithRows: Set<Int32> = []
        for (key, facts) in inventory.manifests where !facts.segments.isEmpty {
            for owner in facts.owners where accepts(owner, in: key) { ownersWithRows.insert(owner) }
        }
        for owner in ownersWithRows {
            epochsWithRows[directories[Int(owner)], default: []].insert(inventory.owners.values[Int(owner)].epoch)
        }
    }

    /// - Parameter owner: position in the inventory's owners.
    func accepts(_ owner: Int32, in key: StoreInventory.ManifestKey) -> Bool {
        limitsOfOwners[Int(owner)]?.accepts(chain: key.chain, sequence: key.sequence) ?? false
    }
}
