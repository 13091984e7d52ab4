import Pipeline
import TraceModel

@testable import Sampling

/// Workers that share one budget, with a topic between them that takes its time: seeded, without clock or thread.
///
/// Each partition is offered traces in every second, decided by a `BudgetSampler` whose state goes with the partition. A partition
/// without a worker, or with one that stands still, waits; its seconds are decided one after the other when it goes on, ten
/// times as fast.
struct SimulatedFleet {
    struct Worker {
        var name: String
        var budget: FleetBudget
        var meter = DemandMeter<Int>()
        var partitions: Set<Int> = []
        var isRunning = true
        /// Can neither send nor receive.
        var isCutOff = false
        /// Next message of the topic that it reads.
        var position = 0
        var shares: [Int: Double] = [:]
        var share = FleetBudget.Share(value: 0, basis: .partitions)
    }

    private struct Partition {
        var sampler: BudgetSampler
        var random: SeededRandom
        /// Traces per second.
        var traces: Int
        /// The next second to be decided.
        var next: Int64 = 0
        /// Debt that its present owner was told of.
        var owed = 0.0
    }

    private struct Message {
        var entry: FleetEntry?
        var worker: String
        /// Per reader a little later.
        var at: Int64
    }

    static let start: Int64 = 1_700_000_040_000
    private static let step: Int64 = 100

    let rate: Double
    private let settings: BudgetSettings
    private(set) var workers: [Worker] = []
    private var partitions: [Partition] = []
    private var topic: [Message] = []
    private var random: SeededRandom
    /// Milliseconds since the beginning.
    private(set) var now: Int64 = 0
    /// Kept cost by second, as it was decided and as the traces' own time was.
    private(set) var keptByWall: [Double] = []
    private(set) var keptByStream: [Double] = []
    private(set) var offeredByStream: [Double] = []

    /// - Parameter traces: offered per second, by partition.
    init(seed: UInt64, rate: Double, traces: [Int], workers count: Int) {
        self.rate = rate
        random = SeededRandom(seed: seed)
        settings = BudgetSettings(rate: rate)
        for traces in traces {
            partitions.append(
                Partition(
                    sampler: BudgetSampler(settings: settings), random: SeededRandom(seed: random.next()),
                    traces: traces))
        }
        for _ in 0..<count { add() }
        for partition in traces.indices { workers[partition % count].partitions.insert(partition) }
    }

    // MARK: - What happens to it

    mutating func add() {
        let name = "worker-\(workers.count)"
        var worker = Worker(name: name, budget: FleetBudget(worker: name))
        worker.position = topic.count
        for message in topic.suffix(100) {
            if let entry = message.entry { worker.budget.receive(entry, at: now, isBacklog: true) }
        }
        workers.append(worker)
    }

    /// Dies without a word.
    mutating func kill(_ worker: Int) {
        workers[worker].isRunning = false
        workers[worker].partitions = []
    }

    mutating func stall(_ worker: Int) { workers[worker].isRunning = false }

    mutating func go(on worker: Int) { workers[worker].isRunning = true }

    mutating func cutOff(_ worker: Int, _ isCutOff: Bool) { workers[worker].isCutOff = isCutOff }

    mutating func offer(_ traces: Int, to partition: Int) { partitions[partition].traces = traces }

    /// As a rebalance does: what has no running worker, or more than its part, goes to others.
    mutating func rebalance() {
        let running = workers.indices.filter { workers[$0].isRunning }
        for index in workers.indices { workers[index].partitions = [] }
        for partition in partitions.indices {
            workers[running[partition % running.count]].partitions.insert(partition)
            partitions[partition].owed = 0
        }
    }

    // MARK: - Time

    mutating func run(seconds: Int) {
        let end = now + Int64(seconds) * 1000
        while now < end {
            now += Self.step
            for index in workers.indices where workers[index].isRunning { coordinate(index) }
            // A partition's tick ends a little after the others'.
            for partition in partitions.indices { decide(partition) }
        }
    }

