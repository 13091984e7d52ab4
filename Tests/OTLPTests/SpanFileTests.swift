import Foundation
import OTLP
import Testing
import TraceModel

@Suite("Files of spans")
final class SpanFileTests {
    private let directory = FileManager.default.temporaryDirectory.appendingPathComponent(
        "tailrace-\(UUID().uuidString)")

    init() throws { try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(at: directory) }

    private func path(_ name: String) -> String { directory.appendingPathComponent(name).path }

    private func write(_ bytes: [UInt8], _ name: String = "spans") throws -> String {
        try Data(bytes).write(to: URL(fileURLWithPath: path(name)))
        return path(name)
    }

    private func readAll(_ path: String, limit: Int = 1 << 20) throws -> [SpanFileItem] {
        let reader = try SpanFileReader(path: path, maximumRecordSize: limit)
        var items: [SpanFileItem] = []
        while let item = try reader.next() { items.append(item) }
        return items
    }

    private func requests(_ items: [SpanFileItem]) -> [[UInt8]] {
        items.compactMap { if case .request(let record) = $0 { record.protobuf } else { nil } }
    }

    private func delimited(_ messages: [[UInt8]]) -> [UInt8] {
        messages.flatMap { message in withUnsafeBytes(of: UInt32(message.count).bigEndian) { Array($0) } + message }
    }

    private var sampleRequests: [[ResourceSpans]] {
        var generator = ModelGenerator(seed: 7)
        return (0..<200).map { _ in generator.request() }
    }

    @Test(
        "What is written is read back, in every format and compression",
        arguments: ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.pb", "a.pb.gz", "a.binpb.zst"])
    func roundTrip(name: String) throws {
        let requests = sampleRequests
        let writer = try SpanFileWriter(path: path(name))
        for (index, request) in requests.enumerated() {
            if index % 2 == 0 {
                try writer.append(request, arrivalMilliseconds: Int64(index))
            } else {
                try writer.append(protobuf: OTLPEncoder.encode(request), arrivalMilliseconds: Int64(index))
            }
        }
        try writer.close()
        let items = try readAll(path(name))
        #expect(items.count == requests.count)
        for (index, item) in items.enumerated() {
            guard case .request(let record) = item else {
                Issue.record("\(item)")
                continue
            }
            #expect(identical(try OTLPDecoder.decode(record.protobuf), requests[index]))
            #expect(record.position.record == index + 1)
            #expect(record.arrivalMilliseconds == (writer.format == .jsonLines ? Int64(index) : nil))
        }
    }

    @Test("Lines are numbered; blank ones, CR LF, a BOM and a missing last line end are fine")
    func lines() throws {
        let text = "\u{feff}{\"arrival_ms\":1}\r\n\r\n  \n{\"arrival_ms\":2}\n{\"arrival_ms\":3}"
        let items = try readAll(try write(Array(text.utf8)))
        let records = items.compactMap { if case .request(let record) = $0 { record } else { nil } }
        #expect(records.map(\.arrivalMilliseconds) == [1, 2, 3])
        #expect(records.map(\.position.line) == [1, 4, 5])
        #expect(records.map(\.position.record) == [1, 2, 3])
        #expect(records.map(\.position.byteOffset) == [3, 26, 43])
    }

    @Test("A bad line is reported with file, line and column, and reading goes on")
    func badLine() throws {
        let file = try write(Array("{}\n{\"resourceSpans\":[1]}\nnonsense\n{\"arrival_ms\":9}\n".utf8))
        let items = try readAll(file)
        #expect(items.count == 4)
        guard case .malformed(let error) = items[1], case .malformed(let second) = items[2] else {
            Issue.record("\(items)")
            return
        }
        #expect(error.description == "\(file):2:19: resourceSpans[0]: expected an object")
        #expect(second.position?.line == 3)
        guard case .request(let last) = items[3] else {
            Issue.record("\(items)")
            return
        }
        #expect(last.arrivalMilliseconds == 9)
    }

    @Test("A line beyond the limit is reported without being held in memory, and the next one is read")
    func longLine() throws {
        let long = "{\"x\":\"" + String(repeating: "a", count: 3_000_000) + "\"}"
        let items = try readAll(try write(Array("{}\n\(long)\n{\"arrival_ms\":9}\n\(long)".utf8)), limit: 1000)
        #expect(items.count == 4)
        #expect(requests(items).count == 2)
        if case .malformed(let error) = items[1] { #expect(error.position?.line == 2) }
        if case .malformed(let error) = items[3] { #expect(error.position?.line == 4) }
    }

    @Test("Several gzip members and zstd frames, split anywhere, read as one file")
    func members() throws {
        for ending in ["gz", "zst"] {
            var bytes: [UInt8] = []
            for index in 0..<3 {
                let part = path("part\(index).jsonl.\(ending)")
                let writer = try SpanFileWriter(path: part)
                for request in sampleRequests { try writer.append(request) }
                try writer.close()
                bytes += Array(try Data(contentsOf: URL(fileURLWithPath: part)))
            }
            // gzip pads with zeros on some media.
            if ending == "gz" { bytes += [UInt8](repeating: 0, count: 512) }
            let items = try readAll(try write(bytes, "all.\(ending)"))
            #expect(requests(items).count == 600)
        }
    }

    @Test("A cut compressed file gives what it holds, then an error, then nothing", arguments: ["gz", "zst"])
    func cut(ending: String) throws {
        let whole = path("whole.jsonl.\(ending)")
        let writer = try SpanFileWriter(path: whole)
        var generator = ModelGenerator(seed: 9)
        for _ in 0..<3000 { try writer.append(generator.request()) }
        try writer.close()
        let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: whole)))
        let reader = try SpanFileReader(path: try write(Array(bytes.dropLast(bytes.count / 3)), "cut.\(ending)"))
        var count = 0
        let error = #expect(throws: SpanFileError.self) { while try reader.next() != nil { count += 1 } }
        #expect(error?.message == "compressed data ends early")
        #expect(count > 100)
        #expect(try reader.next() == nil)
    }

