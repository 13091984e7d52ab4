import Pipeline

/// Virtual time and what is to happen in it. Events at the same time happen in the order in which they were scheduled, so
/// a run is a function of its seed.
///
/// Used by one thread at a time: coroutines hand over strictly.
final class Scheduler {
    /// Microseconds since the world began; the monotonic clock of every process.
    private(set) var now: Int64 = 0
    /// The coroutine that runs at present; nil in the event loop itself.
    private(set) var running: Coroutine?
    private var heap: [Event] = []
    private var order: UInt64 = 0
    private var workers: [CoroutineThread] = []
    /// All that have not finished.
    private var unfinished: [ObjectIdentifier: Coroutine] = [:]

    private struct Event {
        var time: Int64
        var order: UInt64
        var body: () -> Void

        static func < (left: Event, right: Event) -> Bool {
            left.time == right.time ? left.order < right.order : left.time < right.time
        }
    }

    // MARK: - Events

    func at(_ time: Int64, _ body: @escaping () -> Void) {
        order += 1
        heap.append(Event(time: max(time, now), order: order, body: body))
        var index = heap.count - 1
        while index > 0, heap[index] < heap[(index - 1) / 2] {
            heap.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    func after(_ microseconds: Int64, _ body: @escaping () -> Void) { at(now + microseconds, body) }

    /// Runs the next event; false when there is none.
    func step() -> Bool {
        guard let event = pop() else { return false }
        now = max(now, event.time)
        event.body()
        return true
    }

    private func pop() -> Event? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            var index = 0
            while true {
                var least = index
                for child in [2 * index + 1, 2 * index + 2] where child < heap.count && heap[child] < heap[least] {
                    least = child
                }
                if least == index { break }
                heap.swapAt(index, least)
                index = least
            }
        }
        return first
    }

    // MARK: - Coroutines

    /// Starts code that may wait in the middle; it runs until it waits or ends.
    func start(_ body: @escaping () -> Void) {
        let thread = workers.popLast() ?? CoroutineThread()
        #if TAILRACE_MUTATIONS
            let mutation = ProtocolMutation.active
            let coroutine = Coroutine(thread: thread) { ProtocolMutation.$active.withValue(mutation, operation: body) }
        #else
            let coroutine = Coroutine(thread: thread, body: body)
        #endif
        unfinished[ObjectIdentifier(coroutine)] = coroutine
        resume(coroutine)
    }

    /// Runs a coroutine until it waits again or ends.
    func resume(_ coroutine: Coroutine) {
        let caller = running
        running = coroutine
        let hasEnded = coroutine.run()
        running = caller
        if hasEnded {
            unfinished[ObjectIdentifier(coroutine)] = nil
            workers.append(coroutine.thread)
        }
    }

    /// Called in a coroutine: waits until somebody resumes it.
    func park() { running?.suspend() }

    /// Called in a coroutine: lets time pass. Where nothing else happens meanwhile only the clock moves.
    func sleep(_ microseconds: Int64) {
        guard let coroutine = running else { return }
        let time = now + microseconds
        if let next = heap.first, next.time <= time {
            at(time) { [unowned self] in resume(coroutine) }
            coroutine.suspend()
        } else {
            now = time
        }
    }

    /// Ends every coroutine: each is resumed until it ends, so all of them must see that the world is over.
    func finish() {
        heap.removeAll()
        while let coroutine = unfinished.values.first { resume(coroutine) }
        for worker in workers { worker.end() }
        workers.removeAll()
    }
}
