import Pipeline
import Synchronization
import Testing
import TraceModel

@testable import Storage

/// Entries and groups made by hand, for what the simulated worker does not do by itself.
private struct HandMadeWorker {
    static let layout = SimulatedWorker.layout
    let store: FileDeliveryStore
    let incarnation: String
    let fileSystem: any FileSystem

    init(_ incarnation: String, _ fileSystem: any FileSystem, layout: StoreLayout = Self.layout) throws {
        store = try FileDeliveryStore(layout: layout, incarnation: incarnation, fileSystem: fileSystem)
        self.incarnation = incarnation
        self.fileSystem = fileSystem
    }

    static func partition(_ number: Int32) -> PartitionID { PartitionID(cluster: "c", topic: "t", partition: number) }

    static func decision(_ number: UInt64, at time: Int64 = 1000) -> DecisionRecord {
        DecisionRecord(
            traceID: TraceID(high: 1, low: number), isKept: false, trigger: .root, policyIndex: 0, policyVersion: 1,
            probability: 1, decidedAt: time, spanCount: 1, byteCount: 1, duration: 0, firstOffset: 0, lastOffset: 0)
    }

    /// Publishes one entry per partition; a segment too where `segment` names one.
    @discardableResult
    func publish(
        _ tasks: [(restored: RestoredTask, partition: PartitionID, decisions: [DecisionRecord])],
        segment: String? = nil, low: Int64 = 0
    ) throws -> [TaskEntry] {
        let groups = tasks.map { task in
            CommitGroup.Task(
                entry: TaskEntry(
                    partition: task.partition, epoch: task.restored.epoch, low: low, high: low, lanes: [],
                    streamTime: 1000, streamTimeAtLow: 1000, decisionFiles: task.restored.entry?.decisionFiles ?? []),
                decisions: [LaneDecisions(sampler: "s", records: task.decisions)])
        }
        let flushes =
            segment.map { [SegmentFlush(path: "segments/\(incarnation)/\($0)", fileSystem: fileSystem)] } ?? []
        return try store.publish(CommitGroup(tasks: groups, flushes: flushes), writer: 0)
    }

    private final class SegmentFlush: SinkFlush {
        let path: String
        let fileSystem: any FileSystem

        init(path: String, fileSystem: any FileSystem) {
            self.path = path
            self.fileSystem = fileSystem
        }

        func perform() throws -> [SegmentReference] {
            try fileSystem.writeDurably([1], to: HandMadeWorker.layout.path(path))
            return [SegmentReference(path: path, byteCount: 1, checksum: 0)]
        }
    }
}

@Suite("What a restart takes over")
struct RestoreTests {
    @Test("decisions that this process made after it had lost the partition do not count when it gets it back")
    func fencedDecisions() throws {
        let files = SimulatedFileSystem()
        let (p, q) = (HandMadeWorker.partition(0), HandMadeWorker.partition(1))
        let first = try HandMadeWorker("a", files)
        let other = try first.store.acquire(q)
        var mine = try first.store.acquire(p)
        let published = try first.publish([(mine, p, [HandMadeWorker.decision(1)]), (other, q, [])])
        mine.entry = published.first { $0.partition == p }
        let second = try HandMadeWorker("b", files)
        let taken = try second.store.acquire(p)
        try second.publish([(taken, p, [HandMadeWorker.decision(2)])])
        // A zombie's: its entry is left out, but the decision is in the file.
        let left = try first.publish([(mine, p, [HandMadeWorker.decision(666)]), (other, q, [])])
        #expect(left.map(\.partition) == [q])
        let again = try first.store.acquire(p)
        try first.publish([(again, p, [HandMadeWorker.decision(3)])])
        let last = try HandMadeWorker("c", files)
        let entry = try #require(try last.store.acquire(p).entry)
        var found: [UInt64] = []
        try last.store.readDecisions(of: entry, since: .min) { _, records in found += records.map(\.traceID.low) }
        #expect(found.sorted() == [1, 2, 3])
    }

