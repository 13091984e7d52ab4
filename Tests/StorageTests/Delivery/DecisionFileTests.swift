import OTLP
import Pipeline
import Testing
import TraceModel

@testable import Storage

/// The decision log's format: what was written is read, or an error is; a look-up reads little; old files stay readable.
struct DecisionFileTests {
    static let partition = PartitionID(cluster: "Q2x1c3Rlcg", topic: "spans ü", partition: 11)

    /// A block of what a sampler under load decides, with some strange values where `isStrange`.
    static func block(
        _ count: Int, seed: UInt64, partition: PartitionID = Self.partition, isStrange: Bool = true
    ) -> DecisionBlock {
        var random = SeededRandom(seed: seed)
        var offset: Int64 = 7_000_000_000
        var time: Int64 = 1_750_000_000_000
        let records = (0..<count).map { _ in
            offset += .random(in: 0...9, using: &random)
            time += Int64.random(in: 0...19, using: &random) == 0 ? 1 : 0
            let isOdd = isStrange && Int.random(in: 0...9, using: &random) == 0
            let isKept = Int.random(in: 0...19, using: &random) == 0
            let first = isOdd ? Int64.random(in: .min ... .max, using: &random) : offset
            return DecisionRecord(
                traceID: TraceID(high: random.next(), low: random.next()), isKept: isKept,
                trigger: isOdd ? Decision.Trigger.allCases.randomElement(using: &random) ?? .max : .root,
                policyIndex: isKept ? 1 : DecisionRecord.noPolicy, policyVersion: 0xabcd_0123,
                probability: isOdd ? .random(in: 0...1, using: &random) : isKept ? 1 : 0.01,
                decidedAt: isOdd ? .random(in: .min ... .max, using: &random) : time,
                spanCount: isOdd ? .random(in: 0 ... .max, using: &random) : .random(in: 1...30, using: &random),
                byteCount: isOdd ? random.next() : .random(in: 400...12_000, using: &random),
                // Whole microseconds: more the log does not keep.
                duration: (isOdd ? random.next() / 1000 : .random(in: 100...400_000, using: &random)) * 1000,
                firstOffset: first,
                lastOffset: isOdd
                    ? .random(in: .min ... .max, using: &random) : first + .random(in: 0...4000, using: &random),
                errorCount: isKept ? 1 : 0)
        }
        return DecisionBlock(
            partition: partition, epoch: 3, sampler: "sample", records: records,
            lateSpans: (0..<count / 10).map { index in
                LateSpans(
                    traceID: TraceID(high: 1, low: random.next()), isKept: index % 2 == 0,
                    count: .random(in: 1 ... .max, using: &random))
            }, policyNames: [0xabcd_0123: ["errors", "slow"]])
    }

    private static func file(_ groups: [DecisionGroup]) throws -> [UInt8] {
        try groups.reduce(DecisionFile.fileHeader()) { try $0 + DecisionFile.encode($1) }
    }

    private static func open(_ bytes: [UInt8]) throws -> DecisionFileReader {
        let files = SimulatedFileSystem(seed: 1)
        try files.writeDurably(bytes, to: "d.log")
        return try DecisionFileReader(path: "d.log", fileSystem: files)
    }

    private static func read(_ bytes: [UInt8]) throws -> [DecisionGroup] {
        let reader = try open(bytes)
        var groups: [DecisionGroup] = []
        try reader.forEachGroup { group in
            groups.append(DecisionGroup(sequence: group.header?.sequence ?? 0, blocks: try reader.verify(group)))
        }
        return groups
    }

    @Test("decisions are read as they were written, or not at all", arguments: [0, 1, 3, 400])
    func decisionsAreReadAsTheyWereWrittenOrNotAtAll(count: Int) throws {
        let groups = [
            DecisionGroup(sequence: 8, blocks: [Self.block(count, seed: 1), Self.block(count + 1, seed: 2)]),
            DecisionGroup(sequence: 9, blocks: [Self.block(count, seed: 3)]),
        ]
        #expect(try Self.read(Self.file(groups)) == groups)
        let bytes = try Self.file([groups[1]])
        DeliveryCodecTests.expectDamageIsFound(bytes, seed: 4) { damaged in
            ((try? Self.read(damaged)) ?? []).isEmpty == false
        }
    }

