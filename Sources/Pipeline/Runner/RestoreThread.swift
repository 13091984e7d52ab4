/// Reads the decisions of partitions that were taken over. One per worker thread, so that the partitions that are there
/// already go on meanwhile.
package final class RestoreThread: TaskRestorer {
    /// Whoever waits for longer is told how far it is, milliseconds.
    private static let noteInterval: Int64 = 5000

    private let thread: JobThread<TaskRestore>

    /// - Parameter report: called on the thread that restores; not for what was cancelled.
    package init(
        store: any DeliveryStore, worker: Int, log: @escaping @Sendable (String) -> Void,
        report: @escaping @Sendable (TaskRestore, String?, Int64) -> Void
    ) throws {
        thread = try JobThread(name: "restore-\(worker)") { restore, _ in
            if !restore.isCancelled { Self.perform(restore, store, log, report) }
            return true
        }
    }

    package func restore(_ restore: TaskRestore) { thread.append(restore) }

    /// Ends the thread; tasks that are not restored yet must have been cancelled.
    package func stop() { thread.stop() }

    private static func perform(
        _ restore: TaskRestore, _ store: any DeliveryStore, _ log: (String) -> Void,
        _ report: (TaskRestore, String?, Int64) -> Void
    ) {
        let start = WallClock.monotonic()
        var noted = start
        do {
            try restore.perform(store) {
                let now = WallClock.monotonic()
                guard now - noted >= noteInterval else { return }
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
