import Glibc
import Pipeline
import Storage
import TraceModel

/// Restart with a full decision memory: how long it takes to read a partition's decisions back.
///
/// The decisions of four partitions are in the same files, as one worker writes them; one partition is restored.
enum RestoreBenchmarks {
    private static let start: Int64 = 1_750_000_000_000

    /// - Parameter decisions: of the partition that is restored, over ten minutes of stream time.
    static func run(directory: String, decisions: Int) throws {
        let layout = StoreLayout(root: directory)
        let writer = try FileDeliveryStore(layout: layout, incarnation: "writer")
        var tasks = try (0..<4).map { number in
            let partition = PartitionID(cluster: "bench", topic: "spans", partition: Int32(number))
            return CommitGroup.Task(
                entry: TaskEntry(
                    partition: partition, epoch: try writer.acquire(partition).epoch, low: 0, high: 0, lanes: [],
                    streamTime: start, streamTimeAtLow: start, decisionFiles: []), decisions: [])
        }
        let groups = 300
        var number: UInt64 = 0
        for group in 0..<groups {
            let time = start + Int64(group) * 2000
            for index in tasks.indices {
                // The others decide a tenth each.
                let count = index == 0 ? decisions / groups : decisions / groups / 10
                let records = (0..<count).map { position -> DecisionRecord in
                    number += 1
                    return record(number, at: time + Int64(position * 2000 / count))
                }
                tasks[index].decisions = [LaneDecisions(sampler: "sample", records: records)]
                tasks[index].entry.streamTime = time
            }
            for (index, entry) in try writer.publish(CommitGroup(tasks: tasks, flushes: []), writer: 0).enumerated() {
                tasks[index].entry = entry
            }
        }
        let bytes = tasks[0].entry.decisionFiles.reduce(0) { $0 + $1.length }

        let store = try FileDeliveryStore(layout: layout, incarnation: "reader")
        let task = try BenchmarkTask.makeTask(window: "{ max_bytes: 64GiB }", horizon: "10m")
        let resident = Measuring.residentBytes()
        let begin = (Measuring.seconds(), Measuring.cpuSeconds())
        let restored = try store.acquire(tasks[0].entry.partition)
        guard let entry = restored.entry else { throw StageError("nothing to restore") }
        var count = 0
        try store.readDecisions(of: entry, since: start) { sampler, records in
            task.restoreDecisions(sampler: sampler, records)
            count += records.count
        }
        let (seconds, cpu) = (Measuring.seconds() - begin.0, Measuring.cpuSeconds() - begin.1)
        print(
            "restored \(count) decisions from \(bytes / 1_000_000) MB of files of four partitions in "
                + "\(Measuring.format(seconds, 2)) s (\(Measuring.format(cpu, 2)) s of CPU), "
                + "\(Measuring.format(Double(count) / seconds / 1e6, 2)) M/s; memory \(task.gauges.decisionBytes / 1_000_000) MB, "
                + "resident grew by \((Measuring.residentBytes() - resident) / 1_000_000) MB")
        try RestoreBesideBenchmark.run(layout, tasks[0].entry.partition, start: start)
    }

    static func record(_ number: UInt64, at time: Int64) -> DecisionRecord {
        var mixed = number &* 0x9e37_79b9_7f4a_7c15
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed ^= mixed >> 27
        return DecisionRecord(
            traceID: TraceID(high: mixed, low: mixed &* 0x94d0_49bb_1331_11eb), isKept: number % 20 == 0,
            trigger: .root,
            policyIndex: UInt16(number % 3), policyVersion: 7, probability: Double(number % 100) / 100, decidedAt: time,
            spanCount: UInt32(number % 30), byteCount: number % 9000, duration: number % 1_000_000 * 1000,
            firstOffset: Int64(number), lastOffset: Int64(number) + 5)
    }
}
