import Pipeline
import Storage
import TraceModel

/// A worker is assigned many partitions at once: what it costs to take them over, and to read their decisions back.
///
/// Two writers have written the decisions, as two worker threads do: each flush has a block of every partition of its writer.
enum TakeOverBenchmark {
    private static let start: Int64 = 1_750_000_000_000
    private static let flushInterval: Int64 = 2000

    /// - Parameter decisions: of a partition in a flush.
    static func run(directory: String, partitions: Int, flushes: Int, decisions: Int) throws {
        let layout = StoreLayout(root: directory)
        let count = try write(layout, partitions: partitions, flushes: flushes, decisions: decisions)
        let store = try FileDeliveryStore(layout: layout, incarnation: "reader")
        var begin = (Measuring.seconds(), Measuring.cpuSeconds())
        func report(_ step: String) {
            let now = (Measuring.seconds(), Measuring.cpuSeconds())
            print(
                "\(step): \(Measuring.format(now.0 - begin.0, 3)) s, \(Measuring.format(now.1 - begin.1, 3)) s of CPU; "
                    + "resident \(Measuring.residentBytes() / 1_000_000) MB")
            begin = now
        }
        let restored = try (0..<partitions).map { try store.acquire(partition($0)) }
        report("took over \(partitions) partitions")
        var found = 0
        for task in restored {
            guard let entry = task.entry else { throw StageError("nothing to restore") }
            try store.readDecisions(of: entry, since: start) { _, records in found += records.count }
        }
        report("read \(found) decisions of \(flushes) flushes back")
        guard found == count else { throw StageError("\(count) decisions were written, \(found) were read") }
    }

    private static func partition(_ number: Int) -> PartitionID {
        PartitionID(cluster: "bench", topic: "spans", partition: Int32(number))
    }

    /// Returns how many decisions it wrote.
    private static func write(_ layout: StoreLayout, partitions: Int, flushes: Int, decisions: Int) throws -> Int {
        let store = try FileDeliveryStore(layout: layout, incarnation: "writer")
        var tasks: [[CommitGroup.Task]] = [[], []]
        for number in 0..<partitions {
            let partition = partition(number)
            tasks[number % 2].append(
                CommitGroup.Task(
                    entry: TaskEntry(
                        partition: partition, epoch: try store.acquire(partition).epoch, low: 0, high: 0, lanes: [],
                        streamTime: start, streamTimeAtLow: start, decisionFiles: []), decisions: []))
        }
        var number: UInt64 = 0
        for flush in 0..<flushes {
            let time = start + Int64(flush) * flushInterval
            for writer in tasks.indices {
                for index in tasks[writer].indices {
                    let records = (0..<decisions).map { position -> DecisionRecord in
                        number += 1
                        return RestoreBenchmarks.record(
                            number, at: time + Int64(position) * flushInterval / Int64(decisions))
                    }
                    tasks[writer][index].decisions = [LaneDecisions(sampler: "sample", records: records)]
                    tasks[writer][index].entry.streamTime = time
                }
                let group = CommitGroup(tasks: tasks[writer], flushes: [])
                for (index, entry) in try store.publish(group, writer: writer).enumerated() {
                    tasks[writer][index].entry = entry
                }
            }
        }
        return Int(number)
    }
}
