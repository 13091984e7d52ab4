/// A small world in which a part of the protocol happens for certain: what `CrashSurvey` crashes step by step.
package enum Scenario: String, Sendable, CaseIterable {
    /// Starts, reads, flushes, takes over another configuration, drains.
    case worker
    /// Several workers hand partitions to each other, one loses some.
    case handOver
    /// The disk is full, and syncs fail: flushes are repeated.
    case badDisk
    /// Spans wait on disk.
    case windowOnDisk
    /// The topic is not keyed.
    case repartition
    /// The log is cut and made anew, the group's offset is lost.
    case log
    /// Runs so long that manifests become garbage, also those of a worker that is gone.
    case collection

    package var plan: WorldPlan {
        var plan = WorldPlan(seed: 11)
        plan.partitions = 2
        plan.workers = 1
        plan.threads = 1
        plan.isCooperative = true
        plan.window = WorldPlan.Window(max: 1500, settle: 500, idle: 1000, tick: 250, horizon: 3_600_000)
        plan.timestamps = .append
        plan.traces = 8
        plan.largestTrace = 4
        plan.badRecords = 2
        plan.gapPercent = 0
        plan.trafficEnd = 3_000_000
        plan.sessionTimeout = 1_500_000
        plan.tickInterval = 250_000
        plan.flushInterval = 400
        plan.idleClock = 600
        plan.revokeDeadline = 300
        plan.memoryBudget = 1 << 28
        plan.batchSize = 5
        plan.diskLatency = 200
        plan.spill = .never
        plan.isRepartitioned = false
        plan.collects = true
        plan.commitFailurePercent = 0
        plan.faults = faults
        switch self {
        case .handOver: plan.workers = 2
        case .badDisk:
            plan.failingSteps = [
                "acquire syncDirectory epochs/*": [1], "flush syncDirectory segments/*": [1],
                "flush sync decisions/*/*.log": [1], "flush rename manifests/*/*.manifest": [1],
                "flush syncDirectory manifests/*": [2, 4], "flush sync manifests/*/*.manifest.tmp": [5],
            ]
        case .collection:
            plan.traces = 30
            plan.largestTrace = 2
            plan.trafficEnd = 9_000_000
            plan.flushInterval = 200
            plan.partitions = 1
        case .windowOnDisk:
            plan.spill = .always
            plan.traces = 40
            plan.partitions = 1
        case .repartition:
            var random = SimulationRandom(seed: 3)
            plan.repartition(&random)
            plan.outerPartitions = 2
        default: break
        }
        return plan
    }

    private var faults: [Fault] {
        func fault(_ kind: Fault.Kind, _ time: Int64, steps: Int = 0, lasting duration: Int64 = 500_000) -> Fault {
            Fault(kind: kind, time: time, worker: 0, steps: steps, target: nil, duration: duration)
        }
        switch self {
        case .worker: return [fault(.reload, 1_500_000), fault(.terminate, 2_600_000)]
        case .handOver:
            return [
                fault(.rebalance, 1_000_000), fault(.addWorker, 1_500_000, lasting: 1_500_000),
                fault(.partitioned, 2_500_000, lasting: 2_500_000),
            ]
        case .badDisk:
            return [fault(.diskFull, 2_500_000, lasting: 600_000)]
        case .collection: return [fault(.terminate, 7_500_000)]
        case .windowOnDisk, .repartition: return [fault(.terminate, 2_000_000)]
        case .log:
            return [
                fault(.lostOffset, 1_000_000), fault(.cutLog, 1_800_000, steps: 4),
                fault(.recreatedTopic, 3_500_000), fault(.terminate, 3_600_000),
            ]
        }
    }
}
