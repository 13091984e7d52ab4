import Pipeline
import Testing
import TraceModel

@testable import Storage

struct DroppedTallyTests {
    private func dropped(
        _ number: UInt64, service: String = "shop", operation: String = "GET /", start: UInt64 = 25_000_000_000,
        duration: UInt64 = 1000, errors: Int = 0, spans: Int = 3, partition: Int32 = 0
    ) -> DroppedTrace {
        DroppedTrace(
            partition: PartitionID(cluster: "c", topic: "t", partition: partition),
            summary: TraceSummary(
                traceID: TraceID(high: 1, low: number), startTime: start, endTime: start + duration, spanCount: spans,
                errorCount: errors, byteCount: 100, rootService: service, rootName: operation, hasRoot: true),
            decision: Decision(
                isKept: false, policy: "", probability: 0.1, policyVersion: 1, trigger: .root, decidedAt: 1,
                reason: "no policy"))
    }

    private func reader(_ files: MemoryFileSystem, _ reference: SegmentReference) throws -> SegmentReader {
        try SegmentReader(path: "/s/" + reference.path, fileSystem: files)
    }

    @Test(
        "a sink that reads summaries stores how many traces were dropped, by partition, period, service and operation")
    func roundTrip() throws {
        let files = MemoryFileSystem()
        let sink = SegmentSink(
            layout: StoreLayout(root: "/s"), incarnation: "w", thread: 0, fileSystem: files, countsDropped: true)
        try sink.write(dropped(1, duration: 500))
        try sink.write(dropped(2, duration: 5_000_000, errors: 2))
        try sink.write(dropped(3, operation: "POST /"))
        try sink.write(dropped(4, start: 39_999_999_999, partition: 2))
        sink.write(keptTrace(9, service: "cart", partition: 1))
        #expect(sink.bufferedBytes > 0)
        let reference = try #require(try sink.seal()?.perform().first)
        #expect(sink.bufferedBytes == 0)
        let reader = try reader(files, reference)
        try reader.verify()
        #expect(reader.countsDropped && reader.rowCount == 1)
        #expect(reader.droppedFirst == 20_000_000_000 && reader.droppedLast == 30_000_000_000)
        #expect(Set(reader.partitions.map(\.partition)) == [0, 1, 2])
        let tallies = try reader.droppedTallies()
        #expect(tallies.map(\.operation) == ["GET /", "POST /", "GET /"])
        #expect(tallies.map(\.traceCount) == [2, 1, 1])
        #expect(tallies.map(\.errorCount) == [1, 0, 0])
        #expect(tallies.map(\.spanCount) == [6, 3, 3])
        #expect(tallies.map(\.byteCount) == [200, 100, 100])
        #expect(tallies.map(\.partition.partition) == [0, 0, 2])
        #expect(tallies[0].durations.count == 2)
        let slowest = try #require(tallies[0].durations.percentile(1))
        #expect(abs(slowest / 5_000_000 - 1) < 0.032)
    }

