import Synchronization

/// Removes from a store what nobody needs: old manifests, epochs, decision files, what crashes left. `GarbagePlan` says what
/// that is.
///
/// A file goes only after it was seen unneeded for a grace time by this collector, so that whoever was about to read or name
/// it has done so. Each removal stands for itself: a crash between two leaves a store that is as good as before. Thread-safe.
public final class StoreCollector: Sendable {
    public struct Settings: Sendable {
        /// Milliseconds for which a file must have been unneeded.
        public var grace: Int64 = 3_600_000
        /// Decisions stay this long for people to read, even when no sampler needs them any more; milliseconds of the wall
        /// clock against stream time.
        public var decisionRetention: Int64 = 86_400_000

        public init() {}
    }

    /// What one run did.
    public struct Outcome: Sendable, Equatable {
        public var removedFiles = 0
        /// Unneeded files whose grace has not ended.
        public var waitingFiles = 0
        /// Why nothing was removed; nil when all could be read.
        public var problem: String?

        public init() {}
    }

    private struct State {
        var inventory = StoreInventory()
        /// When each unneeded manifest and file was first seen to be, milliseconds.
        var manifests: [StoreInventory.ManifestKey: Int64] = [:]
        var files: [String: Int64] = [:]
        /// Directories with names that are gone, and may come back where the power fails.
        var unsynced: Set<String> = []
    }

    private let layout: StoreLayout
    private let incarnation: String
    private let fileSystem: any FileSystem
    private let settings: Settings
    private let state = Mutex(State())

    /// - Parameter incarnation: of this process; its own files are its to remove, except those it may still name.
    public init(
        layout: StoreLayout, incarnation: String, settings: Settings = Settings(),
        fileSystem: any FileSystem = LocalFileSystem()
    ) {
        self.layout = layout
        self.incarnation = incarnation
        self.settings = settings
        self.fileSystem = fileSystem
    }

    /// Looks at the store, and removes what has been unneeded for long enough.
    ///
    /// - Parameter now: milliseconds since the Unix epoch.
    /// - Throws: at the first directory that cannot be listed or file that cannot be removed; the rest waits for the next run.
    public func collect(now: Int64) throws -> Outcome {
        try state.withLock { state in
            try state.inventory.load(layout, fileSystem)
            let plan = GarbagePlan(
                state.inventory, own: incarnation, oldestDecision: now - settings.decisionRetention)
            var outcome = Outcome()
            outcome.problem = state.inventory.problem
            state.manifests = Self.firstSeen(plan.manifests, before: state.manifests, now: now)
            state.files = Self.firstSeen(plan.files, before: state.files, now: now)
            outcome.waitingFiles = state.manifests.count + state.files.count

            for key in plan.manifests where now - (state.manifests[key] ?? now) >= settings.grace {
                let directory = "manifests/\(key.chain)"
                state.unsynced.insert(directory)
                try fileSystem.remove(layout.path(directory + "/" + FileDeliveryStore.manifestName(key.sequence)))
                state.inventory.forget(key)
                outcome.removedFiles += 1
            }
            // A manifest that came back after a power failure would name segments that are gone.
            for directory in state.unsynced.sorted() {
                try fileSystem.syncDirectory(layout.path(directory))
                state.unsynced.remove(directory)
            }
            for path in plan.files where now - (state.files[path] ?? now) >= settings.grace {
                try fileSystem.remove(layout.path(path))
                outcome.removedFiles += 1
            }
            outcome.waitingFiles -= outcome.removedFiles
            for path in plan.directories { try fileSystem.removeEmptyDirectory(layout.path(path)) }
            state.inventory.forgetListings()
            return outcome
        }
    }

    /// What is unneeded now, with the time since when. What has become needed again, or is gone, is forgotten.
    private static func firstSeen<Name: Hashable>(
        _ unneeded: [Name], before: [Name: Int64], now: Int64
    ) -> [Name: Int64] {
        Dictionary(unneeded.map { ($0, before[$0] ?? now) }) { first, _ in first }
    }
}
