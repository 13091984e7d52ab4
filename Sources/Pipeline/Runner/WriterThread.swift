/// Performs commit groups: writes, syncs, renames. One per worker thread, so that a slow disk never stops the reading of
/// spans before the budget does.
package final class WriterThread: GroupWriter, @unchecked Sendable {
    private enum Message: Sendable {
        case publish(CommitGroup)
        case stop
    }

    private let store: any DeliveryStore
    private let writer: Int
    private let queue = BlockingQueue<Message>()
    private let report: @Sendable (PublishOutcome) -> Void
    private var thread: NamedThread?

    /// - Parameter report: called on the writer thread.
    package init(store: any DeliveryStore, writer: Int, report: @escaping @Sendable (PublishOutcome) -> Void) throws {
        self.store = store
        self.writer = writer
        self.report = report
        thread = try NamedThread(name: "writer-\(writer)") { [unowned self] in run() }
    }

    /// Publishes a group. The next one is handed over only after this one was reported as published.
    package func publish(_ group: CommitGroup) {
        queue.append(.publish(group))
    }

    /// Ends the thread after the group at hand; a group that keeps failing is given up.
    package func stop() {
        queue.append(.stop)
        thread?.join()
    }

    private func run() {
        while true {
            for message in queue.takeAll(timeout: 1000) {
                guard case .publish(let group) = message else { return }
                if !perform(group) { return }
            }
        }
    }

    /// Tries until it succeeds; returns false when the thread was asked to stop meanwhile.
    private func perform(_ group: CommitGroup) -> Bool {
        var pause = 100
        while true {
            let start = WallClock.monotonic()
            do {
                let entries = try store.publish(group, writer: writer)
                report(.published(entries, milliseconds: WallClock.monotonic() - start))
                return true
            } catch {
                report(.failed(String(describing: error)))
            }
            // Nothing else is queued while a group is under way, so whatever arrives here is the request to stop.
            if !queue.takeAll(timeout: pause).isEmpty { return false }
            pause = min(pause * 2, 5000)
        }
    }
}
