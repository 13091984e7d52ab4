import Pipeline
import Testing
import TraceModel

@testable import Storage

/// What partitions that are taken over together share of a decision file: the same as if each had read it alone.
struct DecisionFileIndexTests {
    private static func partition(_ number: Int32) -> PartitionID {
        PartitionID(cluster: "c", topic: "t", partition: number)
    }

    private static func block(_ partition: Int32, _ number: UInt64, at time: Int64) -> DecisionBlock {
        DecisionBlock(
            partition: Self.partition(partition), epoch: 1, sampler: "s",
            records: [
                DecisionRecord(
                    traceID: TraceID(high: 1, low: number), isKept: false, trigger: .root, policyIndex: 0,
                    policyVersion: 1, probability: 1, decidedAt: time, spanCount: 0, byteCount: 0, duration: 0,
                    firstOffset: 0, lastOffset: 0)
            ])
    }

    private static func ids(
        _ files: SimulatedFileSystem, _ index: DecisionFileIndex, _ partition: Int32, since oldest: Int64 = .min,
        length: UInt64? = nil
    ) throws -> [UInt64] {
        let reader = try DecisionFileReader(path: "d.log", length: length, fileSystem: files)
        var ids: [UInt64] = []
        try reader.forEachBlockToRemember(of: Self.partition(partition), since: oldest, index) { block in
            ids += block.records.map(\.traceID.low)
        }
        return ids
    }

    @Test("partitions find their own blocks whatever was read before them", arguments: 1...20 as ClosedRange<UInt64>)
    func sharedIsAsRead(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let files = SimulatedFileSystem()
        var groups: [(blocks: [DecisionBlock], time: Int64, end: UInt64)] = []
        var bytes = DecisionFile.fileHeader()
        var number: UInt64 = 0
        for sequence in 1...12 as ClosedRange<UInt64> {
            let time = Int64(sequence) * 10
            // Some partitions have two blocks in a group, as of two samplers.
            let blocks = (0..<Int.random(in: 0...9, using: &random)).map { _ in
                number += 1
                return Self.block(.random(in: 0...4, using: &random), number, at: time)
            }
            bytes += try DecisionFile.encode(DecisionGroup(sequence: sequence, blocks: blocks))
            groups.append((blocks, time, UInt64(bytes.count)))
        }
        files["d.log"] = bytes
        let shared = DecisionFileIndex()
        for _ in 0..<60 {
            let partition = Int32.random(in: 0...5, using: &random)
            let oldest = Int64.random(in: 0...130, using: &random)
            let length = groups.randomElement(using: &random)?.end ?? 0
            let expected = groups.filter { $0.end <= length && $0.time >= oldest }.flatMap(\.blocks)
                .filter { $0.partition == Self.partition(partition) }.flatMap(\.records).map(\.traceID.low)
            #expect(
                try Self.ids(files, shared, partition, since: oldest, length: length) == expected, "seed \(seed)")
        }
        #expect(shared.blockCount <= Int(number))
    }

    @Test("what is behind the part that a manifest vouches for is not remembered: it may be written again")
    func unvouchedTailIsNotRemembered() throws {
        let files = SimulatedFileSystem()
        func group(_ sequence: UInt64, _ blocks: [DecisionBlock]) throws -> [UInt8] {
            try DecisionFile.encode(DecisionGroup(sequence: sequence, blocks: blocks))
        }
        let first = DecisionFile.fileHeader() + (try group(1, [Self.block(0, 1, at: 1), Self.block(1, 2, at: 1)]))
        let failed = try group(2, [Self.block(1, 666, at: 2), Self.block(0, 667, at: 2), Self.block(0, 668, at: 2)])
        let index = DecisionFileIndex()
        files["d.log"] = first + failed
        #expect(try Self.ids(files, index, 0, length: UInt64(first.count)) == [1])
        let second = first + (try group(2, [Self.block(0, 3, at: 2), Self.block(1, 4, at: 2)]))
        files["d.log"] = second + [1, 2, 3]
        #expect(try Self.ids(files, index, 1, length: UInt64(second.count)) == [2, 4])
        #expect(try Self.ids(files, index, 0, length: UInt64(second.count)) == [1, 3])
        // An older manifest's.
        #expect(try Self.ids(files, index, 1, length: UInt64(first.count)) == [2])
        // Inside of a group, which no manifest says; known, and not known yet.
        for index in [index, DecisionFileIndex()] {
            let error = try #require(throws: StoreError.self) {
                try Self.ids(files, index, 1, length: UInt64(second.count - 1))
            }
            #expect(error == .damaged("the file ends too early (at byte \(first.count))"))
        }
    }

    @Test("damage is an error for each partition that needs what is damaged, and is not remembered")
    func damageIsNotRemembered() throws {
        let files = SimulatedFileSystem()
        let whole =
            DecisionFile.fileHeader()
            + (try DecisionFile.encode(
                DecisionGroup(sequence: 1, blocks: [Self.block(0, 1, at: 1), Self.block(1, 2, at: 1)])))
        files["d.log"] = whole
        let fresh = try DecisionFileReader(path: "d.log", fileSystem: files)
        let group = try #require(try fresh.group(at: fresh.firstGroupOffset))
        let blocks = try fresh.blockHeaders(of: group)
        #expect(blocks.count == 2)
        let secondBlock = Int(group.blocksOffset) + Int(blocks[1].offset)
        let index = DecisionFileIndex()
        // The length of a block that is in the way: too long, and too short.
        for byte in [UInt8](arrayLiteral: 0xff, 1) {
            files["d.log"]?[Int(group.blocksOffset)] = byte
            for partition in 0...1 as ClosedRange<Int32> {
                #expect(throws: StoreError.self) { try Self.ids(files, index, partition) }
            }
        }
        files["d.log"] = whole
        #expect(try Self.ids(files, index, 1) == [2])
        // Known headers do not replace a look at what is read.
        files["d.log"]?[secondBlock + 20] ^= 1
        #expect(throws: StoreError.self) { try Self.ids(files, index, 1) }
        #expect(try Self.ids(files, index, 0) == [1])
        // Collected: nobody needed it any more, and whoever asks all the same is told.
        files["d.log"] = nil
        #expect(throws: FileError.self) { try Self.ids(files, index, 0) }
    }

    @Test("indexes are bounded, and forgotten when all partitions have long been taken over")
    func indexesAreBounded() throws {
        let files = SimulatedFileSystem()
        files["d.log"] =
            DecisionFile.fileHeader()
            + (try DecisionFile.encode(
                DecisionGroup(sequence: 1, blocks: (0..<10).map { Self.block($0, UInt64($0), at: 1) })))
        let indexes = DecisionFileIndexes(maximumBlocks: 25)
        func use(_ path: String) throws {
            #expect(try Self.ids(files, indexes.index(of: path), 3) == [3])
            indexes.trim()
        }
        for path in ["a", "b", "a", "c"] { try use(path) }
        #expect(indexes.paths == ["a", "c"])
        let kept = indexes.index(of: "a")
        #expect(kept.blockCount == 10)
        for _ in 0..<16 { indexes.noteFlush() }
        try use("a")
        #expect(indexes.index(of: "a") === kept)
        indexes.noteFlush()
        #expect(indexes.paths == ["a"])
        for _ in 0..<16 { indexes.noteFlush() }
        #expect(indexes.paths.isEmpty)

        let tooSmall = DecisionFileIndexes(maximumBlocks: 9)
        #expect(try Self.ids(files, tooSmall.index(of: "a"), 3) == [3])
        tooSmall.trim()
        #expect(tooSmall.paths.isEmpty)
    }
}
