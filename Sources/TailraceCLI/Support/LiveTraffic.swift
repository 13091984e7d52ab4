import DemoTraffic
import OTLP
import Pipeline
import Synchronization

/// Something that writes spans until it is stopped.
protocol Traffic: Sendable {
    func stop()
    var failureMessage: String? { get }
}

/// Demo traffic as it happens: each record is sent at its time.
final class LiveTraffic: Traffic {
    private let isStopped = Atomic<Bool>(false)
    private let failure = Mutex<String?>(nil)
    private let thread = Mutex<NamedThread?>(nil)

    /// Sends until `stop`, on a thread of its own.
    init(feed: KafkaFeed, seed: UInt64, tracesPerSecond: Double) throws {
        let thread = try NamedThread(name: "demo-traffic") { [self] in
            var configuration = DemoTrafficConfiguration(
                seed: seed, tracesPerSecond: tracesPerSecond, startTime: UInt64(WallClock.now()) * 1_000_000)
            configuration.batchDelay = 2
            var traffic = DemoTraffic(configuration)
            do {
                while !isStopped.load(ordering: .relaxed) {
                    let record = traffic.next()
                    guard wait(until: Int64(record.emitTime / 1_000_000)) else { break }
                    try feed.send(traceID: record.traceID, payload: OTLPEncoder.encode(record.resourceSpans))
                }
                try feed.finish()
            } catch {
                let message = "demo traffic stopped: \(error)"
                failure.withLock { $0 = message }
            }
        }
        self.thread.withLock { $0 = thread }
    }

    var failureMessage: String? { failure.withLock { $0 } }

    func stop() {
        isStopped.store(true, ordering: .relaxed)
        thread.withLock { $0 }?.join()
    }

    /// False when the traffic was stopped meanwhile.
    private func wait(until time: Int64) -> Bool {
        while true {
            if isStopped.load(ordering: .relaxed) { return false }
            let left = time - WallClock.now()
            if left <= 0 { return true }
            NamedThread.pause(milliseconds: Int(min(left, 100)))
        }
    }
}
