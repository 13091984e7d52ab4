import OTLP
import Pipeline
import Synchronization
import TraceModel

/// Plays a recording once, at the pace of its arrival times.
final class RecordedTraffic: Traffic {
    private let isStopped = Atomic<Bool>(false)
    private let failure = Mutex<String?>(nil)
    private let thread = Mutex<NamedThread?>(nil)

    init(feed: KafkaFeed, path: String, log: EventLog) throws {
        let start = WallClock.monotonic()
        let thread = try NamedThread(name: "recording") { [self] in
            do {
                let reader = try SpanFileReader(path: path)
                var spans = 0
                while !isStopped.load(ordering: .relaxed), let item = try reader.next() {
                    guard case .request(let record) = item else {
                        if case .malformed(let error) = item { log.write("\(error)") }
                        continue
                    }
                    wait(until: start + (record.arrivalMilliseconds ?? 0))
                    for part in TraceSplitter.split(try OTLPDecoder.decode(record.protobuf)) {
                        try feed.send(traceID: part.traceID, payload: OTLPEncoder.encode(part.request))
                        spans += part.request.reduce(0) { $0 + $1.scopeSpans.reduce(0) { $0 + $1.spans.count } }
                    }
                }
                try feed.finish()
                log.write("\(path): all \(Figures.grouped(spans)) spans were sent")
            } catch {
                let message = "\(error)"
                failure.withLock { $0 = message }
                log.write(message)
            }
        }
        self.thread.withLock { $0 = thread }
    }

    var failureMessage: String? { failure.withLock { $0 } }

    func stop() {
        isStopped.store(true, ordering: .relaxed)
        thread.withLock { $0 }?.join()
    }

    private func wait(until time: Int64) {
        while !isStopped.load(ordering: .relaxed), WallClock.monotonic() < time {
            NamedThread.pause(milliseconds: Int(min(100, time - WallClock.monotonic() + 1)))
        }
    }
}