    @Test("a restart reads the blocks of its own partition and of the horizon, and no others")
    func readsOnlyItsOwn() throws {
        let files = CountingFileSystem(SimulatedFileSystem())
        let worker = try HandMadeWorker("a", files)
        var tasks: [(restored: RestoredTask, partition: PartitionID, decisions: [DecisionRecord])] = []
        for number in 0..<20 as Range<Int32> {
            let partition = HandMadeWorker.partition(number)
            tasks.append((try worker.store.acquire(partition), partition, []))
        }
        for flush in 0..<10 as Range<UInt64> {
            for index in tasks.indices {
                tasks[index].decisions = (0..<500).map {
                    HandMadeWorker.decision(flush * 100_000 + UInt64(index) * 1000 + $0, at: Int64(flush) * 10_000)
                }
            }
            for entry in try worker.publish(tasks) {
                tasks[Int(entry.partition.partition)].restored.entry = entry
            }
        }
        let next = try HandMadeWorker("b", files)
        let entry = try #require(try next.store.acquire(HandMadeWorker.partition(7)).entry)
        let size = try #require(entry.decisionFiles.first).length
        let before = files.bytesRead
        var found = 0
        try next.store.readDecisions(of: entry, since: 50_000) { _, records in found += records.count }
        #expect(found == 5 * 500)
        // Half of the groups, one of twenty partitions, and headers.
        #expect(files.bytesRead - before < size / 20)
    }

    @Test("partitions that are taken over together read the headers of the decision files once, and their own blocks")
    func readsHeadersOnce() throws {
        let files = CountingFileSystem(SimulatedFileSystem())
        let worker = try HandMadeWorker("a", files)
        var tasks = try (0..<40 as Range<Int32>).map { number in
            let partition = HandMadeWorker.partition(number)
            return (
                restored: try worker.store.acquire(partition), partition: partition,
                decisions: [HandMadeWorker.decision(UInt64(number))]
            )
        }
        for _ in 0..<10 {
            for entry in try worker.publish(tasks) { tasks[Int(entry.partition.partition)].restored.entry = entry }
        }
        let next = try HandMadeWorker("b", files)
        let entries = try tasks.compactMap { try next.store.acquire($0.partition).entry }
        #expect(entries.count == 40)
        let before = files.reads
        for entry in entries {
            var found: [UInt64] = []
            try next.store.readDecisions(of: entry, since: .min) { _, records in found += records.map(\.traceID.low) }
            #expect(found == Array(repeating: UInt64(entry.partition.partition), count: 10))
        }
        // A header for each group and block, and for each partition its blocks and the file's header.
        #expect(files.reads - before <= 10 + 400 + 40 * (10 + 1))
    }

    @Test("a manifest of a newer Tailrace is an error that says so, and is not walked back from")
    func newerManifest() throws {
        let files = SimulatedFileSystem()
        let p = HandMadeWorker.partition(0)
        let first = try HandMadeWorker("a", files)
        let restored = try first.store.acquire(p)
        for low in 1...2 as ClosedRange<Int64> { try first.publish([(restored, p, [])], low: low) }
        let path = "store/manifests/a-0/\(FileDeliveryStore.manifestName(2))"
        var bytes = try #require(files[path]).dropLast(8)
        bytes[4] = 99
        var encoder = ByteEncoder()
        encoder.raw(Array(bytes))
        encoder.fixed(Checksum.of(Array(bytes)))
        files[path] = encoder.bytes
        let error = try #require(throws: StageError.self) { try HandMadeWorker("b", files).store.acquire(p) }
        #expect(error.message.contains("written by a newer Tailrace (manifest version 99"))
        let catalog = StoreCatalog(layout: HandMadeWorker.layout, fileSystem: files)
        _ = try catalog.refresh()
        #expect(catalog.problems.first?.contains("newer Tailrace") == true)
    }

