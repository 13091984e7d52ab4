import Pipeline
import Testing
import TraceModel

@testable import Storage

/// Whatever happens to a file of the store, reading it is an error and never a trap.
struct DeliveryCodecTests {
    private static func done(_ random: inout SeededRandom) -> DoneRefs {
        var done = DoneRefs()
        var offset = Int64.random(in: 0...1 << 40, using: &random)
        for _ in 0..<Int.random(in: 0...20, using: &random) {
            offset += .random(in: 1...50, using: &random)
            if Bool.random(using: &random) {
                let count = Int64.random(in: 1...1000, using: &random)
                done.add(offset: offset, count: count, .all)
                offset += count
            } else {
                done.add(offset: offset, .some((0..<Int.random(in: 1...3, using: &random)).map { _ in random.next() }))
                offset += 1
            }
        }
        return done
    }

    private static func manifest(seed: UInt64) -> Manifest {
        var random = SeededRandom(seed: seed)
        let entries = (0..<Int.random(in: 0...3, using: &random)).map { index in
            TaskEntry(
                partition: PartitionID(
                    cluster: "c", topic: "t\(index)", partition: .random(in: 0...99, using: &random)),
                epoch: random.next() >> 8, low: .random(in: 0 ... .max, using: &random),
                high: .random(in: 0 ... .max, using: &random),
                lanes: (0..<Int.random(in: 0...2, using: &random)).map { lane in
                    LaneEntry(
                        sampler: "s\(lane)", low: .random(in: .min ... .max, using: &random), done: done(&random),
                        samplerState: (0..<Int.random(in: 0...300, using: &random)).map { _ in
                            .random(in: 0...255, using: &random)
                        })
                },
                streamTime: Bool.random(using: &random) ? .min : .random(in: 0 ... .max, using: &random),
                streamTimeAtLow: .random(in: .min ... .max, using: &random),
                decisionFiles: (0..<Int.random(in: 0...2, using: &random)).map { file in
                    DecisionFileReference(
                        path: "decisions/i/0-\(file).log", length: random.next(),
                        lastDecidedAt: .random(in: .min ... .max, using: &random))
                })
        }
        let segments = (0..<Int.random(in: 0...3, using: &random)).map {
            SegmentReference(path: "segments/i/\($0).seg", byteCount: random.next(), checksum: random.next())
        }
        return Manifest(
            incarnation: "host-1-0", sequence: random.next(), previousChecksum: random.next(), entries: entries,
            segments: segments)
    }

    @Test("a manifest of version 1 is read, without state of samplers")
    func oldManifest() throws {
        for seed in UInt64(1)...20 {
            var manifest = Self.manifest(seed: seed)
            let read = try Manifest.decode(manifest.encoded(version: 1))
            for entry in manifest.entries.indices {
                for lane in manifest.entries[entry].lanes.indices {
                    manifest.entries[entry].lanes[lane].samplerState = []
                }
            }
            #expect(read == manifest)
        }
    }

    /// Every truncation, every single flipped bit of a small file, and seeded damage must not decode.
    static func expectDamageIsFound(
        _ bytes: [UInt8], seed: UInt64, isWhole: ([UInt8]) -> Bool,
        sourceLocation: Testing.SourceLocation = #_sourceLocation
    ) {
        #expect(isWhole(bytes), sourceLocation: sourceLocation)
        for length in 0..<bytes.count where isWhole(Array(bytes.prefix(length))) {
            Issue.record("cut after \(length) of \(bytes.count) bytes", sourceLocation: sourceLocation)
        }
        var random = SeededRandom(seed: seed)
        for _ in 0..<500 {
            var damaged = bytes
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                damaged[.random(in: 0..<bytes.count, using: &random)] ^= 1 << UInt8.random(in: 0...7, using: &random)
            }
            if damaged != bytes, isWhole(damaged) {
                Issue.record("damage is not found, seed \(seed)", sourceLocation: sourceLocation)
            }
        }
    }

    @Test(arguments: 1...12 as ClosedRange<UInt64>)
    func aManifestIsReadAsItWasWrittenOrNotAtAll(seed: UInt64) throws {
        let manifest = Self.manifest(seed: seed)
        let bytes = manifest.encoded()
        #expect(try Manifest.decode(bytes) == manifest)
        Self.expectDamageIsFound(bytes, seed: seed) { (try? Manifest.decode($0)) != nil }
    }

    /// Damage behind a good checksum (a defect of ours, or a forgery) is an error too, or a manifest, but no trap.
    @Test(arguments: 1...12 as ClosedRange<UInt64>)
    func aForgedManifestDoesNotTrap(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let bytes = Array(Self.manifest(seed: seed).encoded().dropLast(8))
        for _ in 0..<2000 {
            var forged = bytes
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                forged[.random(in: 6..<forged.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            if Bool.random(using: &random) { forged.removeLast(.random(in: 0..<forged.count, using: &random)) }
            var encoder = ByteEncoder()
            encoder.raw(forged)
            encoder.fixed(Checksum.of(forged))
            _ = try? Manifest.decode(encoder.bytes)
        }
    }

    @Test func anEpochIsReadAsItWasWrittenOrNotAtAll() throws {
        let parent = Epoch.ManifestPosition(chain: "host-1", sequence: 77, epoch: 8)
        for epoch in [
            Epoch(number: 9, incarnation: "host", parent: parent), Epoch(number: .max, incarnation: "", parent: nil),
        ] {
            let bytes = epoch.encoded()
            #expect(try Epoch.decode(bytes) == epoch)
            Self.expectDamageIsFound(bytes, seed: epoch.number) { (try? Epoch.decode($0)) != nil }
        }
    }

    @Test func integersOfAllSizesAreReadAsTheyWereWritten() throws {
        var encoder = ByteEncoder()
        let signed: [Int64] = [0, 1, -1, 63, -64, .max, .min]
        let unsigned: [UInt64] = [0, 127, 128, 1 << 35, .max]
        for value in signed { encoder.signed(value) }
        for value in unsigned { encoder.varint(value) }
        encoder.fixed(Int32(-7))
        var decoder = ByteDecoder(encoder.bytes)
        #expect(try signed.map { _ in try decoder.signed() } == signed)
        #expect(try unsigned.map { _ in try decoder.varint() } == unsigned)
        #expect(try decoder.fixed(Int32.self) == -7)
        #expect(decoder.isAtEnd)
        var overlong = ByteDecoder(Array(repeating: 0x80, count: 20))
        #expect(throws: StoreError.self) { try overlong.varint() }
    }
}