    private mutating func coordinate(_ index: Int) {
        if !workers[index].isCutOff {
            while workers[index].position < topic.count, topic[workers[index].position].at <= now - delay() {
                let message = topic[workers[index].position]
                if let entry = message.entry {
                    workers[index].budget.receive(entry, at: now)
                } else {
                    workers[index].budget.receiveDeparture(of: message.worker)
                }
                workers[index].position += 1
            }
        }
        let own = workers[index].partitions.sorted()
        let demands = own.map { partition in
            let sampler = partitions[partition].sampler
            return workers[index].meter.demand(
                of: partition, average: sampler.demand, offered: sampler.counters.offeredCost, at: now)
        }
        let names = own.map { "spans/\($0)" }
        let entry = workers[index].budget.report(
            [
                FleetEntry.Demand(
                    budget: "sample/rest",
                    partitions: zip(names, demands).map { FleetEntry.Partition(name: $0, demand: $1) })
            ], at: now)
        if let entry, !workers[index].isCutOff { topic.append(Message(entry: entry, worker: entry.worker, at: now)) }
        let share = workers[index].budget.share(
            of: "sample/rest", partitions: names, partitionCount: partitions.count, at: now)
        workers[index].share = share
        for (name, milliseconds) in workers[index].budget.takeDebts(of: "sample/rest") {
            guard let place = names.firstIndex(of: name) else { continue }
            partitions[own[place]].sampler.charge(seconds: Double(milliseconds) / 1000)
        }
        for (partition, part) in zip(own, DemandShare.shares(demands, floor: 0.05)) {
            partitions[partition].sampler.rate = rate * max(1e-9, share.value * part)
        }
    }

    /// Milliseconds between a message and its reader.
    private mutating func delay() -> Int64 { .random(in: 5...150, using: &random) }

    private mutating func decide(_ index: Int) {
        guard workers.contains(where: { $0.isRunning && $0.partitions.contains(index) }) else { return }
        let phase = Int64(index * 37 % 10) * 100
        let second = partitions[index].next
        guard now >= (second + 1) * 1000 + phase else { return }
        partitions[index].next += 1
        var traces: [BudgetTrace] = []
        var offered = 0.0
        for _ in 0..<partitions[index].traces {
            let key = UInt64.random(in: 0..<6, using: &partitions[index].random)
            let trace = BudgetTrace(
                traceID: TraceID(high: partitions[index].random.next(), low: partitions[index].random.next()),
                spanCount: UInt32(1 + Int.random(in: 0..<6, using: &partitions[index].random)), key: key &* 0x9e37_79b9,
                hasError: Int.random(in: 0..<100, using: &partitions[index].random) == 0,
                duration: .random(in: 1_000_000...90_000_000, using: &partitions[index].random))
            offered += Double(trace.spanCount)
            traces.append(trace)
        }
        var kept = 0.0
        let time = Self.start + (second + 1) * 1000
        for (trace, decision) in zip(traces, partitions[index].sampler.decide(traces, at: time)) where decision.isKept {
            kept += Double(trace.spanCount)
        }
        Self.add(kept, at: Int((now - 1) / 1000), to: &keptByWall)
        Self.add(kept, at: Int(second), to: &keptByStream)
        Self.add(offered, at: Int(second), to: &offeredByStream)
    }

    private static func add(_ value: Double, at index: Int, to list: inout [Double]) {
        while list.count <= index { list.append(0) }
        list[index] += value
    }

    // MARK: - Figures

    /// Mean of some seconds, as a part of the budget.
    static func mean(_ list: [Double], _ range: Range<Int>, of rate: Double) -> Double {
        list[range].reduce(0, +) / Double(range.count) / rate
    }

    func wall(_ range: Range<Int>) -> Double { Self.mean(keptByWall, range, of: rate) }
    func stream(_ range: Range<Int>) -> Double { Self.mean(keptByStream, range, of: rate) }

    /// The largest mean of so many consecutive seconds of the traces' own time.
    func highestStream(_ range: Range<Int>, over seconds: Int) -> Double {
        (range.lowerBound...(range.upperBound - seconds)).map { stream($0..<$0 + seconds) }.max() ?? 0
    }
}
