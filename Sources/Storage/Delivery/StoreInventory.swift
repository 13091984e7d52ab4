import Pipeline

/// What a store's directories hold, as far as a collector must know it. Manifests are read once: they never change.
struct StoreInventory: Sendable {
    /// What matters of one manifest, in few bytes: a store has one for each flush of weeks, and workers remember all of them.
    struct ManifestFacts: Sendable {
        /// Positions in `owners`.
        var owners: [Int32]
        /// `segmentHash` of the segments that it names.
        var segments: [UInt64]
        /// Decision files that its entries refer to: positions in `decisionPaths`.
        var decisions: [Int32]
    }

    struct Owner: Sendable, Hashable {
        var partition: PartitionID
        var epoch: UInt64
    }

    struct ManifestKey: Sendable, Hashable {
        var chain: String
        var sequence: UInt64
    }

    private(set) var manifests: [ManifestKey: ManifestFacts] = [:]
    /// Those of the entries in all manifests read so far.
    private(set) var owners = Interned<Owner>()
    /// The decision files that manifests read so far refer to.
    private(set) var decisionPaths = Interned<String>()
    /// Numbers of the manifests of each chain that are there, readable or not, ascending.
    private(set) var sequences: [String: [UInt64]] = [:]
    private var chains: Set<String> = []
    /// By partition directory.
    private(set) var histories: [String: EpochHistory] = [:]
    /// Latest stream time of a decision in each file, as manifests say; milliseconds.
    private(set) var lastDecidedAt: [String: Int64] = [:]
    /// Relative paths.
    private(set) var segments: [String] = []
    private(set) var decisions: [String] = []
    /// Temporary files, relative paths.
    private(set) var temporaries: [String] = []
    /// Directories of incarnations and chains, relative paths.
    private(set) var directories: [String] = []
    /// Something could not be read: what it needs is not known.
    private(set) var problem: String?

    mutating func load(_ layout: StoreLayout, _ fileSystem: any FileSystem) throws {
        if isMostlyGone { self = StoreInventory() }
        problem = nil
        temporaries = []
        directories = []
        // Files before manifests: a file that is not named yet by then is young, and waits out its grace.
        segments = try files("segments", layout, fileSystem)
        decisions = try files("decisions", layout, fileSystem)
        try loadManifests(layout, fileSystem)
        for directory in try fileSystem.list(layout.epochs) {
            var history = histories[directory] ?? EpochHistory()
            try history.load(from: layout.epochs + "/" + directory, fileSystem)
            histories[directory] = history
            if let (number, reason) = history.unreadable.first {
                problem = "epoch file \(directory)/\(number): \(reason)"
            }
            for name in try fileSystem.list(layout.epochs + "/" + directory) where name.hasSuffix(".tmp") {
                temporaries.append("epochs/\(directory)/\(name)")
            }
        }
    }

    private mutating func loadManifests(_ layout: StoreLayout, _ fileSystem: any FileSystem) throws {
        sequences = [:]
        for listed in try fileSystem.list(layout.manifests) {
            // The same string for all manifests of a chain, also of those read in earlier runs.
            let chain = chains.insert(listed).memberAfterInsert
            directories.append("manifests/\(chain)")
            var present: [UInt64] = []
            for name in try fileSystem.list(layout.manifests + "/" + chain) {
                if name.hasSuffix(".tmp") { temporaries.append("manifests/\(chain)/\(name)") }
                guard name.hasSuffix(".manifest"), let sequence = UInt64(name.dropLast(".manifest".count)) else {
                    continue
                }
                present.append(sequence)
                let key = ManifestKey(chain: chain, sequence: sequence)
                if manifests[key] == nil { read(key, name, layout, fileSystem) }
            }
            sequences[chain] = present.sorted()
        }
        let numbers = sequences.mapValues { Set($0) }
        manifests = manifests.filter { numbers[$0.key.chain]?.contains($0.key.sequence) == true }
    }

    private mutating func read(
        _ key: ManifestKey, _ name: String, _ layout: StoreLayout, _ fileSystem: any FileSystem
    ) {
        do {
            let manifest = try Manifest.decode(try fileSystem.read(layout.manifests + "/" + key.chain + "/" + name))
            var decisions: Set<Int32> = []
            for file in manifest.entries.flatMap(\.decisionFiles) {
                decisions.insert(decisionPaths.position(of: file.path))
                lastDecidedAt[file.path] = max(lastDecidedAt[file.path] ?? .min, file.lastDecidedAt)
            }
            manifests[key] = ManifestFacts(
                owners: manifest.entries.map {
                    owners.position(of: Owner(partition: $0.partition, epoch: $0.epoch))
                }, segments: manifest.segments.map { Self.segmentHash($0.path) }, decisions: decisions.sorted())
        } catch {
            // It may name anything.
            problem = "manifest \(key.chain)/\(name): \(error)"
        }
    }

    /// Files two levels below the root, without temporary ones.
    private mutating func files(
        _ folder: String, _ layout: StoreLayout, _ fileSystem: any FileSystem
    ) throws -> [String] {
        var found: [String] = []
        for directory in try fileSystem.list(layout.path(folder)) {
            directories.append("\(folder)/\(directory)")
            for name in try fileSystem.list(layout.path("\(folder)/\(directory)")) {
                let path = "\(folder)/\(directory)/\(name)"
                if name.hasSuffix(".tmp") { temporaries.append(path) } else { found.append(path) }
            }
        }
        return found
    }

    /// Most of what manifests referred to is referred to by none any more: reading all of them anew forgets it.
    private var isMostlyGone: Bool {
        guard owners.values.count + decisionPaths.values.count > 10_000 else { return false }
        var used: (owners: Set<Int32>, decisions: Set<Int32>) = ([], [])
        for facts in manifests.values {
            used.owners.formUnion(facts.owners)
            used.decisions.formUnion(facts.decisions)
        }
        return (used.owners.count + used.decisions.count) * 2 < owners.values.count + decisionPaths.values.count
    }

    mutating func forget(_ key: ManifestKey) { manifests[key] = nil }

    /// Lets go of what the next run lists anew.
    mutating func forgetListings() {
        segments = []
        decisions = []
        temporaries = []
        directories = []
        sequences = [:]
    }

    /// Two paths with the same hash are taken for one: then a file stays that could go.
    static func segmentHash(_ path: String) -> UInt64 {
        var path = path
        return path.withUTF8 { Checksum.of(UnsafeRawBufferPointer($0)) }
    }

    /// Values by small numbers, each of them once.
    struct Interned<Value: Hashable & Sendable>: Sendable {
        private(set) var values: [Value] = []
        private var positions: [Value: Int32] = [:]

        mutating func position(of value: Value) -> Int32 {
            if let position = positions[value] { return position }
            // 2³¹ different owners or decision files do not exist.
            let position = Int32(truncatingIfNeeded: values.count)
            values.append(value)
            positions[value] = position
            return position
        }
    }
}
