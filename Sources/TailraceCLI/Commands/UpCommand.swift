import ArgumentParser
import Kafka
import Pipeline
import Query
import Sampling
import Server
import Tailrace
import UnaryGRPC

struct UpCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up", abstract: "Everything in one process, with an embedded broker and live demo traffic.",
        discussion: """
            Example: tailrace up
            Example: tailrace up --input recorded.jsonl.gz --data /tmp/tailrace
            """)

    @Argument(
        help: "The pipeline to run; its Kafka source reads from ${KAFKA_BROKERS}, which is set to the embedded broker.")
    var pipeline = "pipelines/quickstart.yaml"
    @Option(help: "Directory of the store.") var data = "./data"
    @Option(help: "Recorded spans to play instead of the demo traffic.") var input: String?
    @Option(help: "Address of the page and the APIs.") var listen = "127.0.0.1:16686"
    @Option(help: "Demo traffic: mean number of traces per second; 0 for none.") var rate = 20.0
    @Option(help: "Demo traffic: seed.") var seed: UInt64 = 1
    @Option(help: "Partitions of the embedded broker's topics.") var partitions = 4
    @Option(help: "Threads that own partitions; one per core by default.") var threads: Int?
    @Option(help: "Address for Jaeger's remote samplers that speak gRPC, usually 127.0.0.1:14250; none by default.")
    var samplingGrpc: String?

    func validate() throws {
        if !(rate >= 0 && rate <= 5000) { throw ValidationError("--rate must be 0 to 5000 traces per second") }
        if !(1...256).contains(partitions) { throw ValidationError("--partitions must be 1 to 256") }
    }

    func run() async throws {
        let address = try ListenAddress(listen)
        let grpcAddress = try samplingGrpc.map { try ListenAddress($0, option: "--sampling-grpc") }
        let log = EventLog()
        let broker: EmbeddedBroker
        do {
            broker = try EmbeddedBroker(defaultPartitions: partitions)
        } catch {
            throw CommandFailure("cannot start the embedded broker: \(error)")
        }
        let plan = try loadPlan(brokers: broker.bootstrapServers)
        let topic = plan.sources.compactMap { plan.stages[$0].settings.string("topic") }.first ?? "otlp_spans"
        try? broker.createTopic(topic, partitions: partitions)
        for budget in plan.samplers.flatMap({ BudgetSettings.all(in: plan.stages[$0].settings) }) {
            try? broker.createTopic(budget.settings.fleet.topic, partitions: 1)
        }

        let worker: TailraceWorker
        do {
            // The embedded broker starts empty each time: its partitions are other ones than those of the last start.
            worker = try TailraceWorker(
                plan: plan,
                options: TailraceWorker.Options(
                    storeDirectory: data, threads: threads, clusterName: "embedded-\(WallClock.now())")
            ) { log.write($0) }
            try worker.start()
        } catch {
            throw CommandFailure("cannot start pipeline \(plan.name): \(error)")
        }
        let store = Serving.store(data)
        let feed = try KafkaFeed(brokers: broker.bootstrapServers, topic: topic, partitions: nil)
        let traffic = try startTraffic(feed, log)
        let reloading = Reloading(
            workers: [worker], environment: environment(broker.bootstrapServers), log: log)
        let sampling = RemoteSamplingEndpoint(workers: [worker])
        let grpc = try await RemoteSamplingEndpoint.serve(sampling, grpcAddress, log)
        let explainer = Serving.explainer(worker, store: store)
        let server = TailraceServer(
            configuration: TailraceServer.Configuration(host: address.host, port: address.port), store: store,
            explain: { try explainer.explain($0) },
            metrics: { worker.metrics() + StoreMetrics.render(store) }, health: { Serving.health(worker) },
            reload: reloading.reload, sampling: sampling.json)

        let status = UpStatus(worker: worker, store: store, plan: plan, broker: broker.bootstrapServers, topic: topic)
        try await Serving.run(
            server, address: address,
            onListening: { port in
                Terminal.write(status.welcome(host: address.host, port: port, data: data, traffic: describeTraffic()))
            },
            whileRunning: {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { await reloading.onHangUp() }
                    defer { group.cancelAll() }
                    try await status.report(log)
                }
            },
            drain: {
                log.write("stopping: storing what is decided")
                traffic?.stop()
                worker.stop()
                log.write(RunCommand.summary(worker))
            })
        await grpc?.stop()
        broker.close()
        if let message = worker.failure { throw CommandFailure(message) }
    }

    private func environment(_ brokers: String) -> [String: String] {
        var environment = ProcessEnvironment.variables
        environment["KAFKA_BROKERS"] = brokers
        environment["TAILRACE_STORE"] = data
        return environment
    }

    private func loadPlan(brokers: String) throws -> PipelinePlan {
        let (plan, diagnostics) = PipelineLoading.check(pipeline, environment: environment(brokers))
        guard let plan, !diagnostics.hasErrors else {
            throw CommandFailure(
                "\(pipeline) cannot be run; name a pipeline, or start in Tailrace's folder, where pipelines/ and config/ are"
            )
        }
        return plan
    }

    private func describeTraffic() -> String {
        if let input { return "recorded spans of \(input)" }
        return rate > 0 ? "demo shop, about \(Figures.rounded(rate)) traces/s (seed \(seed))" : "none; send your own"
    }

    private func startTraffic(_ feed: KafkaFeed, _ log: EventLog) throws -> (any Traffic)? {
        if let input { return try RecordedTraffic(feed: feed, path: input, log: log) }
        return rate > 0 ? try LiveTraffic(feed: feed, seed: seed, tracesPerSecond: rate) : nil
    }
}