    @Test("what outlines left out is stored, with and without counts of dropped traces", arguments: [false, true])
    func outlines(countsDropped: Bool) throws {
        let files = MemoryFileSystem()
        let sink = SegmentSink(
            layout: StoreLayout(root: "/s"), incarnation: "w", thread: 0, fileSystem: files,
            countsDropped: countsDropped)
        if countsDropped { try sink.write(dropped(1)) }
        var outline = keptTrace(9, service: "cart")
        outline.summary.leftOutSpanCount = 69
        sink.write(outline)
        sink.write(keptTrace(10, service: "cart"))
        let reference = try #require(try sink.seal()?.perform().first)
        #expect(files["/s/" + reference.path]?[8] == (countsDropped ? 4 : 3))
        let reader = try reader(files, reference)
        try reader.verify()
        #expect(reader.countsDropped == countsDropped)
        let summaries = try reader.summaries()
        let counts = summaries.traceIDs.indices.map { summaries.summary(of: $0).leftOutSpanCount }
        #expect(counts.sorted() == [0, 69])
        #expect(summaries.summary(of: counts.firstIndex(of: 69) ?? 0).totalSpanCount == 72)
        if countsDropped { #expect(try reader.droppedTallies().map(\.traceCount) == [1]) }
    }

    @Test("a flush of which everything was dropped is stored, and the flush after it when there is nothing is not")
    func onlyDropped() throws {
        let files = MemoryFileSystem()
        let sink = SegmentSink(
            layout: StoreLayout(root: "/s"), incarnation: "w", thread: 0, fileSystem: files, countsDropped: true)
        #expect(sink.seal() == nil)
        try sink.write(dropped(1))
        let reference = try #require(try sink.seal()?.perform().first)
        let reader = try reader(files, reference)
        try reader.verify()
        #expect(reader.rowCount == 0)
        #expect(try reader.rows(of: TraceID(high: 1, low: 1)).isEmpty)
        #expect(try reader.summaries().rowCount == 0)
        #expect(try reader.droppedTallies().map(\.traceCount) == [1])
        #expect(sink.seal() == nil)
    }

    @Test("a sink that reads no summaries writes the segments that older readers know")
    func withoutSummaries() throws {
        let files = MemoryFileSystem()
        let sink = SegmentSink(layout: StoreLayout(root: "/s"), incarnation: "w", thread: 0, fileSystem: files)
        #expect(throws: StageError.self) { try sink.write(dropped(1)) }
        sink.write(keptTrace(9))
        let reference = try #require(try sink.seal()?.perform().first)
        let reader = try reader(files, reference)
        #expect(!reader.countsDropped)
        #expect(try reader.droppedTallies().isEmpty)
        #expect(files["/s/" + reference.path]?[8] == 1)
    }

    @Test("counts of any number of operations take a bounded number of rows, and none is lost")
    func bounded() {
        var tallies = DroppedTallies()
        for number in 0..<40_000 as Range<UInt64> {
            tallies.add(
                dropped(
                    number, service: "service \(number)", operation: "GET /\(number)",
                    start: number * DroppedTally.period))
        }
        #expect(tallies.tallies.count <= 3 * DroppedTallies.maximumTallies + 1)
        #expect(tallies.tallies.reduce(0) { $0 + $1.traceCount } == 40_000)
    }

    @Test("a duration is found again within 3.2 %, over the whole range of 64 bits")
    func histogram() {
        var random = SeededRandom(seed: 4)
        for _ in 0..<20_000 {
            let duration = UInt64.random(in: 0 ... .max, using: &random) >> UInt64.random(in: 0..<64, using: &random)
            let range = DurationHistogram.range(of: duration)
            #expect(range <= DurationHistogram.lastRange)
            let middle = DurationHistogram.middle(of: range)
            #expect(abs(middle - Double(duration)) <= 0.032 * Double(duration), "\(duration)")
        }
        var histogram = DurationHistogram()
        for duration in 1...1000 as ClosedRange<UInt64> { histogram.add(duration * 1_000_000) }
        for share in [0.5, 0.9, 0.99] {
            let percentile = histogram.percentile(share) ?? 0
            #expect(abs(percentile / (share * 1e9) - 1) < 0.035, "\(share): \(percentile)")
        }
        #expect(DurationHistogram().percentile(0.5) == nil)
    }

    @Test("damage to the counts is an error, signed or not, and never a trap", arguments: 0..<6)
    func damage(seed: Int) throws {
        var tallies = DroppedTallies()
        for number in 0..<200 as Range<UInt64> {
            tallies.add(
                dropped(number, operation: "o\(number % 20)", duration: number * 1000, partition: Int32(number % 3)))
        }
        let partitions = Set(tallies.tallies.map(\.partition)).sorted()
        let good = DroppedTally.encode(tallies.tallies, partitions: partitions)
        #expect(try DroppedTally.decode(good, partitions: partitions, path: "a", offset: 0) == tallies.tallies)
        var random = SeededRandom(seed: UInt64(seed))
        for _ in 0..<300 {
            var bad = good
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bad[Int.random(in: 0..<bad.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            _ = try? DroppedTally.decode(bad, partitions: partitions, path: "a", offset: 0)
            let length = Int.random(in: 0..<good.count, using: &random)
            #expect(throws: SegmentError.self) {
                try DroppedTally.decode(Array(good[..<length]), partitions: partitions, path: "a", offset: 0)
            }
        }
        var writer = SegmentWriter()
        writer.dropped = tallies.tallies
        let file = try writer.encode(path: "a")
        let files = MemoryFileSystem()
        for _ in 0..<100 {
            var bad = file
            let position = Int.random(in: 0..<bad.count, using: &random)
            bad[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            files["a"] = bad
            #expect(throws: SegmentError.self, "flip at byte \(position)") {
                try SegmentReader(path: "a", fileSystem: files).verify()
            }
        }
    }
}
