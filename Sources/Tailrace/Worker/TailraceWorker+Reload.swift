public import Pipeline
import Synchronization

/// What became of a request to reload.
public struct ReloadReport: Sendable, Equatable {
    public var isAccepted: Bool
    /// Of the configuration in force: 1 at the start, one more with each accepted reload.
    public var generation: Int
    /// Stages whose kind, settings or inputs differ, by name.
    public var changed: [String] = []
    public var added: [String] = []
    public var removed: [String] = []
    /// Why it was refused: `file:line:column: error: …`, or one sentence each.
    public var problems: [String] = []
}

/// What metrics say of the configuration.
struct ConfigurationStatus: Sendable {
    var generation = 1
    var accepted: UInt64 = 0
    var refused: UInt64 = 0
    var lastWasAccepted = true
    /// Milliseconds since the Unix epoch of the last request; nil before the first.
    var lastAt: Int64?
    /// A reload is under way.
    var isBusy = false
}

extension TailraceWorker {
    /// Reads the pipeline's file again and takes it over: changed stages are swapped at a batch boundary, open traces,
    /// decisions and offsets stay. A file with mistakes, or one that asks for what needs a restart, changes nothing.
    ///
    /// Callable from any thread; blocks until the workers have taken it over.
    public func reload(environment: [String: String], registry: StageRegistry = .builtIn) -> ReloadReport {
        let (plan, diagnostics) = PipelinePlan.load(
            path: self.plan.file, registry: registry, environment: environment)
        let mistakes = diagnostics.sorted.filter { $0.severity == .error }.map(\.description)
        guard let plan, mistakes.isEmpty else { return finishReload(refusing: mistakes) }
        return reload(plan)
    }

    /// Takes over a plan that was checked.
    public func reload(_ new: PipelinePlan) -> ReloadReport {
        let isFirst = configuration.withLock { status in
            defer { status.isBusy = true }
            return !status.isBusy
        }
        guard isFirst else {
            return finishReload(refusing: ["another reload is under way; ask again when it is done"], isOwner: false)
        }
        let old = plan
        let obstacles = obstacles(from: old, to: new)
        guard obstacles.isEmpty else { return finishReload(refusing: obstacles) }
        do {
            try runner.reload(new, settings: Self.workerSettings(new, threads: options.threads))
        } catch {
            return finishReload(refusing: [String(describing: error)])
        }
        let difference = PlanDifference(from: old, to: new)
        let generation = configuration.withLock { status in
            status.generation += 1
            status.accepted += 1
            status.lastWasAccepted = true
            status.lastAt = WallClock.now()
            status.isBusy = false
            return status.generation
        }
        return ReloadReport(
            isAccepted: true, generation: generation, changed: difference.changed, added: difference.added,
            removed: difference.removed)
    }

    /// What a running worker cannot change.
    private func obstacles(from old: PipelinePlan, to new: PipelinePlan) -> [String] {
        var found: [String] = []
        if old.name != new.name {
            found.append("the pipeline's name changes from \(old.name) to \(new.name): restart the worker")
        }
        if options.storeDirectory == nil, let path = Self.storePath(of: new), path != storeDirectory {
            found.append("the store moves from \(storeDirectory) to \(path): restart the worker")
        }
        return found
    }

    private func finishReload(refusing problems: [String], isOwner: Bool = true) -> ReloadReport {
        let generation = configuration.withLock { status in
            status.refused += 1
            status.lastWasAccepted = false
            status.lastAt = WallClock.now()
            if isOwner { status.isBusy = false }
            return status.generation
        }
        return ReloadReport(isAccepted: false, generation: generation, problems: problems)
    }
}
