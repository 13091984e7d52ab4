import OTLP
import Pipeline
import Testing

@Suite("Stream time of a repartitioned topic")
struct RepartitionClockTests {
    private func report(
        at time: Int64 = 0, of count: Int32 = 2, _ partitions: [(Int32, UInt64, Int64, Bool)]
    ) -> RepartitionProgress {
        RepartitionProgress(
            partitionCount: count, reportedAt: time,
            partitions: partitions.map { number, epoch, streamTime, isAtEnd in
                RepartitionProgress.Partition(number: number, epoch: epoch, streamTime: streamTime, isAtEnd: isAtEnd)
            })
    }

    @Test("stands still until every partition has reported, also those of other repartitioners")
    func complete() {
        var clock = RepartitionClock()
        clock.merge(report([(0, 1, 5000, false)]))
        #expect(clock.streamTime == nil)
        clock.merge(report([(1, 1, 3000, false)]))
        #expect(clock.streamTime == 3000)
        // A partition was added to the outer topic.
        clock.merge(report(of: 3, [(0, 1, 6000, false)]))
        #expect(clock.streamTime == nil)
        clock.merge(report(of: 3, [(2, 1, 4000, false)]))
        #expect(clock.streamTime == 3000)
    }

    @Test("a partition at its end does not hold the others back beyond the moment when it was")
    func atEnd() {
        var clock = RepartitionClock()
        clock.merge(report(at: 1_000_000, [(0, 1, 100, true), (1, 1, 50_000, false)]))
        #expect(clock.streamTime == 50_000)
        // Its repartitioner is gone; what was written to it since then is still to come.
        clock.merge(report(at: 2_000_000, [(1, 1, 1_500_000, false)]))
        #expect(clock.streamTime == 1_000_000 - RepartitionClock.endMargin)
    }

    @Test("all at their ends: the last record says what time it is, also in a recording of long ago")
    func allAtEnd() {
        var clock = RepartitionClock()
        clock.merge(report(at: 9_000_000_000, [(0, 1, 100, true), (1, 1, 50_000, true)]))
        #expect(clock.streamTime == 50_000)
    }

    @Test("an empty partition at its end counts as heard of")
    func empty() {
        var clock = RepartitionClock()
        clock.merge(report(at: 1_000_000, [(0, 1, .min, true), (1, 1, 50_000, false)]))
        #expect(clock.streamTime == 50_000)
        var silent = RepartitionClock()
        silent.merge(report([(0, 1, .min, true), (1, 1, .min, true)]))
        #expect(silent.streamTime == nil)
    }

    @Test("an owner that was replaced is not believed, unless the new one has been silent for a minute")
    func epochs() {
        var clock = RepartitionClock()
        clock.merge(report(at: 1_000_000, [(0, 4, 5000, false), (1, 1, 900_000, false)]))
        clock.merge(report(at: 1_030_000, [(0, 3, 800_000, true)]))
        #expect(clock.streamTime == 5000)
        // The store was lost: epochs start anew.
        clock.merge(report(at: 1_061_000, [(0, 1, 7000, false)]))
        #expect(clock.streamTime == 7000)
    }

    @Test("a report survives its way through a record, which is a request without spans for any other reader")
    func coding() throws {
        let sent = report(at: 1_700_000_000_000, of: 96, [(95, 7, .min, true), (0, .max, 1_700_000_000_000, false)])
        let bytes = sent.encoded()
        let read = RepartitionProgress.key.withUnsafeBytes { key in
            bytes.withUnsafeBytes { RepartitionProgress(key: key, payload: $0) }
        }
        #expect(read == sent)
        #expect(try OTLPDecoder.decode(bytes).isEmpty)
        var scanner = OTLPScanner()
        let batch = SpanBatch()
        try bytes.withUnsafeBytes { try scanner.scan($0, into: batch) }
        #expect(batch.count == 0)
        for end in 0..<bytes.count {
            _ = RepartitionProgress.key.withUnsafeBytes { key in
                bytes[..<end].withUnsafeBytes { RepartitionProgress(key: key, payload: $0) }
            }
        }
    }
}