    @Test("The Collector's length-delimited files are read: protobuf and JSON, each message plain or zstd")
    func collector() throws {
        let messages = sampleRequests.map(OTLPEncoder.encode)
        #expect(requests(try readAll(try write(delimited(messages)))) == messages)
        let compressed = try messages.map { try Zstd.compress($0) }
        #expect(requests(try readAll(try write(delimited(compressed)))) == messages)
        let json = try sampleRequests.map { try Zstd.compress(OTLPJSONEncoder.encode($0)) }
        let decoded = requests(try readAll(try write(delimited(json))))
        #expect(identical(try decoded.flatMap { try OTLPDecoder.decode($0) }, sampleRequests.flatMap { $0 }))
    }

    @Test("Defects of length-delimited files are reported with record and offset")
    func delimitedDefects() throws {
        let message = OTLPEncoder.encode(sampleRequests[0]) + [UInt8](repeating: 0x0a, count: 2)
        let broken: [UInt8] = Zstd.magic + [1, 2, 3, 4]
        let large = [UInt8](repeating: 0, count: 100_000)
        let bytes = delimited([message, broken, large, message]) + [0, 0, 1, 0, 1]
        let file = try write(bytes)
        let items = try readAll(file, limit: 50_000)
        #expect(items.count == 5)
        #expect(requests(items) == [message, message])
        let errors = items.compactMap { if case .malformed(let error) = $0 { error } else { nil } }
        #expect(errors.map(\.position?.record) == [2, 3, 5])
        #expect(errors.last?.message == "the file ends inside a message of 256 bytes")
        #expect(errors.last?.description.hasPrefix("\(file): record 5 at byte \(bytes.count - 5): ") == true)
    }

    @Test("An empty file holds nothing; a missing one and a folder are errors")
    func edges() throws {
        #expect(try readAll(try write([])) == [])
        #expect(try readAll(try write(Array("\n\n".utf8))) == [])
        let error = #expect(throws: SpanFileError.self) { try SpanFileReader(path: "/nonexistent/file") }
        #expect(error?.description == "/nonexistent/file: No such file or directory")
        #expect(throws: SpanFileError.self) { try SpanFileReader(path: directory.path) }
        #expect(throws: SpanFileError.self) { try SpanFileWriter(path: "/nonexistent/file") }
    }

    @Test("Damaged files never trap")
    func damage() throws {
        var random = SeededGenerator(seed: TestSettings.seed)
        for name in ["d.jsonl", "d.jsonl.gz", "d.jsonl.zst", "d.pb"] {
            let writer = try SpanFileWriter(path: path(name))
            for request in sampleRequests.prefix(5) { try writer.append(request) }
            try writer.close()
            let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path(name))))
            for _ in 0..<100 {
                let damaged = try write(Mutation.mutate(bytes, &random), "damaged")
                _ = try? readAll(damaged)
            }
        }
    }
}
