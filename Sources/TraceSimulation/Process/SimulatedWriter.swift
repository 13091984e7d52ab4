import Pipeline

/// The simulated shell of a writer thread: what `WriterThread` is in a real process.
final class SimulatedWriter: GroupWriter, @unchecked Sendable {
    weak var shell: WorkerShell?
    private unowned let process: SimulatedProcess
    private let store: ObservedStore
    private let index: Int
    private var isStopping = false
    private var isBusy = false

    init(process: SimulatedProcess, store: ObservedStore, index: Int) {
        self.process = process
        self.store = store
        self.index = index
    }

    var hasEnded: Bool { isStopping && !isBusy }

    /// Ends after the attempt at hand; a group that keeps failing is given up.
    func stop() { isStopping = true }

    func publish(_ group: CommitGroup) {
        isBusy = true
        process.world.oracle.handedOver(group, by: process, thread: index)
        process.after(0) { [self] in attempt(group, pause: 100) }
    }

    private func attempt(_ group: CommitGroup, pause: Int64) {
        if isStopping, pause > 100 {
            isBusy = false
            return
        }
        process.world.scheduler.start { [self] in process.perform(.flush) { perform(group, pause) } }
    }

    private func perform(_ group: CommitGroup, _ pause: Int64) {
        guard process.take(.publish, "") == nil || process.isAlive else { return }
        let start = process.time.monotonic
        do {
            let entries = try store.publish(group, writer: index)
            guard process.isAlive else { return }
            process.world.oracle.acknowledged(entries, by: process, thread: index)
            _ = process.take(.published, "")
            report(.published(entries, milliseconds: process.time.monotonic - start))
            isBusy = false
        } catch {
            guard process.isAlive else { return }
            report(.failed(String(describing: error)))
            process.after(pause * 1000) { [self] in attempt(group, pause: min(pause * 2, 5000)) }
        }
    }

    /// The outcome reaches the worker's thread a moment later.
    private func report(_ outcome: PublishOutcome) {
        process.after(process.world.random.pick(0...2000)) { [self] in shell?.finished(outcome) }
    }
}