    @Test("topics with the longest names there are have directories of their own")
    func longTopics() throws {
        let topic = String(repeating: "ü", count: 120) + "x"
        let names = (0..<300 as Range<Int32>).map {
            FileDeliveryStore.directoryName(
                PartitionID(cluster: "Q2x1c3RlcklkSXMyMmNoYXI", topic: topic, partition: $0))
        }
        #expect(Set(names).count == 300)
        #expect(names.allSatisfy { $0.utf8.count <= 220 })
        let other = PartitionID(cluster: "Q2x1c3RlcklkSXMyMmNoYXI", topic: topic.dropLast() + "y", partition: 0)
        #expect(FileDeliveryStore.directoryName(other) != names[0])
        let short = PartitionID(cluster: "c", topic: "otlp_spans", partition: 3)
        #expect(FileDeliveryStore.directoryName(short) == "c~otlp_spans~3")
    }
}

@Suite("What a reader sees")
struct CatalogTests {
    @Test("an epoch file that cannot be read hides nothing, and is reported")
    func unreadableEpoch() throws {
        let files = SimulatedFileSystem()
        let (p, q) = (HandMadeWorker.partition(0), HandMadeWorker.partition(1))
        let first = try HandMadeWorker("a", files)
        let (mine, other) = (try first.store.acquire(p), try first.store.acquire(q))
        try first.publish([(mine, p, []), (other, q, [])], segment: "1.seg")
        let second = try HandMadeWorker("b", files)
        try second.publish([(try second.store.acquire(p), p, [])], segment: "2.seg")
        files["store/epochs/c~t~0/000000000002"]?[3] ^= 1
        let catalog = StoreCatalog(layout: HandMadeWorker.layout, fileSystem: files)
        let accepted = try catalog.refresh()
        #expect(accepted.map(\.reference.path) == ["segments/a/1.seg", "segments/b/2.seg"])
        #expect(accepted[0].acceptedPartitions == [p, q])
        #expect(catalog.problems.count == 1)
        // Repaired, it counts at the next refresh.
        files["store/epochs/c~t~0/000000000002"]?[3] ^= 1
        _ = try catalog.refresh()
        #expect(catalog.problems.isEmpty)
    }

    @Test("a refresh without news reads no file and lists no chain")
    func cheapRefresh() throws {
        let files = CountingFileSystem(SimulatedFileSystem())
        let worker = try HandMadeWorker("a", files)
        let p = HandMadeWorker.partition(0)
        let restored = try worker.store.acquire(p)
        for number in 0..<50 { try worker.publish([(restored, p, [])], segment: "\(number).seg") }
        let catalog = StoreCatalog(layout: HandMadeWorker.layout, fileSystem: files)
        #expect(try catalog.refresh().count == 50)
        let (lists, bytes) = (files.lists, files.bytesRead)
        #expect(try catalog.refresh().count == 50)
        #expect(files.lists - lists == 2)
        #expect(files.bytesRead == bytes)
        try worker.publish([(restored, p, [])], segment: "new.seg")
        let next = try HandMadeWorker("b", files)
        try next.publish([(try next.store.acquire(p), p, [])], segment: "next.seg")
        #expect(try catalog.refresh().count == 52)
        // A predecessor's later manifest stays invisible for a catalog that goes on from what it knows, too.
        #expect(
            Set(try catalog.refresh())
                == Set(try StoreCatalog(layout: HandMadeWorker.layout, fileSystem: files).refresh()))
    }
}

@Suite("The collector of what nobody needs")
struct CollectorTests {
    private static func collector(_ incarnation: String, _ files: any FileSystem, grace: Int64 = 0) -> StoreCollector {
        var settings = StoreCollector.Settings()
        settings.grace = grace
        settings.decisionRetention = 100_000
        return StoreCollector(
            layout: HandMadeWorker.layout, incarnation: incarnation, settings: settings, fileSystem: files)
    }

