import Pipeline

/// The simulated shell of the thread that reads decisions back: what `RestoreThread` is in a real process.
final class SimulatedRestorer: TaskRestorer, @unchecked Sendable {
    // Used by one thread at a time, as all of a world.
    weak var shell: WorkerShell?
    private unowned let process: SimulatedProcess
    private let store: ObservedStore
    private var waiting: [TaskRestore] = []
    private var isBusy = false

    init(process: SimulatedProcess, store: ObservedStore) {
        self.process = process
        self.store = store
    }

    func restore(_ restore: TaskRestore) {
        waiting.append(restore)
        if !isBusy { goOn() }
    }

    private func goOn() {
        guard !waiting.isEmpty else {
            isBusy = false
            return
        }
        isBusy = true
        let next = waiting.removeFirst()
        process.after(0) { [self] in
            process.world.scheduler.start { [self] in
                process.perform(.restore) { perform(next) }
                if process.isAlive { goOn() }
            }
        }
    }

    private func perform(_ restore: TaskRestore) {
        if restore.isCancelled { return process.world.reach(.restoreCancelled) }
        let start = process.time.monotonic
        var failure: String?
        do {
            try restore.perform(store)
        } catch {
            failure = String(describing: error)
        }
        // A partition may have millions of decisions.
        if process.isAlive, process.world.random.chance(5) {
            process.world.scheduler.sleep(process.world.random.pick(0...2_000_000))
        }
        guard process.isAlive else { return }
        if restore.isCancelled { process.world.reach(.restoreCancelled) }
        let milliseconds = process.time.monotonic - start
        // The outcome reaches the worker's thread a moment later; the real thread says nothing of what it saw cancelled.
        process.after(process.world.random.pick(0...2000)) { [self] in
            shell?.restored(restore, failure: failure, milliseconds: milliseconds)
        }
    }
}
