import Hummingbird
public import Logging
public import Query
public import TraceModel

/// The HTTP server of all roles: queries and the page where there is a store, metrics and health everywhere.
public struct TailraceServer: Sendable {
    public struct Configuration: Sendable, Equatable {
        public var host: String
        /// 0 takes any free port.
        public var port: Int

        public init(host: String = "127.0.0.1", port: Int = 16686) {
            self.host = host
            self.port = port
        }
    }

    private let configuration: Configuration
    private let store: TraceStore?
    private let explain: (@Sendable (TraceID) throws -> TraceExplanation)?
    private let metrics: @Sendable () -> String
    private let health: @Sendable () -> HealthReport
    private let reload: (@Sendable () -> ReloadAnswer)?
    private let sampling: (@Sendable (_ service: String) -> [UInt8]?)?
    private let logger: Logger

    /// - Parameters:
    ///   - store: nil where the process answers no queries (a worker): only metrics and health are served then.
    ///   - explain: says why a trace was kept or dropped; blocks on files. Nil where the process knows no decisions.
    ///   - metrics: the metrics in Prometheus' text format; called per scrape, may block for a moment.
    ///   - health: called per check, may block for a moment.
    ///   - reload: reads the configuration again; nil where there is none to reload. May block for seconds.
    ///   - sampling: answers Jaeger's remote samplers with a service's strategy as JSON, nil where there is none. Nil where the
    ///     process sees no traffic. May not block.
    public init(
        configuration: Configuration = Configuration(), store: TraceStore?,
        explain: (@Sendable (TraceID) throws -> TraceExplanation)? = nil,
        metrics: @escaping @Sendable () -> String, health: @escaping @Sendable () -> HealthReport,
        reload: (@Sendable () -> ReloadAnswer)? = nil,
        sampling: (@Sendable (_ service: String) -> [UInt8]?)? = nil, logger: Logger = Logger(label: "tailrace.server")
    ) {
        self.configuration = configuration
        self.store = store
        self.explain = explain
        self.metrics = metrics
        self.health = health
        self.reload = reload
        self.sampling = sampling
        self.logger = logger
    }

    /// Serves until the task is cancelled or the surrounding `ServiceGroup` shuts down; signals are the caller's business.
    ///
    /// - Parameter onListening: called once with the port, when connections are accepted.
    public func run(onListening: (@Sendable (Int) async -> Void)? = nil) async throws {
        try await application(onListening: onListening).run()
    }

    /// The server as a service of a `ServiceGroup`, which can shut it down gracefully.
    package func service(
        logger: Logger, onListening: (@Sendable (Int) async -> Void)? = nil
    ) -> some ApplicationProtocol {
        application(logger: logger, onListening: onListening)
    }

    /// What `run` runs; for tests.
    package func application(
        logger: Logger? = nil, onListening: (@Sendable (Int) async -> Void)? = nil
    ) -> some ApplicationProtocol {
        Application(
            router: router(),
            configuration: ApplicationConfiguration(
                address: .hostname(configuration.host, port: configuration.port), serverName: "tailrace"),
            onServerRunning: { channel in
                if let onListening { await onListening(channel.localAddress?.port ?? 0) }
            },
            logger: logger ?? self.logger)
    }

    private func router() -> Router<BasicRequestContext> {
        let router = Router(context: BasicRequestContext.self, options: [.autoGenerateHeadEndpoints])
        router.add(middleware: AnswerMiddleware(logger: logger))
        // Apart from the queries' threads: a crowd of slow searches must not make the process look dead.
        let pool = BlockingPool(threadLimit: 2, queueLimit: 32)
        router.get("/healthz") { _, _ in
            // Alive, whatever the state of dependencies: restarting this process would not repair them.
            Response(.ok, "text/plain; charset=utf-8", Array("ok\n".utf8))
        }
        router.get("/readyz") { [health] _, _ in
            let report = try await pool.run { health() }
            return Response.json(TraceJSON.health(report), status: report.isReady ? .ok : .serviceUnavailable)
        }
        router.get("/metrics") { [metrics] _, _ in
            Response(.ok, "text/plain; version=0.0.4; charset=utf-8", try await pool.run { Array(metrics().utf8) })
        }
        if let reload {
            router.post("/admin/reload") { _, _ in
                let answer = try await pool.run { reload() }
                return Response.json(answer.json, status: answer.isAccepted ? .ok : .unprocessableContent)
            }
        }
        if let explain { DecisionRoutes(explain: explain, pool: BlockingPool(threadLimit: 2)).add(to: router) }
        SamplingRoutes(strategy: sampling).add(to: router)
        if let store {
            let pool = BlockingPool()
            QueryRoutes(store: store, pool: pool).add(to: router)
            StatisticsRoutes(store: store, pool: pool).add(to: router)
            router.get("/") { _, _ in TracePage.response() }
        }
        return router
    }
}