    @Test("old manifests without segments go, the last ones and what a successor continues stay")
    func manifests() throws {
        let files = SimulatedFileSystem()
        let p = HandMadeWorker.partition(0)
        let first = try HandMadeWorker("a", files)
        let restored = try first.store.acquire(p)
        for number in 0..<30 as Range<Int64> {
            try first.publish([(restored, p, [])], segment: number == 5 ? "5.seg" : nil, low: number)
        }
        let outcome = try Self.collector("a", files).collect(now: 1_000_000)
        #expect(outcome.problem == nil && outcome.removedFiles == 30 - GarbagePlan.spareManifests - 1)
        #expect(try StoreCatalog(layout: HandMadeWorker.layout, fileSystem: files).refresh().count == 1)
        #expect(try HandMadeWorker("b", files).store.acquire(p).entry?.low == 29)
        // The successor publishes nothing; the one after it finds the same entry.
        #expect(try Self.collector("b", files).collect(now: 2_000_000).problem == nil)
        #expect(try HandMadeWorker("c", files).store.acquire(p).entry?.low == 29)
    }

    @Test("what crashes left goes after its grace and not before, and nothing of another living owner")
    func orphans() throws {
        let files = SimulatedFileSystem()
        let (p, q) = (HandMadeWorker.partition(0), HandMadeWorker.partition(1))
        let dead = try HandMadeWorker("dead", files)
        try dead.publish([(try dead.store.acquire(p), p, [])], segment: "1.seg")
        let mine = try HandMadeWorker("mine", files)
        try mine.publish([(try mine.store.acquire(p), p, [])])
        let other = try HandMadeWorker("other", files)
        try other.publish([(try other.store.acquire(q), q, [])], segment: "1.seg")
        let garbage = [
            "segments/dead/2.seg", "segments/dead/3.seg.tmp", "manifests/dead-0/000000000009.manifest.tmp",
            "epochs/c~t~0/000000000007.123.456.tmp",
        ]
        let foreign = ["segments/other/9.seg", "segments/mine/9.seg", "segments/other/9.seg.tmp"]
        for path in garbage + foreign { try files.writeDurably([1], to: "store/" + path) }
        let collector = Self.collector("mine", files, grace: 60_000)
        #expect(try collector.collect(now: 0).removedFiles == 0)
        #expect(try collector.collect(now: 59_999).removedFiles == 0)
        // The epoch of the dead owner too: what its rows' acceptance depends on is in its successor's.
        let gone = garbage + ["epochs/c~t~0/000000000001"]
        #expect(try collector.collect(now: 60_000).removedFiles == gone.count)
        for path in gone { #expect(files["store/" + path] == nil, "\(path)") }
        for path in foreign + ["segments/dead/1.seg"] { #expect(files["store/" + path] != nil, "\(path)") }
    }

    @Test("epochs that lead to no visible row go, those on the way stay")
    func epochs() throws {
        let files = SimulatedFileSystem()
        let p = HandMadeWorker.partition(0)
        for number in 1...9 {
            let worker = try HandMadeWorker("w\(number)", files)
            let restored = try worker.store.acquire(p)
            if number == 3 || number == 6 { try worker.publish([(restored, p, [])], segment: "1.seg") }
        }
        let before = try StoreCatalog(layout: HandMadeWorker.layout, fileSystem: files).refresh()
        #expect(before.count == 2)
        // Not its partition: nothing of it goes.
        #expect(try Self.collector("w2", files).collect(now: 0).removedFiles == 0)
        #expect(try Self.collector("w9", files).collect(now: 0).removedFiles == 7)
        #expect(try files.list("store/epochs/c~t~0") == ["000000000006", "000000000009"])
        #expect(try StoreCatalog(layout: HandMadeWorker.layout, fileSystem: files).refresh() == before)
    }

    @Test(
        "decision files go when no entry refers to them and their last decision is older than what people may ask for")
    func decisions() throws {
        let files = SimulatedFileSystem()
        let p = HandMadeWorker.partition(0)
        let worker = try HandMadeWorker("a", files)
        var restored = try worker.store.acquire(p)
        for number in 0..<40 as Range<UInt64> {
            // Ten minutes of stream time each: a file of its own.
            let time = Int64(number) * 700_000
            let entry = try worker.publish([(restored, p, [HandMadeWorker.decision(number, at: time)])])[0]
            restored.entry = entry
            restored.entry?.decisionFiles.removeAll { $0.lastDecidedAt < time - 2_000_000 }
        }
        let names = try files.list("store/decisions/a")
        let collector = Self.collector("a", files)
        let outcome = try collector.collect(now: 39 * 700_000)
        #expect(outcome.removedFiles > 0)
        let left = try files.list("store/decisions/a")
        #expect(left.count < names.count / 2)
        let next = try HandMadeWorker("b", files)
        let entry = try #require(try next.store.acquire(p).entry)
        var found: [UInt64] = []
        try next.store.readDecisions(of: entry, since: 37 * 700_000) { _, records in found += records.map(\.traceID.low)
        }
        #expect(found.sorted() == [37, 38, 39])
    }

    @Test("a writer whose decision file was removed while it owned nothing begins a new one")
    func removedDecisionFile() throws {
        let files = SimulatedFileSystem()
        let p = HandMadeWorker.partition(0)
        let worker = try HandMadeWorker("a", files)
        let restored = try worker.store.acquire(p)
        try worker.publish([(restored, p, [HandMadeWorker.decision(1)])])
        for path in files.paths where path.hasPrefix("store/decisions/") { files[path] = nil }
        let entries = try worker.publish([(restored, p, [HandMadeWorker.decision(2)])])
        var found: [UInt64] = []
        try worker.store.readDecisions(of: entries[0], since: .min) { _, records in found += records.map(\.traceID.low)
        }
        #expect(found == [2])
    }

    @Test("nothing is removed while something cannot be read")
    func damaged() throws {
        let files = SimulatedFileSystem()
        let p = HandMadeWorker.partition(0)
        let worker = try HandMadeWorker("a", files)
        let restored = try worker.store.acquire(p)
        for low in 0..<30 as Range<Int64> { try worker.publish([(restored, p, [])], low: low) }
        files["store/manifests/a-0/\(FileDeliveryStore.manifestName(3))"]?[10] ^= 1
        let outcome = try Self.collector("a", files).collect(now: 0)
        #expect(outcome.removedFiles == 0 && outcome.problem != nil)
    }

    /// The collector runs at any moment between crashes, hand-overs and zombies, without any grace, and may be cut short at
    /// any of its steps: every span still ends in exactly one place.
    @Test(
        "collecting at any moment, cut short at any step, changes nothing that counts",
        arguments: 1...60 as ClosedRange<UInt64>)
    func anyTrouble(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let log = SimulatedLog(partitions: .random(in: 1...3, using: &random), records: 90, random: &random)
        let partitions = log.partitions.keys.sorted()
        let files = SimulatedFileSystem(seed: seed)
        var workers: [SimulatedWorker] = []
        var removed = 0
        for round in 1...Int.random(in: 4...12, using: &random) {
            files.restart()
            if workers.count > 2 || Bool.random(using: &random) { workers.removeAll() }
            guard let worker = try? SimulatedWorker(incarnation: "w\(round)", fileSystem: files) else { continue }
            workers.append(worker)
            let collector = Self.collector("w\(round)", files)
            for partition in partitions where Int.random(in: 0...4, using: &random) > 0 {
                _ = try? worker.assign(partition)
            }
            for _ in 0..<Int.random(in: 2...12, using: &random) {
                guard let worker = workers.randomElement(using: &random) else { break }
                switch Int.random(in: 0...9, using: &random) {
                case 0...4:
                    guard let partition = worker.tasks.keys.sorted().randomElement(using: &random) else { continue }
                    _ = worker.process(partition, log, count: .random(in: 1...25, using: &random))
                case 5...7: _ = try? worker.flush()
                default:
                    if Bool.random(using: &random) {
                        files.arm(afterSteps: .random(in: 0...8, using: &random), crashes: Bool.random(using: &random))
                    }
                    removed += (try? collector.collect(now: 0).removedFiles) ?? 0
                    files.disarm()
                }
                if files.isDown { break }
            }
        }
        try CrashTests.finish(files, log, "seed \(seed), \(removed) removed")
    }
}

/// Counts what another file system is asked for.
final class CountingFileSystem: FileSystem {
    private let files: any FileSystem
    private let counts = Mutex<(lists: Int, reads: Int, bytes: UInt64)>((0, 0, 0))

    init(_ files: any FileSystem) { self.files = files }

    var lists: Int { counts.withLock { $0.lists } }
    var reads: Int { counts.withLock { $0.reads } }
    var bytesRead: UInt64 { counts.withLock { $0.bytes } }

    func writeDurably(_ bytes: [UInt8], to path: String) throws(FileError) {
        try files.writeDurably(bytes, to: path)
    }

    func appendDurably(_ bytes: [UInt8], to path: String, at offset: UInt64, isPrivate: Bool) throws(FileError) {
        try files.appendDurably(bytes, to: path, at: offset, isPrivate: isPrivate)
    }

    func renameDurably(_ from: String, to: String) throws(FileError) { try files.renameDurably(from, to: to) }

    func createExclusively(_ bytes: [UInt8], at path: String) throws(FileError) -> Bool {
        try files.createExclusively(bytes, at: path)
    }

    func read(_ path: String) throws(FileError) -> [UInt8] {
        let bytes = try files.read(path)
        counts.withLock { counts in
            counts.reads += 1
            counts.bytes += UInt64(bytes.count)
        }
        return bytes
    }

    func read(_ path: String, from offset: UInt64, count: Int) throws(FileError) -> [UInt8] {
        let bytes = try files.read(path, from: offset, count: count)
        counts.withLock { counts in
            counts.reads += 1
            counts.bytes += UInt64(bytes.count)
        }
        return bytes
    }

    func size(_ path: String) throws(FileError) -> UInt64 { try files.size(path) }

    func list(_ directory: String) throws(FileError) -> [String] {
        counts.withLock { $0.lists += 1 }
        return try files.list(directory)
    }

    func createDirectory(_ path: String) throws(FileError) { try files.createDirectory(path) }
    func remove(_ path: String) throws(FileError) { try files.remove(path) }
    func syncDirectory(_ path: String) throws(FileError) { try files.syncDirectory(path) }
}

@Suite("What a collector remembers of manifests")
struct InventoryTests {
    @Test("names that hundreds of manifests repeat are remembered once, and listings not at all")
    func remembersOnce() throws {
        let files = SimulatedFileSystem()
        let (p, q) = (HandMadeWorker.partition(0), HandMadeWorker.partition(1))
        let worker = try HandMadeWorker("a", files)
        var tasks = [(try worker.store.acquire(p), p), (try worker.store.acquire(q), q)]
        for number in 1...300 as ClosedRange<Int64> {
            let entries = try worker.publish(
                tasks.map { ($0.0, $0.1, [HandMadeWorker.decision(UInt64(number))]) }, segment: "\(number).seg",
                low: number)
            for index in tasks.indices { tasks[index].0.entry = entries.first { $0.partition == tasks[index].1 } }
        }
        var inventory = StoreInventory()
        try inventory.load(HandMadeWorker.layout, files)
        #expect(inventory.manifests.count == 300)
        #expect(inventory.owners.values.count == 2)
        #expect(inventory.decisionPaths.values.count == 1)
        #expect(inventory.segments.count == 300)
        inventory.forgetListings()
        #expect(inventory.segments.isEmpty && inventory.sequences.isEmpty)
        // The next run lists again and reads no manifest anew.
        try inventory.load(HandMadeWorker.layout, files)
        #expect(inventory.manifests.count == 300 && inventory.segments.count == 300)
        let plan = GarbagePlan(inventory, own: "a", oldestDecision: .max)
        #expect(plan.files.isEmpty && plan.manifests.isEmpty, "each manifest names a segment with rows")
    }
}
