import Pipeline
import Testing
import TraceModel

@testable import Storage

struct SegmentRoundTripTests {
    private func reader(
        _ traces: [KeptTrace], blockSize: Int = 4096
    ) throws -> (SegmentReader, MemoryFileSystem) {
        let files = MemoryFileSystem()
        var writer = SegmentWriter(blockSize: blockSize)
        for trace in traces { writer.append(trace) }
        files["a.seg"] = try writer.encode(path: "a.seg")
        return (try SegmentReader(path: "a.seg", fileSystem: files), files)
    }

    @Test func everyTraceComesBackAsItWasWritten() throws {
        let traces = (0..<500).map { number in
            keptTrace(
                UInt64(number), service: "service-\(number % 7)", start: UInt64(10_000 - number * 3),
                spans: number % 5 + 1, errors: number % 3, partition: Int32(number % 4), padding: number)
        }
        let (reader, _) = try reader(traces)
        let summaries = try reader.summaries()
        #expect(reader.rowCount == 500)
        #expect(reader.traceCount == 500)
        for trace in traces {
            let rows = try reader.rows(of: trace.summary.traceID)
            let row = try #require(rows.first)
            #expect(rows.count == 1)
            #expect(row.partition == trace.partition)
            #expect(try reader.payload(of: row) == trace.payload)
            #expect(summaries.summary(of: row.index) == trace.summary)
            #expect(summaries.decision(of: row.index) == trace.decision)
            let operations = summaries.operations(of: row.index).map {
                IndexedOperation(
                    service: summaries.string($0.service), operation: summaries.string($0.operation), kind: $0.kind)
            }
            #expect(operations == trace.operations)
            let attributes = summaries.attributes(of: row.index).map {
                IndexedAttribute(key: summaries.string($0.key), value: summaries.string($0.value))
            }
            #expect(attributes == trace.attributes)
        }
        try reader.verify()
    }

    @Test func footerKnowsWhatPruningNeeds() throws {
        let (reader, _) = try reader([
            keptTrace(1, service: "b", start: 500), keptTrace(2, service: "a", start: 100),
            keptTrace(2, service: "a", start: 300, isLate: true),
        ])
        #expect(reader.services == ["a", "b"])
        #expect(reader.mayContain(service: "a"))
        #expect(!reader.mayContain(service: "c"))
        #expect(reader.minStart == 100)
        #expect(reader.maxStart == 500)
        #expect(reader.maxEnd == 1500)
        #expect(reader.traceCount == 2)
        #expect(reader.lateRowCount == 1)
        #expect(reader.spanCount == 9)
    }

    @Test func lookUpAmongTenThousandTracesReadsTwoPagesAtMost() throws {
        var traces = (1...10_000).map { keptTrace(UInt64($0), spans: 1) }
        traces.append(keptTrace(5000, spans: 1, isLate: true))
        let (reader, files) = try reader(traces)
        for number in stride(from: 1, through: 10_000, by: 97) {
            let before = files.bytesRead
            defer { #expect(files.bytesRead - before <= 2 * 4096) }
            #expect(try reader.rows(of: keptTrace(UInt64(number)).summary.traceID).count == 1)
        }
        #expect(try reader.rows(of: keptTrace(5000).summary.traceID).map(\.isLate) == [false, true])
        #expect(try reader.rows(of: keptTrace(10_001).summary.traceID).isEmpty)
        #expect(try reader.rows(of: TraceID(high: 0, low: 0)).isEmpty)
        #expect(try reader.rows(of: TraceID(high: .max, low: .max)).isEmpty)
    }

    @Test func rowsOfOneTraceMaySpanPages() throws {
        var traces = (0..<300).map { _ in keptTrace(42, spans: 1, isLate: true) }
        traces += (0..<200).map { keptTrace(UInt64($0) + 1000, spans: 1) }
        let (reader, _) = try reader(traces)
        #expect(try reader.rows(of: keptTrace(42).summary.traceID).count == 300)
    }

    @Test func blocksAreSplitAndATraceIsNever() throws {
        let traces = (0..<20).map { keptTrace(UInt64($0), spans: 2, padding: $0 == 7 ? 20_000 : 900) }
        let (reader, _) = try reader(traces, blockSize: 4096)
        let rows = try traces.map { try #require(try reader.rows(of: $0.summary.traceID).first) }
        #expect(Set(rows.map(\.block)).count > 5)
        #expect(try reader.payloads(of: rows) == traces.map(\.payload))
    }

    @Test func anEmptySegmentIsReadable() throws {
        let (reader, _) = try reader([])
        #expect(reader.rowCount == 0)
        #expect(try reader.rows(of: TraceID(high: 1, low: 1)).isEmpty)
        #expect(try reader.summaries().rowCount == 0)
        try reader.verify()
    }

    @Test func theSameTracesGiveTheSameBytes() throws {
        let traces = (0..<100).map { keptTrace(UInt64($0), partition: Int32($0 % 3)) }
        #expect(try SegmentWriter(traces).encode(path: "a") == SegmentWriter(traces).encode(path: "b"))
    }
}
