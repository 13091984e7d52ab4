import Glibc
import Pipeline
import Storage
import Testing

struct SegmentSinkTests {
    private let layout = StoreLayout(root: "/store")

    @Test func aFlushStoresWhatWasWrittenUnderItsFinalName() throws {
        let files = MemoryFileSystem()
        let sink = SegmentSink(layout: layout, incarnation: "worker-1", thread: 3, fileSystem: files)
        #expect(sink.seal() == nil)
        let trace = keptTrace(1)
        sink.write(trace)
        #expect(sink.bufferedBytes >= trace.payload.count)
        let flush = try #require(sink.seal())
        #expect(sink.bufferedBytes == 0)
        #expect(sink.seal() == nil)
        #expect(files.paths.isEmpty)

        let references = try flush.perform()
        let reference = try #require(references.first)
        #expect(reference.path == "segments/worker-1/000000000001-3.seg")
        #expect(files.paths == ["/store/segments/worker-1/000000000001-3.seg"])
        #expect(reference.byteCount == UInt64(files[layout.path(reference.path)]?.count ?? 0))
        let reader = try SegmentReader(path: layout.path(reference.path), fileSystem: files)
        #expect(try reader.rows(of: trace.summary.traceID).count == 1)
    }

    @Test(arguments: ["write", "rename"]) func aFailedFlushCanBeRepeated(operation: String) throws {
        let files = MemoryFileSystem()
        let sink = SegmentSink(layout: layout, incarnation: "w", thread: 0, fileSystem: files)
        sink.write(keptTrace(1))
        let flush = try #require(sink.seal())
        files.fail(operation)
        #expect(throws: FileError.self) { try flush.perform() }
        #expect(!files.paths.contains { $0.hasSuffix(".seg") })
        files.fail(operation, false)
        let references = try flush.perform()
        #expect(references.count == 1)
        // And again after a success: the same answer, nothing written.
        files.fail("write")
        #expect(try flush.perform() == references)
    }

    @Test func eachFlushHasANameOfItsOwn() throws {
        let sink = SegmentSink(layout: layout, incarnation: "w", thread: 0, fileSystem: MemoryFileSystem())
        var paths = Set<String>()
        for number in 0..<5 {
            sink.write(keptTrace(UInt64(number)))
            for reference in try sink.seal()?.perform() ?? [] { paths.insert(reference.path) }
        }
        #expect(paths.count == 5)
    }

    @Test func theMachinesFileSystemWorksToo() throws {
        let root = "/tmp/tailrace-segments-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        defer { _ = try? removeTree(root) }
        let layout = StoreLayout(root: root)
        let sink = SegmentSink(layout: layout, incarnation: "w", thread: 0)
        sink.write(keptTrace(1))
        let reference = try #require(try sink.seal()?.perform().first)
        try SegmentReader(path: layout.path(reference.path), expectedByteCount: reference.byteCount).verify()
    }

    private func removeTree(_ root: String) throws {
        let files = LocalFileSystem()
        for name in try files.list(root + "/segments/w") { try files.remove(root + "/segments/w/" + name) }
        for directory in ["/segments/w", "/segments", ""] { rmdir(root + directory) }
    }
}
