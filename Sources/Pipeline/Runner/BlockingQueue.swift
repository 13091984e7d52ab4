import Glibc

/// A queue between two threads. Used where ownership changes (poll thread to worker, worker to writer), per batch, never
/// per span.
package final class BlockingQueue<Element: Sendable>: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var elements: [Element] = []

    package init() {
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        // Waiting must not be shortened or stretched when somebody sets the clock.
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    package func append(_ element: Element) {
        pthread_mutex_lock(mutex)
        elements.append(element)
        pthread_cond_signal(condition)
        pthread_mutex_unlock(mutex)
    }

    /// Puts elements that were taken back before those that came meanwhile.
    package func putBack(_ taken: [Element]) {
        if taken.isEmpty { return }
        pthread_mutex_lock(mutex)
        elements.insert(contentsOf: taken, at: 0)
        pthread_cond_signal(condition)
        pthread_mutex_unlock(mutex)
    }

    /// Takes everything that is queued; waits at most `timeout` milliseconds for something.
    package func takeAll(timeout: Int) -> [Element] {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        if elements.isEmpty, timeout > 0 {
            var deadline = timespec()
            clock_gettime(CLOCK_MONOTONIC, &deadline)
            deadline.tv_sec += timeout / 1000
            deadline.tv_nsec += timeout % 1000 * 1_000_000
            if deadline.tv_nsec >= 1_000_000_000 {
                deadline.tv_sec += 1
                deadline.tv_nsec -= 1_000_000_000
            }
            while elements.isEmpty {
                if pthread_cond_timedwait(condition, mutex, &deadline) != 0 { break }
            }
        }
        defer { elements = [] }
        return elements
    }
}

/// Lets one thread wait for another's answer, for a bounded time.
package final class Completion<Value: Sendable>: @unchecked Sendable {
    private let queue = BlockingQueue<Value>()

    package init() {}

    package func complete(_ value: Value) { queue.append(value) }

    /// Nil when `timeout` milliseconds passed first.
    package func wait(timeout: Int) -> Value? { queue.takeAll(timeout: timeout).first }
}