    @Test("damage behind good checksums does not trap", arguments: 1...4 as ClosedRange<UInt64>)
    func forgedContentsDoNotTrap(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let whole = try DecisionFile.encode(DecisionGroup(sequence: 1, blocks: [Self.block(20, seed: seed)]))
        let filterLength = DecisionFilter.lineSize * 2
        let start = DecisionFile.groupHeaderSize + filterLength
        for _ in 0..<2000 {
            var forged = Array(whole[start...].dropLast(DecisionFile.checksumSize))
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                forged[.random(in: DecisionFile.blockHeaderSize..<forged.count, using: &random)] = .random(
                    in: 0...255, using: &random)
            }
            var encoder = ByteEncoder()
            encoder.raw(forged)
            encoder.fixed(Checksum.of(forged))
            _ = try? DecisionFile.decodeBlocks(encoder.bytes[...])
        }
    }

    @Test("a look-up passes every id that is there and about one in a thousand that is not")
    func theFilterIsRight() throws {
        var random = SeededRandom(seed: 5)
        // Ids whose upper half is zero and whose lower half counts: the worst that senders do.
        let ids = (0..<20_000 as Range<UInt64>).map { TraceID(high: 0, low: $0) }
        let filter = DecisionFilter.make(ids.map(DecisionFilter.hash))
        #expect(filter.count < ids.count * 2 + 64)
        let lines = filter.count / DecisionFilter.lineSize
        func passes(_ id: TraceID) -> Bool {
            let hash = DecisionFilter.hash(id)
            let start = DecisionFilter.line(of: hash, count: lines) * DecisionFilter.lineSize
            return DecisionFilter.mayContain(hash, line: Array(filter[start..<start + DecisionFilter.lineSize]))
        }
        #expect(ids.allSatisfy(passes))
        let strangers = (0..<100_000).count { _ in passes(TraceID(high: random.next(), low: random.next())) }
        #expect(strangers < 300)
    }

    @Test("only the wanted partition's blocks are unpacked, and groups before the horizon are skipped")
    func whatIsNotWantedIsSkipped() throws {
        let other = PartitionID(cluster: "c", topic: "other", partition: 0)
        let block = Self.block(5, seed: 6, isStrange: false)
        let bytes = try Self.file([
            DecisionGroup(sequence: 1, blocks: [block, Self.block(7, seed: 7, partition: other)])
        ])
        let reader = try Self.open(bytes)
        let group = try #require(try reader.group(at: reader.firstGroupOffset))
        #expect(try reader.blocks(of: group, partition: Self.partition) == [block])
        let last = try #require(block.records.map(\.decidedAt).max())
        #expect(group.reaches(last - 10) && !group.reaches(last + 1_000_000))
    }

    @Test("a file of version 1 is still read")
    func filesOfVersion1AreRead() throws {
        var block = Self.block(50, seed: 8)
        block.epoch = 0
        block.lateSpans = []
        block.policyNames = [:]
        for index in block.records.indices { block.records[index].errorCount = 0 }
        let bytes = try Self.legacy(block) + Self.legacy(block)
        #expect(try Self.read(bytes).flatMap(\.blocks) == [block, block])
        DeliveryCodecTests.expectDamageIsFound(try Self.legacy(block), seed: 9) { damaged in
            ((try? Self.read(damaged)) ?? []).isEmpty == false
        }
    }

    /// The same with what adaptive policies say: budgets' decisions, a few rates, and some that have nothing to say.
    private static func detailed(_ block: DecisionBlock, seed: UInt64, isStrange: Bool = true) -> DecisionBlock {
        var random = SeededRandom(seed: seed)
        var block = block
        for index in block.records.indices {
            let kind = Int.random(in: 0...9, using: &random)
            guard kind > 0 else { continue }
            var detail = DecisionDetail(kind == 1 ? .rate : .budget)
            detail.policyIndex = kind == 2 ? 5 : block.records[index].policyIndex
            let isOdd = isStrange && kind == 3
            detail.key = UInt64.random(in: 0...20, using: &random) &* 0x9e37_79b9_7f4a_7c15
            detail.tick = isOdd ? .random(in: .min ... .max, using: &random) : 1_750_000_000 + Int64(index / 100)
            detail.rate = isOdd ? Double.random(in: 1...1e6, using: &random) : 0.25
            block.records[index].probability = Double.random(in: 0...1, using: &random)
            detail.threshold = DecisionDetail.threshold(probability: block.records[index].probability)
            if kind != 1 {
                detail.tier = UInt8.random(in: 0...6, using: &random)
                detail.rule = kind == 4 ? 3 : DecisionDetail.noRule
                detail.shape = UInt64.random(in: 0...40, using: &random) &* 0xd6e8_feb8_6659_fd93
                detail.isOversize = isOdd
                detail.isDryRun = isOdd
                if isOdd { detail.threshold = random.next() }
            }
            block.records[index].detail = detail
            if kind == 5 {
                block.records[index].isOutline = block.records[index].isKept
                block.records[index].wholeProbability = block.records[index].probability / 3
            }
            for name in DecisionName.all(in: block.records[index]) where name.value % 3 != 1 {
                block.names[name] = "\(name.kind) ü \(name.value)"
            }
        }
        return block
    }

    @Test(
        "what adaptive policies say of their decisions is read as it was written, or not at all",
        arguments: [1, 3, 400])
    func detailsAreReadAsTheyWereWritten(count: Int) throws {
        let group = DecisionGroup(
            sequence: 8,
            blocks: [
                Self.detailed(Self.block(count, seed: 21), seed: 22), Self.block(count, seed: 23),
                Self.detailed(Self.block(count, seed: 24), seed: 25),
            ])
        let bytes = try Self.file([group])
        #expect(try Self.read(bytes) == [group])
        DeliveryCodecTests.expectDamageIsFound(bytes, seed: 26) { damaged in
            ((try? Self.read(damaged)) ?? []).isEmpty == false
        }
        // Samplers that remember decisions need none of it.
        let remembered = try DecisionFile.decodeBlocks(
            DecisionFile.encode(group)[(DecisionFile.groupHeaderSize + Self.filterLength(group))...], withDetails: false
        )
        #expect(remembered.allSatisfy { block in block.records.allSatisfy { $0.detail.kind == .none } })
        // But what becomes of late spans.
        let records = group.blocks.flatMap(\.records)
        #expect(remembered.flatMap(\.records).map(\.isOutline) == records.map(\.isOutline))
        #expect(remembered.flatMap(\.records).map(\.wholeProbability) == records.map(\.wholeProbability))
        if count > 100 { #expect(records.contains { $0.isOutline }) }
    }

    private static func filterLength(_ group: DecisionGroup) -> Int {
        DecisionFilter.make(
            group.blocks.flatMap { block in (block.records.map(\.traceID) + block.lateSpans.map(\.traceID)) }
                .map(DecisionFilter.hash)
        ).count
    }

    @Test("damage behind good checksums does not trap in details either", arguments: 1...2 as ClosedRange<UInt64>)
    func forgedDetailsDoNotTrap(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let block = Self.detailed(Self.block(30, seed: seed), seed: seed)
        let details = try #require(DecisionFile.encodeDetails(of: block))
        for _ in 0..<3000 {
            var forged = details
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                forged[.random(in: 0..<forged.count, using: &random)] = .random(in: 0...255, using: &random)
            }
            var target = block
            try? DecisionFile.decodeDetails(forged, into: &target)
        }
    }

    @Test("files of versions 2 and 3 are still read", arguments: [2, 3] as [UInt8])
    func earlierFilesAreRead(version: UInt8) throws {
        let groups = [DecisionGroup(sequence: 8, blocks: [Self.block(40, seed: 27)])]
        var bytes = try Self.file(groups)
        // Without details and outlines a group is what they wrote.
        #expect(bytes[8] == 4)
        bytes[8] = version
        #expect(try Self.read(bytes) == groups)
    }

    @Test("a budget's decision takes less than 45 bytes with everything that explains it")
    func aBudgetsDecisionIsSmall() throws {
        let block = Self.detailed(Self.block(20_000, seed: 28, isStrange: false), seed: 29, isStrange: false)
        let size = try DecisionFile.encode(DecisionGroup(sequence: 1, blocks: [block])).count
        var plain = block
        for index in plain.records.indices { plain.records[index].detail = DecisionDetail(.none) }
        let before = try DecisionFile.encode(DecisionGroup(sequence: 1, blocks: [plain])).count
        print(
            "bytes per decision of a budget: \(Double(size) / 20_000), \(Double(before) / 20_000) without details (seed 28)"
        )
        #expect(size - before < 20_000 * 8)
    }

    @Test("a file of a newer version is refused with the reason")
    func newerVersionsAreRefused() throws {
        var bytes = try Self.file([])
        bytes[8] = 5
        let error = #expect(throws: StoreError.self) { try Self.read(bytes) }
        #expect(error?.description.contains("newer Tailrace") == true)
    }

    @Test("a decision under load takes less than 32 bytes, its share of the filter included")
    func aDecisionIsSmall() throws {
        let block = Self.block(20_000, seed: 10, isStrange: false)
        let new = try DecisionFile.encode(DecisionGroup(sequence: 1, blocks: [block])).count
        let old = try Self.legacy(block).count
        print("bytes per decision: \(Double(new) / 20_000) now, \(Double(old) / 20_000) in version 1 (seed 10)")
        #expect(new < 20_000 * 32)
        #expect(new < old)
    }

    /// What version 1 wrote.
    private static func legacy(_ block: DecisionBlock) throws -> [UInt8] {
        var body = ByteEncoder()
        body.string(block.partition.cluster)
        body.string(block.partition.topic)
        body.fixed(block.partition.partition)
        body.string(block.sampler)
        body.varint(UInt64(block.records.count))
        for record in block.records {
            body.fixed(record.traceID.high)
            body.fixed(record.traceID.low)
            body.fixed(UInt8(record.isKept ? 1 : 0))
            body.fixed(record.trigger.rawValue)
            body.fixed(record.policyIndex)
            body.fixed(record.policyVersion)
            body.fixed(record.probability.bitPattern)
            body.fixed(record.decidedAt)
            body.fixed(record.spanCount)
            body.fixed(record.byteCount)
            body.fixed(record.duration)
            body.fixed(record.firstOffset)
            body.fixed(record.lastOffset)
        }
        let compressed = try Zstd.compress(body.bytes, level: 1)
        var encoder = ByteEncoder()
        encoder.fixed(UInt32(compressed.count))
        encoder.fixed(UInt32(body.bytes.count))
        encoder.fixed(Checksum.of(compressed))
        encoder.raw(compressed)
        return encoder.bytes
    }
}
