import Glibc
import Pipeline

/// Code that can wait in the middle of a call, so that the synchronous calls of the production code (a flush, a take-over)
/// can be interleaved step by step.
///
/// A thread of its own, but never at the same time as another: whoever resumes it waits until it suspends or ends.
final class Coroutine: @unchecked Sendable {
    let thread: CoroutineThread
    private var body: (() -> Void)?
    private var hasEnded = false
    private var hasStarted = false

    init(thread: CoroutineThread, body: @escaping () -> Void) {
        self.thread = thread
        self.body = body
    }

    /// Called by the scheduler. Returns true when the body has ended.
    func run() -> Bool {
        if hasStarted {
            thread.goOn.post()
        } else {
            hasStarted = true
            thread.begin { [self] in
                body?()
                // What the body captured goes with it.
                body = nil
                hasEnded = true
            }
        }
        thread.handedBack.wait()
        return hasEnded
    }

    /// Called in the body.
    func suspend() {
        thread.handedBack.post()
        thread.goOn.wait()
    }
}

/// The thread of a coroutine, used for one after the other.
final class CoroutineThread: @unchecked Sendable {
    let goOn = Semaphore()
    let handedBack = Semaphore()
    private var next: (() -> Void)?
    private var thread: NamedThread?

    /// Hands the thread its next body.
    func begin(_ body: @escaping () -> Void) {
        next = body
        if thread == nil {
            do {
                thread = try NamedThread(name: "coroutine") { [self] in run() }
            } catch {
                // Without threads there is no simulation.
                fatalError("\(error)")
            }
        }
        goOn.post()
    }

    private func run() {
        while true {
            goOn.wait()
            guard let body = next else { return }
            next = nil
            body()
            handedBack.post()
        }
    }

    func end() {
        guard thread != nil else { return }
        next = nil
        goOn.post()
        thread?.join()
        thread = nil
    }
}

/// A semaphore that two threads hand each other the run with.
final class Semaphore: @unchecked Sendable {
    private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    init() { sem_init(semaphore, 0, 0) }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    func post() { sem_post(semaphore) }

    func wait() {
        while sem_wait(semaphore) != 0 {}
    }
}
