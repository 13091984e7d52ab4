import Pipeline
import Storage
import Synchronization

/// Runs a worker's `StoreCollector` every few minutes on a thread of its own: a slow disk must not stop a flush.
final class StoreKeeper: @unchecked Sendable {
    // @unchecked: `thread` is set once by `start` and read by `stop`, which the worker calls one after the other.
    private static let interval: Int64 = 300_000

    private let collector: StoreCollector
    private let log: @Sendable (String) -> Void
    private let isStopping = Atomic(false)
    private let removed = Atomic<UInt64>(0)
    private var thread: NamedThread?

    init(_ collector: StoreCollector, log: @escaping @Sendable (String) -> Void) {
        self.collector = collector
        self.log = log
    }

    /// Files removed since the start.
    var removedFiles: UInt64 { removed.load(ordering: .relaxed) }

    func start() throws {
        thread = try NamedThread(name: "collector") { [unowned self] in run() }
    }

    func stop() {
        isStopping.store(true, ordering: .relaxed)
        thread?.join()
        thread = nil
    }

    private func run() {
        var last = WallClock.monotonic()
        var lastProblem: String?
        while !isStopping.load(ordering: .relaxed) {
            NamedThread.pause(milliseconds: 100)
            guard WallClock.monotonic() - last >= Self.interval else { continue }
            last = WallClock.monotonic()
            let problem = collect()
            // Once, not every few minutes.
            if let problem, problem != lastProblem { log("the store is not cleaned up: \(problem)") }
            lastProblem = problem
        }
    }

    private func collect() -> String? {
        do {
            let outcome = try collector.collect(now: WallClock.now())
            removed.add(UInt64(outcome.removedFiles), ordering: .relaxed)
            return outcome.problem
        } catch {
            return String(describing: error)
        }
    }
}
