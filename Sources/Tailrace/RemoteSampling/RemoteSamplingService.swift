import Pipeline
import RemoteSampling
import Synchronization

/// The strategies of one stage `remote_sampling`, shared by its tasks and by those who answer clients. Thread-safe.
final class RemoteSamplingService: Sendable {
    /// The stage.
    let name: String
    private let strategies: Mutex<RemoteSamplingStrategies>

    private init(name: String, settings: RemoteSamplingSettings) {
        self.name = name
        strategies = Mutex(RemoteSamplingStrategies(settings: settings, now: WallClock.now()))
    }

    static func shared(
        _ objects: SharedObjects, stage: String, settings: RemoteSamplingSettings
    ) -> RemoteSamplingService {
        objects.object("remote sampling/\(stage)") { RemoteSamplingService(name: stage, settings: settings) }
    }

    /// - Parameter settings: of the stage that counted: after a reload, the new ones.
    func add(_ counts: RootSpanCounts, time: Int64, share: Double, settings: RemoteSamplingSettings) {
        strategies.withLock { strategies in
            if strategies.settings != settings { strategies.reconfigure(settings) }
            strategies.add(counts, time: time, share: share, now: WallClock.now())
        }
    }

    func strategy(for service: String) -> SamplingStrategy {
        strategies.withLock { $0.strategy(for: service, now: WallClock.now()) }
    }

    func restore(_ bytes: [UInt8]) -> Bool { strategies.withLock { $0.restore(bytes, now: WallClock.now()) } }

    /// Calculates when it is time; the state to be stored, if that gave something new.
    func advance() -> [UInt8]? {
        strategies.withLock { strategies in
            let before = strategies.counters.updates
            strategies.advance(to: WallClock.now())
            return strategies.counters.updates == before ? nil : strategies.encoded(now: WallClock.now())
        }
    }

    var state: [UInt8] { strategies.withLock { $0.encoded(now: WallClock.now()) } }

    var status: RemoteSamplingStatus {
        strategies.withLock {
            RemoteSamplingStatus(
                counters: $0.counters, operations: $0.operationCount, services: $0.serviceCount)
        }
    }
}

/// For metrics.
struct RemoteSamplingStatus: Sendable {
    var counters: RemoteSamplingStrategies.Counters
    var operations: Int
    var services: Int

    static func render(_ stages: [(stage: String, status: RemoteSamplingStatus)], _ text: inout MetricsText) {
        if stages.isEmpty { return }
        func gauge(_ name: String, _ help: String, _ value: (RemoteSamplingStatus) -> Int) {
            text.header(name, "gauge", help)
            for (stage, status) in stages { text.sample(name, [("stage", stage)], value(status)) }
        }
        func counter(_ name: String, _ help: String, _ value: (RemoteSamplingStrategies.Counters) -> UInt64) {
            text.header(name, "counter", help)
            for (stage, status) in stages { text.sample(name, [("stage", stage)], value(status.counters)) }
        }
        gauge(
            "tailrace_remote_sampling_operations", "Operations with a sampling probability of their own.", \.operations)
        gauge("tailrace_remote_sampling_services", "Services of those operations.", \.services)
        text.header(
            "tailrace_remote_sampling_root_spans_total", "counter",
            "Root spans counted for remote sampling, by whether they tell the probability they were sampled with.")
        for (stage, status) in stages {
            for (mark, value) in [("known", status.counters.markedSpans), ("none", status.counters.unmarkedSpans)] {
                text.sample(
                    "tailrace_remote_sampling_root_spans_total", [("stage", stage), ("probability", mark)], value)
            }
        }
        counter(
            "tailrace_remote_sampling_stale_spans_total", "Root spans too old to say anything of present traffic.",
            \.staleSpans)
        counter(
            "tailrace_remote_sampling_overflow_spans_total", "Root spans of operations without a place of their own.",
            \.overflowSpans)
        counter("tailrace_remote_sampling_requests_total", "Strategies that clients asked for.", \.requests)
        counter("tailrace_remote_sampling_updates_total", "Calculations of probabilities.", \.updates)
        counter(
            "tailrace_remote_sampling_skipped_intervals_total", "Intervals whose spans told nothing.",
            \.skippedIntervals)
    }
}
