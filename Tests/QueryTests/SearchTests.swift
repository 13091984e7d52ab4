import Pipeline
import Storage
import Testing
import TraceModel

@testable import Query

struct SearchTests {
    private func ids(_ store: TemporaryStore, _ change: (inout TraceQuery) -> Void) throws -> [UInt64] {
        var query = TraceQuery()
        change(&query)
        return try store.store.search(query).traces.map(\.traceID.low)
    }

    @Test func everyFilterFindsItsTracesNewestFirst() throws {
        let store = TemporaryStore()
        try store.add([
            kept(1, service: "checkout", operation: "GET /", start: 1000, duration: 100, tags: ["http.status": "200"]),
            kept(
                2, service: "cart", operation: "POST /", start: 2000, duration: 500, errors: 1,
                tags: ["http.status": "500"]),
        ])
        try store.add([
            kept(
                3, service: "checkout", operation: "POST /", start: 3000, duration: 50,
                tags: ["http.status": "500", "tier": "gold"], extraOperations: [("payment", "charge")]),
            kept(4, service: "cart", operation: "GET /", start: 4000, duration: 2000),
        ])
        #expect(try ids(store) { _ in } == [4, 3, 2, 1])
        #expect(try ids(store) { $0.service = "checkout" } == [3, 1])
        #expect(try ids(store) { $0.service = "payment" } == [3])
        #expect(try ids(store) { $0.operation = "GET /" } == [4, 1])
        // Service and operation must belong to one span.
        #expect(try ids(store) { ($0.service, $0.operation) = ("payment", "POST /") } == [])
        #expect(try ids(store) { ($0.service, $0.operation) = ("payment", "charge") } == [3])
        #expect(try ids(store) { $0.hasError = true } == [2])
        #expect(try ids(store) { $0.hasError = false } == [4, 3, 1])
        #expect(try ids(store) { $0.minDuration = 100 } == [4, 2, 1])
        #expect(try ids(store) { $0.maxDuration = 100 } == [3, 1])
        #expect(try ids(store) { $0.tags = [.init(key: "http.status", value: "500")] } == [3, 2])
        #expect(
            try ids(store) { $0.tags = [.init(key: "http.status", value: "500"), .init(key: "tier", value: "gold")] }
                == [3])
        #expect(try ids(store) { $0.tags = [.init(key: "tier", value: "500")] } == [])
        // A trace is in the range where any of it is.
        #expect(try ids(store) { ($0.from, $0.to) = (2400, 3000) } == [3, 2])
        #expect(try ids(store) { $0.from = 5000 } == [4])
        #expect(try ids(store) { $0.to = 1500 } == [1])
        #expect(try ids(store) { $0.service = "nobody" } == [])
        #expect(try store.store.services() == ["cart", "checkout", "payment"])
        #expect(try store.store.operations(service: "checkout").map(\.operation) == ["GET /", "POST /"])
        #expect(try store.store.operations(service: "nobody").isEmpty)
    }

    @Test func aRowSaysWhatTheListShows() throws {
        let store = TemporaryStore()
        try store.add([kept(3, errors: 1, extraOperations: [("payment", "charge")])])
        let row = try #require(try store.store.search(TraceQuery()).traces.first)
        #expect(row.rootService == "checkout")
        #expect(row.rootName == "GET /")
        #expect(row.duration == 100)
        #expect(row.services == ["checkout", "payment"])
        #expect(row.errorCount == 1)
        #expect(row.policy == "rest")
        #expect(row.reason == "one of two")
    }

    @Test(arguments: [1, 7, 20]) func pagesGiveEveryTraceOnceInOrder(limit: Int) throws {
        let store = TemporaryStore()
        // Start times repeat within and across segments: the id decides then.
        var expected: [(start: UInt64, id: TraceID)] = []
        for segment in 0..<6 {
            let traces = (0..<15).map { index -> KeptTrace in
                let number = UInt64(segment * 15 + index)
                return kept(number, start: 1000 + (number * 7 % 13) * 10)
            }
            expected += traces.map { ($0.summary.startTime, $0.summary.traceID) }
            try store.add(traces)
        }
        expected.sort { $0.start == $1.start ? $0.id < $1.id : $0.start > $1.start }
        var query = TraceQuery()
        query.limit = limit
        var found: [TraceID] = []
        for _ in 0..<200 {
            let page = try store.store.search(query)
            #expect(page.traces.count <= limit)
            found += page.traces.map(\.traceID)
            guard let cursor = page.nextCursor else { break }
            query.cursor = SearchCursor(cursor.description)
            #expect(query.cursor == cursor)
        }
        #expect(found == expected.map(\.id))
    }

    @Test func lateSpansAreShownAsOneTraceOnOnePage() throws {
        let store = TemporaryStore()
        try store.add((0..<10).map { kept($0, start: 1000 + $0 * 100) })
        try store.add([kept(5, service: "late-service", start: 3000, duration: 500, errors: 1, isLate: true)])
        var query = TraceQuery()
        query.limit = 3
        var found: [TraceSummaryRow] = []
        for _ in 0..<10 {
            let page = try store.store.search(query)
            found += page.traces
            query.cursor = page.nextCursor
            if page.nextCursor == nil { break }
        }
        #expect(found.map(\.traceID.low) == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0])
        let merged = found[4]
        #expect(merged.startTime == 1500)
        #expect(merged.endTime == 3500)
        #expect(merged.spanCount == 2)
        #expect(merged.errorCount == 1)
        #expect(merged.services == ["checkout", "late-service"])
        #expect(merged.policy == "rest")
        // Found by what only the late spans have; not found by what only a part satisfies.
        #expect(try ids(store) { $0.service = "late-service" } == [5])
        #expect(try ids(store) { $0.maxDuration = 100 }.contains(5) == false)
        #expect(try ids(store) { $0.hasError = false }.contains(5) == false)
    }

    @Test func segmentsAreSkippedByTheirFooter() throws {
        let store = TemporaryStore()
        try store.add([kept(1, service: "a", start: 1000)])
        let other = try store.add([kept(2, service: "b", start: 9000)])
        _ = try store.store.services()
        // Summaries of a segment that need not be read may be damaged: nobody notices.
        let path = store.layout.path(other.path)
        let bytes = try LocalFileSystem().read(path)
        try LocalFileSystem().writeDurably([UInt8](repeating: 0, count: bytes.count), to: path)
        var query = TraceQuery()
        query.service = "a"
        #expect(try store.store.search(query).unreadableSegments.isEmpty)
        query = TraceQuery()
        query.to = 8000
        #expect(try store.store.search(query).unreadableSegments.isEmpty)
        #expect(try store.store.search(TraceQuery()).unreadableSegments.count == 1)
    }

    @Test func aFullPageOfNewTracesLeavesOldSegmentsUnread() throws {
        let store = TemporaryStore()
        let old = try store.add([kept(1, start: 1000)])
        try store.add((10..<20).map { kept($0, start: 5000 + $0) })
        _ = try store.store.services()
        let path = store.layout.path(old.path)
        let bytes = try LocalFileSystem().read(path)
        try LocalFileSystem().writeDurably([UInt8](repeating: 0, count: bytes.count), to: path)
        var query = TraceQuery()
        query.limit = 5
        let page = try store.store.search(query)
        #expect(page.traces.count == 5)
        #expect(page.unreadableSegments.isEmpty)
    }

    @Test func aSmallCacheOnlyCostsTime() throws {
        let temporary = TemporaryStore()
        for segment in 0..<5 { try temporary.add((0..<20).map { kept(UInt64(segment * 20 + $0)) }) }
        let store = TraceStore(catalog: temporary.catalog, layout: temporary.layout, cacheBytes: 1)
        var query = TraceQuery()
        query.limit = 100
        for _ in 0..<3 { #expect(try store.search(query).traces.count == 100) }
        #expect(try store.statistics().cachedBytes < 10_000)
    }
}
