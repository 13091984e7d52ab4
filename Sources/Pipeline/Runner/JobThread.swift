/// A thread that does what it is given, one after the other.
final class JobThread<Job: Sendable>: Sendable {
    private enum Message: Sendable {
        case job(Job)
        case stop
    }

    private let queue: BlockingQueue<Message>
    private let thread: NamedThread

    /// - Parameter perform: called on the thread for each job; false ends it. A job after which no other is given before it is done
    ///   may let time pass with `isStopped`: for so many milliseconds, or until it is asked to stop.
    init(
        name: String, _ perform: @escaping @Sendable (Job, _ isStopped: (_ milliseconds: Int) -> Bool) -> Bool
    ) throws {
        let queue = BlockingQueue<Message>()
        self.queue = queue
        thread = try NamedThread(name: name) {
            while true {
                for message in queue.takeAll(timeout: 1000) {
                    guard case .job(let job) = message, perform(job, { !queue.takeAll(timeout: $0).isEmpty }) else {
                        return
                    }
                }
            }
        }
    }

    func append(_ job: Job) { queue.append(.job(job)) }

    /// Ends the thread after what it has been given.
    func stop() {
        queue.append(.stop)
        thread.join()
    }
}
