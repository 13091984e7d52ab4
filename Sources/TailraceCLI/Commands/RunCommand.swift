import ArgumentParser
import Pipeline
import Server
import Synchronization
import Tailrace
import UnaryGRPC

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Runs a worker: reads, samples, stores.",
        discussion: """
            SIGTERM drains: decided traces are stored, the watermark is committed, the group is left; exit code 0.
            SIGHUP and POST /admin/reload read the pipeline files again: changed stages are swapped, open traces stay; a file
            with mistakes changes nothing.
            /metrics, /healthz, /readyz and /v1/decisions/{trace id} are served on --listen.
            Example: tailrace run pipelines/kafka-tail-sampling.yaml --store /var/lib/tailrace
            """)

    @Argument(help: "Pipeline files.") var pipelines: [String]
    @Option(help: "Directory of the store; overrides the path of the segment sinks.") var store: String?
    @Option(help: "Address of metrics and health.") var listen = "127.0.0.1:16687"
    @Option(help: "Threads that own partitions; one per core by default.") var threads: Int?
    @Option(help: "Address for Jaeger's remote samplers that speak gRPC, usually port 14250; none by default.")
    var samplingGrpc: String?

    func run() async throws {
        if let threads, !(1...256).contains(threads) { throw ValidationError("--threads must be 1 to 256") }
        let address = try ListenAddress(listen)
        let grpcAddress = try samplingGrpc.map { try ListenAddress($0, option: "--sampling-grpc") }
        let plans = try pipelines.map(PipelineLoading.load)
        let log = EventLog()
        let workers = try plans.map { plan in
            do {
                return try TailraceWorker(
                    plan: plan, options: TailraceWorker.Options(storeDirectory: store, threads: threads)
                ) { log.write($0) }
            } catch {
                throw CommandFailure("cannot start pipeline \(plan.name): \(error)")
            }
        }
        let reloading = Reloading(workers: workers, environment: ProcessEnvironment.variables, log: log)
        let sampling = RemoteSamplingEndpoint(workers: workers)
        let grpc = try await RemoteSamplingEndpoint.serve(sampling, grpcAddress, log)
        let explainers = workers.map { Serving.explainer($0, store: nil) }
        let server = TailraceServer(
            configuration: TailraceServer.Configuration(host: address.host, port: address.port), store: nil,
            explain: { try Serving.explain($0, explainers) },
            metrics: { workers.map { $0.metrics() }.joined() }, health: { Self.health(workers) },
            reload: reloading.reload, sampling: sampling.json)
        for worker in workers {
            do { try worker.start() } catch {
                throw CommandFailure("cannot start pipeline \(worker.plan.name): \(error)")
            }
            log.write("pipeline \(worker.plan.name) runs, store \(worker.storeDirectory)")
        }
        let failed = Mutex<String?>(nil)
        try await Serving.run(
            server, address: address,
            onListening: { log.write("metrics and health on http://\(address.host):\($0)") },
            whileRunning: {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { await reloading.onHangUp() }
                    defer { group.cancelAll() }
                    try await Self.untilDone(workers, log, failed)
                }
            },
            drain: {
                log.write("draining")
                for worker in workers {
                    let before = worker.totals.counters.returned
                    worker.stop()
                    log.write(Self.summary(worker))
                    // A source that has ended decides what is open; then nothing is given back.
                    let returned = worker.totals.counters.returned &- before
                    if returned > 0 {
                        log.write("\(Figures.grouped(returned)) spans of open traces are read again by the next owner")
                    }
                }
            })
        await grpc?.stop()
        if let message = failed.withLock({ $0 }) { throw CommandFailure(message) }
    }

    /// Returns when a pipeline failed or all sources ended by themselves.
    private static func untilDone(
        _ workers: [TailraceWorker], _ log: EventLog, _ failed: borrowing Mutex<String?>
    ) async throws {
        var ticks = 0
        while true {
            try await Task.sleep(for: .milliseconds(200))
            for worker in workers {
                if let message = worker.failure {
                    failed.withLock { $0 = "pipeline \(worker.plan.name) cannot go on: \(message)" }
                    return
                }
            }
            if workers.allSatisfy(\.hasEnded) { return }
            ticks += 1
            if ticks % 150 == 0 { for worker in workers { log.write(summary(worker)) } }
        }
    }

    private static func health(_ workers: [TailraceWorker]) -> HealthReport {
        let reports = workers.map(Serving.health)
        return HealthReport(ready: reports.allSatisfy(\.isReady), dependencies: reports.flatMap(\.dependencies))
    }

    static func summary(_ worker: TailraceWorker) -> String {
        let totals = worker.totals
        let counters = totals.counters
        return "\(worker.plan.name): received \(Figures.grouped(counters.received)) spans, kept "
            + "\(Figures.grouped(counters.kept)), dropped \(Figures.grouped(counters.dropped)), late "
            + "\(Figures.grouped(counters.lateKept + counters.lateDropped)), rejected "
            + "\(Figures.grouped(counters.rejected)), in window \(Figures.grouped(totals.gauges.openSpans))"
    }
}
