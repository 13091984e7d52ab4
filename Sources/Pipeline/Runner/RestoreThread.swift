/// Reads the decisions of partitions that were taken over. One per worker thread, so that the partitions that are there
/// already go on meanwhile.
package final class RestoreThread: TaskRestorer, @unchecked Sendable {
    private enum Message: Sendable {
        case restore(TaskRestore)
        case stop
    }

    /// Whoever waits for longer is told how far it is, milliseconds.
    private static let noteInterval: Int64 = 5000

    private let store: any DeliveryStore
    private let queue = BlockingQueue<Message>()
    private let report: @Sendable (TaskRestore, _ failure: String?, _ milliseconds: Int64) -> Void
    private let log: @Sendable (String) -> Void
    private var thread: NamedThread?

    /// - Parameter report: called on the thread that restores; not for what was cancelled.
    package init(
        store: any DeliveryStore, worker: Int, log: @escaping @Sendable (String) -> Void,
        report: @escaping @Sendable (TaskRestore, String?, Int64) -> Void
    ) throws {
        self.store = store
        self.log = log
        self.report = report
        thread = try NamedThread(name: "restore-\(worker)") { [unowned self] in run() }
    }

    package func restore(_ restore: TaskRestore) { queue.append(.restore(restore)) }

    /// Ends the thread; tasks that are not restored yet must have been cancelled.
    package func stop() {
        queue.append(.stop)
        thread?.join()
    }

    private func run() {
        while true {
            for message in queue.takeAll(timeout: 1000) {
                guard case .restore(let restore) = message else { return }
                if !restore.isCancelled { perform(restore) }
            }
        }
    }

    private func perform(_ restore: TaskRestore) {
        let start = WallClock.monotonic()
        var noted = start
        do {
            try restore.perform(store) {
                let now = WallClock.monotonic()
                guard now - noted >= Self.noteInterval else { return }
                noted = now
                let progress = restore.progress
                let share = progress.share.map { ", about \(Int($0 * 100)) %" } ?? ""
                log(
                    "restoring \(restore.partition): \(progress.decisions) decisions read so far\(share), "
                        + "\((now - start) / 1000) s")
            }
            let time = WallClock.monotonic() - start
            if noted != start {
                log("restored \(restore.partition): \(restore.progress.decisions) decisions in \(time / 1000) s")
            }
            report(restore, nil, time)
        } catch is TaskRestore.Cancelled {
            // The partition has gone; the task goes with the last reference to it, here or there.
        } catch {
            report(restore, String(describing: error), WallClock.monotonic() - start)
        }
    }
}
