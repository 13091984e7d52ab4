import Dispatch
import Synchronization

/// Threads for calls that block on files.
///
/// Neither the event loops nor Swift's cooperative pool may block: both have about one thread per core, and a few slow disk
/// reads on them would stop the health checks and everybody else's answers. The number of threads is bounded, because more
/// readers do not make a disk faster; so is the queue, because an answer that comes a minute late helps nobody.
final class BlockingPool: Sendable {
    private typealias Job = @Sendable () -> Void

    private struct State {
        var waiting: [Job] = []
        var running = 0
    }

    private let threadLimit: Int
    private let queueLimit: Int
    private let queue = DispatchQueue(label: "tailrace.blocking", attributes: .concurrent)
    private let state = Mutex(State())

    init(threadLimit: Int = 8, queueLimit: Int = 256) {
        self.threadLimit = threadLimit
        self.queueLimit = queueLimit
    }

    /// Runs `body` on one of the pool's threads. Throws an `APIError` (503) where too many calls wait already.
    func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Result, any Error>) in
            let isAccepted = submit { continuation.resume(with: Swift.Result(catching: body)) }
            if !isAccepted {
                continuation.resume(throwing: APIError.unavailable("too many queries at once; try again in a moment"))
            }
        }
    }

    private func submit(_ job: @escaping Job) -> Bool {
        enum Verdict { case start, queued, refused }
        let verdict: Verdict = state.withLock { state in
            if state.running < threadLimit {
                state.running += 1
                return .start
            }
            if state.waiting.count >= queueLimit { return .refused }
            state.waiting.append(job)
            return .queued
        }
        if verdict == .start { queue.async { self.work(job) } }
        return verdict != .refused
    }

    private func work(_ first: @escaping Job) {
        var job: Job? = first
        while let current = job {
            current()
            job = state.withLock { state in
                if !state.waiting.isEmpty { return state.waiting.removeFirst() }
                state.running -= 1
                return nil
            }
        }
    }
}
