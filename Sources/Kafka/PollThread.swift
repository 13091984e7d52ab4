import CLibrdkafka
import Glibc
import Synchronization

/// A thread that serves a producer's delivery reports, so that their memory is freed and their results counted whether
/// or not anybody calls the producer.
final class PollThread: @unchecked Sendable {
    private final class Body: Sendable {
        let handle: ClientHandle
        let stop = Atomic<Bool>(false)

        init(_ handle: ClientHandle) { self.handle = handle }

        func run() {
            while !stop.load(ordering: .acquiring) { rd_kafka_poll(handle.client, 100) }
        }
    }

    private let body: Body
    private var thread = pthread_t()
    private var isRunning: Bool

    init(_ handle: ClientHandle) throws(KafkaError) {
        body = Body(handle)
        let retained = Unmanaged.passRetained(body)
        let answer = pthread_create(
            &thread, nil,
            { opaque in
                guard let opaque else { return nil }
                let body = Unmanaged<Body>.fromOpaque(opaque).takeRetainedValue()
                body.run()
                return nil
            }, retained.toOpaque())
        isRunning = answer == 0
        guard answer == 0 else {
            retained.release()
            throw KafkaError(.other, "cannot start the producer's thread: \(String(cString: strerror(answer)))")
        }
    }

    /// Ends the thread and waits for it, up to 100 ms. Called once, by the owner.
    func stop() {
        guard isRunning else { return }
        isRunning = false
        body.stop.store(true, ordering: .releasing)
        pthread_join(thread, nil)
    }
}
