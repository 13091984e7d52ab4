/// Performs commit groups: writes, syncs, renames. One per worker thread, so that a slow disk never stops the reading of
/// spans before the budget does.
package final class WriterThread: GroupWriter {
    private let thread: JobThread<CommitGroup>

    /// - Parameter report: called on the writer thread.
    package init(store: any DeliveryStore, writer: Int, report: @escaping @Sendable (PublishOutcome) -> Void) throws {
        thread = try JobThread(name: "writer-\(writer)") { group, isStopped in
            Self.perform(isStopped, report) { try store.publish(group, writer: writer) }
        }
    }

    /// Publishes a group. The next one is handed over only after this one was reported as published.
    package func publish(_ group: CommitGroup) { thread.append(group) }

    /// Ends the thread after the group at hand; a group that keeps failing is given up.
    package func stop() { thread.stop() }

    /// Tries until it succeeds; returns false when the thread was asked to stop meanwhile: nothing else is queued while a group
    /// is under way.
    private static func perform(
        _ isStopped: (_ milliseconds: Int) -> Bool, _ report: (PublishOutcome) -> Void,
        _ publish: () throws -> [TaskEntry]
    ) -> Bool {
        var pause = 100
        while true {
            let start = WallClock.monotonic()
            do {
                let entries = try publish()
                report(.published(entries, milliseconds: WallClock.monotonic() - start))
                return true
            } catch {
                report(.failed(String(describing: error)))
            }
            if isStopped(pause) { return false }
            pause = min(pause * 2, 5000)
        }
    }
}
