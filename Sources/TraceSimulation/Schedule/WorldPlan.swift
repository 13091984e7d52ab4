/// Everything that is decided about a world before it runs. A function of the seed; faults can be taken out of it.
package struct WorldPlan: Sendable {
    /// How records get their time.
    package enum Timestamps: Sendable {
        /// The broker's, at the append: in order.
        case append
        /// The producer's: out of order by up to 700 ms.
        case create
        /// The producer's, and some of their clocks are wrong.
        case wrongClocks
    }

    /// Milliseconds.
    package struct Window: Sendable {
        package var max: Int64
        package var settle: Int64
        package var idle: Int64
        package var tick: Int64
        package var horizon: Int64
    }

    /// When spans go to disk.
    package enum Spill: String, Sendable {
        case never
        /// At the memory budget.
        case auto
        /// As they come.
        case always
    }

    package let seed: UInt64
    package var partitions: Int
    package var workers: Int
    package var threads: Int
    package var isCooperative: Bool
    package var window: Window
    package var timestamps: Timestamps
    package var traces: Int
    package var largestTrace: Int
    package var badRecords: Int
    package var gapPercent: Int
    /// Microseconds of virtual time.
    package var trafficEnd: Int64
    package var sessionTimeout: Int64
    package var tickInterval: Int64
    /// Milliseconds.
    package var flushInterval: Int64
    package var idleClock: Int64
    package var revokeDeadline: Int
    package var memoryBudget: Int
    package var batchSize: Int
    /// Typical time of a call on the disk, microseconds.
    package var diskLatency: Int64
    package var faults: [Fault]
    package var spill = Spill.never
    /// The topic is not keyed: its spans go through an internal one.
    package var isRepartitioned = false
    /// Partitions of the topic that producers write to.
    package var outerPartitions = 1
    /// Workers collect garbage.
    package var collects = false
    /// A budget decides, which keeps traces with an error in outline.
    package var hasBudget = false
    /// How many commits the coordinator does not take.
    package var commitFailurePercent = 0
    /// Steps that fail with EIO, by their names, and at which of their occurrences.
    package var failingSteps: [String: Set<Int>] = [:]
    /// Deaths at chosen steps, one after the other.
    package var crashes: [CrashPoint] = []

    /// How often workers take over another policy file while they run.
    static let reloadWeight = 4
    /// Longer than any silence between two records of a world, milliseconds.
    static let noIdleClock: Int64 = 40_000
    /// Milliseconds since the Unix epoch when the world begins.
    static let wallStart: Int64 = 1_750_000_000_000

    func wall(at time: Int64) -> Int64 { Self.wallStart + time / 1000 }

    /// Nothing but the log decides: every run of it must give the same decisions (I13).
    package var isReproducible: Bool {
        // Producers' times are out of order: where the idle clock runs between two records it may pass the second one's.
        (timestamps == .append || timestamps == .create && idleClock >= Self.noIdleClock) && memoryBudget > 1 << 24
            && !faults.contains { ([.policyChange, .reload, .retention] + Fault.Kind.ofTheLog).contains($0.kind) }
            && !faults.contains { [.lostStore, .damagedFile].contains($0.kind) } && !isRepartitioned
            && window.horizon > 600_000
    }

    package init(seed: UInt64) {
        self.seed = seed
        var random = SimulationRandom(seed: seed).stream(2)
        partitions = random.pick(1...4)
        workers = random.pick([1, 2, 2, 3])
        threads = random.chance(25) ? 2 : 1
        isCooperative = random.chance(60)
        let longest = random.pick(1...4) * 1000
        window = Window(
            max: Int64(longest), settle: Int64(longest) / Int64(random.pick(2...4)),
            idle: Int64(longest) * 2 / 3, tick: random.pick([100, 250, 500]),
            horizon: random.chance(20) ? 8000 : 3_600_000)
        timestamps = random.pick([.append, .append, .append, .create, .wrongClocks])
        traces = random.pick(8...30)
        largestTrace = random.pick(2...7)
        badRecords = random.pick(0...3)
        gapPercent = random.chance(30) ? 10 : 0
        trafficEnd = random.pick(4...10) * 1_000_000
        sessionTimeout = random.pick(1500...3000) * 1000
        tickInterval = random.pick([200, 250, 300, 400]) * 1000
        flushInterval = random.pick([200, 400, 800])
        idleClock = random.pick(500...1500)
        if timestamps == .create, random.chance(60) { idleClock = Self.noIdleClock }
        revokeDeadline = random.pick([50, 300, 800])
        memoryBudget = random.chance(12) ? 1 << 20 : 1 << 28
        batchSize = random.pick([2, 5, 20])
        diskLatency = random.pick([20, 200, 2000, 10_000])
        faults = []
        var faultRandom = SimulationRandom(seed: seed).stream(3)
        let count = faultRandom.pick([0, 1, 2, 3, 4, 6, 8])
        for _ in 0..<count { faults.append(fault(&faultRandom)) }
        extend()
        var budgetRandom = SimulationRandom(seed: seed).stream(8)
        hasBudget = !isRepartitioned && budgetRandom.chance(12)
        faults.sort { $0.time < $1.time }
    }

    /// What was added later draws from a stream of its own: a seed goes on to mean what it meant.
    private mutating func extend() {
        var random = SimulationRandom(seed: seed).stream(6)
        collects = random.chance(25)
        commitFailurePercent = random.chance(15) ? random.pick([20, 60, 100]) : 0
        let kind = random.pick(0...99)
        if kind < 10 {
            spill = .always
        } else if kind < 16 {
            spill = .auto
            memoryBudget = Self.spillingBudget * threads
        } else if kind < 26 {
            repartition(&random)
        } else if kind < 46 {
            for _ in 0..<random.pick(1...2) { faults.append(extraFault(&random)) }
        }
        if spill != .never, random.chance(50) {
            faults.append(
                Fault(
                    kind: .flakyDisk, time: random.pick(1_000_000...trafficEnd), worker: random.pick(0...3), steps: 0,
                    target: random.pick([.spill, .readSpilled]),
                    duration: random.pick(200_000...2_000_000 as ClosedRange<Int64>)))
        }
    }

    /// So little that windows of spans with padding do not fit.
    static let spillingBudget = 160 << 10

    /// Makes the topic one that is not keyed.
    package mutating func repartition(_ random: inout SimulationRandom) {
        isRepartitioned = true
        hasBudget = false
        outerPartitions = random.pick(1...3)
        partitions = random.pick(1...2)
        // The log of the internal topic is not the producers'.
        timestamps = .append
        idleClock = random.pick(500...1500)
        memoryBudget = max(memoryBudget, 1 << 28)
        faults.removeAll { $0.kind == .retention }
    }

    private func extraFault(_ random: inout SimulationRandom) -> Fault {
        let kind = random.pick(Fault.Kind.ofTheLog + [.lostStore, .damagedFile, .unreachableStore])
        return Fault(
            kind: kind, time: random.pick(1_000_000...trafficEnd + window.max * 1000), worker: random.pick(0...3),
            steps: random.pick(1...12), target: nil, duration: random.pick(200_000...3_000_000 as ClosedRange<Int64>))
    }

    private func fault(_ random: inout SimulationRandom) -> Fault {
        // The more a kind can break, the more often.
        let kinds: [(Fault.Kind, Int)] = [
            (.kill, 22), (.powerFailure, 14), (.stop, 14), (.terminate, 8), (.partitioned, 7), (.diskFull, 6),
            (.diskError, 8), (.flakyDisk, 8), (.slowDisk, 10), (.rebalance, 6), (.retention, 1), (.policyChange, 3),
            (.reload, Self.reloadWeight),
            (.addWorker, 4),
        ]
        var draw = random.pick(0...kinds.reduce(0) { $0 + $1.1 } - 1)
        var kind = Fault.Kind.kill
        for (candidate, weight) in kinds {
            if draw < weight {
                kind = candidate
                break
            }
            draw -= weight
        }
        let duration: Int64 =
            switch kind {
            case .stop, .partitioned: random.pick(100_000...2 * sessionTimeout)
            case .addWorker: random.pick(2_000_000...8_000_000 as ClosedRange<Int64>)
            default: random.pick(50_000...3_000_000 as ClosedRange<Int64>)
            }
        let targets: [Step] = [.sync, .syncDirectory, .rename, .rename, .link, .write, .list, .create]
        let canWait = [.kill, .powerFailure, .stop, .diskError, .flakyDisk].contains(kind)
        return Fault(
            kind: kind, time: random.pick(200_000...trafficEnd + window.max * 1000), worker: random.pick(0...3),
            steps: kind == .retention
                ? random.pick(1...40) : random.chance(50) ? random.pick(0...12) : random.pick(0...60),
            target: canWait && random.chance(50) ? random.pick(targets) : nil,
            duration: duration)
    }
}
