import Pipeline
import Synchronization
import Testing
import TraceModel

@testable import Storage

/// The delivery protocol under crashes at every step, failing disks, workers that do not know that they are dead, and
/// damaged manifests: invariants I1, I2, I3, I4, I5 and I10 of spec/delivery.md.
struct CrashTests {
    /// What a reader sees at the end.
    private struct Outcome {
        /// How often each span is visible.
        var stored: [UInt64: Int] = [:]
        var storedTraces: Set<TraceID> = []
        var droppedTraces: Set<TraceID> = []
        /// `partition/offset`
        var deadLetters: Set<String> = []
    }

    private static func outcome(_ fileSystem: SimulatedFileSystem, _ entries: [TaskEntry]) throws -> Outcome {
        var outcome = Outcome()
        let layout = SimulatedWorker.layout
        let catalog = StoreCatalog(layout: layout, fileSystem: fileSystem)
        for segment in try catalog.refresh() {
            // I4: what a manifest names is there, whole.
            let bytes = try fileSystem.read(layout.path(segment.reference.path))
            #expect(UInt64(bytes.count) == segment.reference.byteCount)
            #expect(Checksum.of(bytes) == segment.reference.checksum)
            let accepted = Set(segment.acceptedPartitions.map(\.partition))
            for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
                let parts = line.split(separator: " ")
                guard let partition = Int32(parts[0]), accepted.contains(partition) else { continue }
                if let id = TraceID(hex: parts[1]) { outcome.storedTraces.insert(id) }
                for number in parts[2].split(separator: ",") { outcome.stored[UInt64(number) ?? 0, default: 0] += 1 }
            }
        }
        let store = try FileDeliveryStore(layout: layout, incarnation: "reader", fileSystem: fileSystem)
        for entry in entries {
            try store.readDecisions(of: entry, since: .min) { _, records in
                for record in records where !record.isKept { outcome.droppedTraces.insert(record.traceID) }
            }
        }
        for path in fileSystem.paths where path.hasPrefix(layout.deadLetters) {
            let text = String(decoding: fileSystem[path] ?? [], as: UTF8.self)
            for line in text.split(separator: "\n", omittingEmptySubsequences: true) where line.hasSuffix("}") {
                if let partition = value("partition", in: line), let offset = value("offset", in: line) {
                    outcome.deadLetters.insert("\(partition)/\(offset)")
                }
            }
        }
        return outcome
    }

    private static func value(_ key: String, in line: Substring) -> Int64? {
        guard let range = line.firstRange(of: "\"\(key)\":") else { return nil }
        return Int64(line[range.upperBound...].drop { $0 == " " || $0 == "\"" }.prefix { $0 == "-" || $0.isNumber })
    }

    private static func expectEverySpanOnce(
        _ log: SimulatedLog, _ outcome: Outcome, _ comment: Comment
    ) {
        for (partition, records) in log.partitions {
            for (offset, record) in records.enumerated() {
                if record.spans.isEmpty {
                    #expect(outcome.deadLetters.contains("\(partition.partition)/\(offset)"), comment)
                }
                for (number, trace) in record.spans {
                    let stored = outcome.stored[number] ?? 0
                    let isDropped = outcome.droppedTraces.contains(SimulatedLog.traceID(trace))
                    if stored + (isDropped ? 1 : 0) != 1 {
                        Issue.record(
                            "\(comment): span \(number) of trace \(trace), \(partition)/\(offset), is stored \(stored) times\(isDropped ? " and dropped" : "")"
                        )
                        return
                    }
                }
            }
        }
        #expect(outcome.storedTraces.isDisjoint(with: outcome.droppedTraces), comment)
        #expect(
            outcome.deadLetters.count == log.partitions.values.reduce(0) { $0 + $1.filter(\.spans.isEmpty).count },
            comment)
    }

    /// Runs the rest without trouble, and looks.
    static func finish(
        _ fileSystem: SimulatedFileSystem, _ log: SimulatedLog, _ comment: Comment
    ) throws {
        fileSystem.restart()
        let worker = try SimulatedWorker(incarnation: "last", fileSystem: fileSystem)
        for partition in log.partitions.keys.sorted() {
            try worker.assign(partition)
            while worker.process(partition, log, count: 50) {}
        }
        for task in worker.tasks.values { task.closeAll() }
        let entries = try worker.flush()
        #expect(entries.count == log.partitions.count, comment)
        for entry in entries { #expect(entry.low == Int64(log.partitions[entry.partition]?.count ?? 0), comment) }
        expectEverySpanOnce(log, try outcome(fileSystem, entries), comment)
    }

    @Test func everySpanEndsInOnePlaceWithoutAnyTrouble() throws {
        var random = SeededRandom(seed: 5)
        let log = SimulatedLog(partitions: 2, records: 80, random: &random)
        try Self.finish(SimulatedFileSystem(), log, "no trouble")
    }

    /// A flush has about ten steps on the disk: the process ends, or one step fails and is tried again, at each of them.
    @Test(arguments: [true, false])
    func everyStepOfAFlushMayFail(crashes: Bool) throws {
        var random = SeededRandom(seed: 9)
        let log = SimulatedLog(partitions: 2, records: 60, random: &random)
        for (round, stop) in (0..<60).enumerated() {
            let fileSystem = SimulatedFileSystem(seed: UInt64(round))
            let worker = try SimulatedWorker(incarnation: "first", fileSystem: fileSystem)
            for partition in log.partitions.keys.sorted() { try worker.assign(partition) }
            fileSystem.arm(afterSteps: stop, crashes: crashes)
            var failures = 0
            for _ in 0..<12 where !fileSystem.isDown {
                for partition in log.partitions.keys.sorted() { _ = worker.process(partition, log, count: 5) }
                do {
                    _ = try worker.flush()
                } catch {
                    failures += 1
                    if !fileSystem.isDown { _ = try worker.flush() }
                }
            }
            try Self.finish(fileSystem, log, "step \(stop), \(crashes ? "crash" : "failure")")
            if stop < 30 { #expect(failures == 1, "step \(stop) was not reached") }
        }
    }

    /// Whatever happens in whatever order.
    @Test(arguments: 1...60 as ClosedRange<UInt64>)
    func everySpanEndsInOnePlaceAfterAnyTrouble(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let log = SimulatedLog(partitions: .random(in: 1...3, using: &random), records: 90, random: &random)
        let partitions = log.partitions.keys.sorted()
        let fileSystem = SimulatedFileSystem(seed: seed)
        var workers: [SimulatedWorker] = []
        var lows: [PartitionID: Int64] = [:]
        var incarnations = 0
        for _ in 0..<Int.random(in: 3...12, using: &random) {
            fileSystem.restart()
            incarnations += 1
            // Old workers may live on as zombies: they do not know that their partitions went.
            if workers.count > 2 || Bool.random(using: &random) { workers.removeAll() }
            let mayDamage = workers.isEmpty && incarnations > 1 && Int.random(in: 0...3, using: &random) == 0
            if mayDamage, damageNewestManifest(fileSystem, "w\(incarnations - 1)-0") { lows = [:] }
            guard let worker = try? SimulatedWorker(incarnation: "w\(incarnations)", fileSystem: fileSystem) else {
                continue
            }
            workers.append(worker)
            if Bool.random(using: &random) {
                fileSystem.arm(afterSteps: .random(in: 0...60, using: &random), crashes: Bool.random(using: &random))
            }
            for partition in partitions where Int.random(in: 0...4, using: &random) > 0 {
                guard let entry = try? worker.assign(partition) else { continue }
                #expect(entry.low >= lows[partition] ?? 0, "seed \(seed): low of \(partition) moved back (I3)")
                lows[partition] = entry.low
            }
            for _ in 0..<Int.random(in: 0...12, using: &random) {
                guard let worker = workers.randomElement(using: &random) else { break }
                switch Int.random(in: 0...9, using: &random) {
                case 0...5:
                    guard let partition = worker.tasks.keys.sorted().randomElement(using: &random) else { continue }
                    _ = worker.process(partition, log, count: .random(in: 1...25, using: &random))
                case 6...8:
                    for entry in (try? worker.flush()) ?? [] where entry.low > lows[entry.partition] ?? 0 {
                        if worker === workers.last { lows[entry.partition] = entry.low }
                    }
                default:
                    worker.tasks.values.randomElement(using: &random)?.shrink(toBytes: 0)
                }
                if fileSystem.isDown { break }
            }
        }
        try Self.finish(fileSystem, log, "seed \(seed)")
    }

    /// I10: whenever in a flush its partition is taken over, what the old owner publishes then is not seen.
    @Test(arguments: 0...12, [true, false])
    func aTakeOverInTheMidstOfAFlushFencesIt(step: Int, newOwnerPublishes: Bool) throws {
        var random = SeededRandom(seed: 21)
        let log = SimulatedLog(partitions: 2, records: 60, random: &random)
        let partitions = log.partitions.keys.sorted()
        let fileSystem = SimulatedFileSystem()
        let old = try SimulatedWorker(incarnation: "old", fileSystem: fileSystem)
        for partition in partitions { try old.assign(partition) }
        for partition in partitions { _ = old.process(partition, log, count: 25) }
        _ = try old.flush()
        for partition in partitions { _ = old.process(partition, log, count: 20) }
        let problem = Mutex<String?>(nil)
        fileSystem.interrupt(afterSteps: step) {
            do {
                let worker = try SimulatedWorker(incarnation: "new", fileSystem: fileSystem)
                try worker.assign(partitions[0])
                _ = worker.process(partitions[0], log, count: 50)
                if newOwnerPublishes { _ = try worker.flush() }
            } catch {
                let text = String(describing: error)
                problem.withLock { $0 = text }
            }
        }
        _ = try old.flush()
        // The old owner goes on, unaware.
        for partition in partitions { _ = old.process(partition, log, count: 50) }
        _ = try old.flush()
        #expect(problem.withLock { $0 } == nil)
        try Self.finish(fileSystem, log, "taken over at step \(step)")
    }

    /// A rename that was done but reported as failed may have been seen by a new owner: the repeated flush must not take
    /// away what that owner builds on.
    @Test(arguments: 0...12, [true, false])
    func aFlushIsRepeatedAfterItsPartitionWasTakenOver(step: Int, newOwnerPublishes: Bool) throws {
        var random = SeededRandom(seed: 22)
        let log = SimulatedLog(partitions: 2, records: 60, random: &random)
        let partitions = log.partitions.keys.sorted()
        for seed in 1...4 as ClosedRange<UInt64> {
            let fileSystem = SimulatedFileSystem(seed: seed)
            let old = try SimulatedWorker(incarnation: "old", fileSystem: fileSystem)
            for partition in partitions { try old.assign(partition) }
            for partition in partitions { _ = old.process(partition, log, count: 30) }
            fileSystem.arm(afterSteps: step, crashes: false)
            _ = try? old.flush()
            fileSystem.disarm()
            let new = try SimulatedWorker(incarnation: "new", fileSystem: fileSystem)
            try new.assign(partitions[0])
            _ = new.process(partitions[0], log, count: 45)
            if newOwnerPublishes { _ = try new.flush() }
            _ = try old.flush()
            for partition in partitions { _ = old.process(partition, log, count: 10) }
            _ = try old.flush()
            try Self.finish(fileSystem, log, "repeated after failure at step \(step), seed \(seed)")
        }
    }

    @Test func aDamagedNewestManifestIsWalkedBackFrom() throws {
        var random = SeededRandom(seed: 23)
        let log = SimulatedLog(partitions: 2, records: 60, random: &random)
        let partitions = log.partitions.keys.sorted()
        let fileSystem = SimulatedFileSystem()
        let worker = try SimulatedWorker(incarnation: "first", fileSystem: fileSystem)
        for partition in partitions { try worker.assign(partition) }
        var lows: [[PartitionID: Int64]] = []
        for _ in 0..<3 {
            for partition in partitions { _ = worker.process(partition, log, count: 15) }
            lows.append(Dictionary(uniqueKeysWithValues: try worker.flush().map { ($0.partition, $0.low) }))
        }
        #expect(damageNewestManifest(fileSystem, "first-0"))
        let next = try SimulatedWorker(incarnation: "second", fileSystem: fileSystem)
        for partition in partitions { #expect(try next.assign(partition)?.low == lows[1][partition]) }
        let catalog = StoreCatalog(layout: SimulatedWorker.layout, fileSystem: fileSystem)
        _ = try catalog.refresh()
        #expect(catalog.problems.count == 1)
        try Self.finish(fileSystem, log, "damaged")
    }

    @Test func aManifestThatAnOwnerContinuesMustNotBeMissing() throws {
        var random = SeededRandom(seed: 24)
        let log = SimulatedLog(partitions: 1, records: 40, random: &random)
        let partition = PartitionID(cluster: "c", topic: "t", partition: 0)
        let fileSystem = SimulatedFileSystem()
        let first = try SimulatedWorker(incarnation: "first", fileSystem: fileSystem)
        try first.assign(partition)
        _ = first.process(partition, log, count: 40)
        _ = try first.flush()
        try SimulatedWorker(incarnation: "second", fileSystem: fileSystem).assign(partition)
        #expect(damageNewestManifest(fileSystem, "first-0"))
        // Starting anew instead would store everything twice.
        #expect(throws: StageError.self) {
            try SimulatedWorker(incarnation: "third", fileSystem: fileSystem).assign(partition)
        }
    }

    private func damageNewestManifest(_ fileSystem: SimulatedFileSystem, _ chain: String) -> Bool {
        let directory = SimulatedWorker.layout.manifests + "/" + chain + "/"
        guard let path = fileSystem.paths.last(where: { $0.hasPrefix(directory) && $0.hasSuffix(".manifest") }) else {
            return false
        }
        fileSystem[path]?[10] ^= 0x40
        return true
    }
}
