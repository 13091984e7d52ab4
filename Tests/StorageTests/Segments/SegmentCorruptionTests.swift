import Pipeline
import Testing
import TraceModel

@testable import Storage

struct SegmentCorruptionTests {
    private let traces = (0..<300).map { number in
        keptTrace(UInt64(number), service: "s\(number % 5)", spans: 1, partition: Int32(number % 3), padding: 50)
    }

    private func bytes() throws -> [UInt8] {
        var writer = SegmentWriter(blockSize: 8192)
        for trace in traces { writer.append(trace) }
        return try writer.encode(path: "a.seg")
    }

    /// Does everything a reader can do; returns the error it met.
    private func readEverything(_ bytes: [UInt8]) -> SegmentError? {
        let files = MemoryFileSystem()
        files["a.seg"] = bytes
        do throws(SegmentError) {
            let reader = try SegmentReader(path: "a.seg", fileSystem: files)
            try reader.verify()
            for trace in traces.prefix(20) {
                for row in try reader.rows(of: trace.summary.traceID) { _ = try reader.payload(of: row) }
            }
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: 0..<8) func everyFlippedBitIsDetected(seed: Int) throws {
        let good = try bytes()
        #expect(readEverything(good) == nil)
        var random = SeededRandom(seed: UInt64(seed))
        for _ in 0..<60 {
            var bad = good
            let position = Int.random(in: 0..<bad.count, using: &random)
            bad[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            let error = readEverything(bad)
            #expect(error != nil, "flip at byte \(position) with seed \(seed) went unnoticed")
            #expect(error?.path == "a.seg")
        }
    }

    @Test func everyCutIsDetected() throws {
        let good = try bytes()
        var random = SeededRandom(seed: 1)
        for length in [0, 1, 15, 16, 35, 36, good.count - 1]
            + (0..<50).map({ _ in Int.random(in: 0..<good.count, using: &random) })
        {
            #expect(readEverything(Array(good.prefix(length))) != nil, "cut at \(length)")
        }
    }

    /// A footer that passes its checksum but lies: what a faulty writer, or an attacker, could make.
    @Test(arguments: 0..<8) func aSignedButWrongFooterNeverTraps(seed: Int) throws {
        let good = try bytes()
        let lengthOffset = good.count - SegmentFormat.tailSize
        var tail = SegmentByteReader(good[lengthOffset...], path: "", baseOffset: 0)
        let footerStart = lengthOffset - Int(try tail.fixed(UInt32.self))
        var random = SeededRandom(seed: UInt64(seed) + 100)
        for _ in 0..<300 {
            var footer = Array(good[footerStart..<lengthOffset])
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                footer[Int.random(in: 0..<footer.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            var bad = SegmentByteWriter()
            bad.append(good[..<footerStart])
            bad.append(footer)
            bad.fixed(UInt32(footer.count))
            bad.fixed(Checksum.of(footer))
            bad.append(SegmentFormat.endMagic)
            _ = readEverything(bad.bytes)
        }
    }

    /// The same for summaries: valid checksums everywhere, nonsense inside.
    @Test(arguments: 0..<4) func nonsenseInSummariesNeverTraps(seed: Int) throws {
        let (section, stringBytes) = SegmentSummaries.encode(traces, withOutlines: true)
        _ = stringBytes
        var random = SeededRandom(seed: UInt64(seed) + 200)
        let strings = (0..<50).map(String.init)
        for _ in 0..<300 {
            var bad = section
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bad[Int.random(in: 0..<bad.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            _ = try? SegmentSummaries(
                decoding: bad, strings: strings, rowCount: traces.count, hasOutlines: true, path: "a", offset: 0)
        }
    }

    @Test func anErrorNamesFileAndPlace() throws {
        var bad = try bytes()
        bad[100] ^= 4
        let error = try #require(readEverything(bad))
        #expect(error.code == .checksumMismatch)
        #expect(error.offset == 16)
        #expect(error.description == "segment a.seg at byte 16: data block is damaged")
    }

    @Test func aNewerFormatIsNamedAsSuch() throws {
        var newer = try bytes()
        newer[8] = 5
        #expect(readEverything(newer)?.code == .unsupportedVersion)
    }

    @Test func aFileOfAnotherSizeThanTheManifestSaysIsRefused() throws {
        let files = MemoryFileSystem()
        files["a.seg"] = try bytes()
        #expect(throws: SegmentError.self) {
            try SegmentReader(path: "a.seg", expectedByteCount: 5, fileSystem: files)
        }
    }

    @Test func aMissingFileIsNamedAsSuch() {
        do throws(SegmentError) {
            _ = try SegmentReader(path: "gone.seg", fileSystem: MemoryFileSystem())
            Issue.record("opened a file that is not there")
        } catch {
            #expect(error.code == .missing)
        }
    }
}
