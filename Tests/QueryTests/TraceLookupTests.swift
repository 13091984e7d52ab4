import Glibc
import Pipeline
import Storage
import Testing
import TraceModel

@testable import Query

struct TraceLookupTests {
    @Test func aStoredTraceIsFoundWithItsDecision() throws {
        let store = TemporaryStore()
        try store.add([kept(1), kept(2)])
        let trace = try #require(try store.store.trace(id(1)))
        #expect(trace.spanCount == 1)
        #expect(trace.resourceSpans == [resourceSpans("checkout", [span(1, 1, name: "GET /", start: 1000, end: 1100)])])
        #expect(trace.decision?.policy == "rest")
        #expect(trace.decision?.probability == 0.5)
        #expect(trace.decision?.reason == "one of two")
        #expect(try store.store.trace(id(3)) == nil)
    }

    @Test func rowsOfAnUnacceptedPartitionAreInvisible() throws {
        let store = TemporaryStore()
        try store.add([kept(1, partition: 0), kept(2, partition: 1)], accepted: [0])
        #expect(try store.store.trace(id(1)) != nil)
        #expect(try store.store.trace(id(2)) == nil)
        #expect(try store.store.search(TraceQuery()).traces.map(\.traceID) == [id(1)])
        // Once a manifest accepts them they appear, although the file did not change.
        store.catalog.segments[0].acceptedPartitions.insert(PartitionID(cluster: "c", topic: "t", partition: 1))
        #expect(try store.store.trace(id(2)) != nil)
    }

    @Test func lateRowsAreMergedAndDuplicatesRemoved() throws {
        let store = TemporaryStore()
        try store.add([kept(1, spans: [span(1, 1), span(1, 2, parent: 1)])])
        try store.add([kept(1, isLate: true, spans: [span(1, 2, parent: 1), span(1, 3, parent: 1)])])
        try store.add([kept(1, service: "cart", isLate: true, spans: [span(1, 4, parent: 1)])])
        let trace = try #require(try store.store.trace(id(1)))
        #expect(trace.spanCount == 4)
        #expect(trace.lateRowCount == 2)
        #expect(trace.decision?.policy == "rest")
        #expect(trace.resourceSpans.count == 2)
        #expect(trace.resourceSpans[0].scopeSpans[0].spans.map(\.spanID.value) == [1, 2, 3])
    }

    @Test func clientAndServerSpansWithOneIDAreBothKept() throws {
        let store = TemporaryStore()
        try store.add([
            kept(1, spans: [span(1, 7, kind: .client), span(1, 7, kind: .server), span(1, 7, kind: .client)])
        ])
        #expect(try store.store.trace(id(1))?.spanCount == 2)
    }

    @Test func aDamagedSegmentIsNamedAndTheOthersAnswer() throws {
        let store = TemporaryStore()
        try store.add([kept(1)])
        let damaged = try store.add([kept(2)])
        let path = store.layout.path(damaged.path)
        var bytes = try LocalFileSystem().read(path)
        bytes[bytes.count - 30] ^= 1
        try LocalFileSystem().writeDurably(bytes, to: path)
        let trace = try #require(try store.store.trace(id(1)))
        #expect(trace.unreadableSegments.map(\.path) == [damaged.path])
        // "Not found" would be a guess here.
        #expect(throws: TraceStoreError.self) { try store.store.trace(id(2)) }
        let page = try store.store.search(TraceQuery())
        #expect(page.traces.count == 1)
        #expect(page.unreadableSegments.map(\.path) == [damaged.path])
        #expect(try store.store.statistics().unreadableSegments.count == 1)
    }

    @Test func segmentsThatVanishAreForgotten() throws {
        let store = TemporaryStore()
        try store.add([kept(1)])
        let old = try store.add([kept(2)])
        #expect(try store.store.trace(id(2)) != nil)
        store.catalog.segments.removeLast()
        try LocalFileSystem().remove(store.layout.path(old.path))
        #expect(try store.store.trace(id(2)) == nil)
        #expect(try store.store.trace(id(1)) != nil)
        #expect(try store.store.statistics().segmentCount == 1)
    }

    @Test func whenTheCatalogFailsWhatWasKnownStillAnswers() throws {
        let store = TemporaryStore()
        store.catalog.fails = true
        #expect(throws: (any Error).self) { try store.store.trace(id(1)) }
        store.catalog.fails = false
        try store.add([kept(1)])
        #expect(try store.store.trace(id(1)) != nil)
        store.catalog.fails = true
        #expect(try store.store.trace(id(1)) != nil)
        #expect(try store.store.statistics().catalogError != nil)
    }

    @Test func theCatalogIsReadOncePerInterval() throws {
        let temporary = TemporaryStore()
        try temporary.add([kept(1)])
        let store = TraceStore(catalog: temporary.catalog, layout: temporary.layout, refreshInterval: .seconds(100))
        for _ in 0..<10 { _ = try store.trace(id(1)) }
        #expect(temporary.catalog.refreshes == 1)
        try store.refresh()
        #expect(temporary.catalog.refreshes == 2)
    }

    @Test func manyThreadsMayAskAtOnce() async throws {
        let temporary = TemporaryStore()
        for segment in 0..<10 { try temporary.add((0..<50).map { kept(UInt64(segment * 50 + $0)) }) }
        let store = temporary.store
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<100 {
                group.addTask {
                    var query = TraceQuery()
                    query.limit = 5
                    return try store.trace(id(UInt64(number * 5))) != nil && store.search(query).traces.count == 5
                }
            }
            for try await isFound in group { #expect(isFound) }
        }
        _ = temporary
    }
}
