import Logging
import Pipeline
import Query
import Server
import ServiceLifecycle
import Storage
import Tailrace
import TraceModel
import UnixSignals

extension StoreCatalog: SegmentCatalog {}

/// Runs the HTTP server until a signal comes, then the clean-up.
enum Serving {
    static func store(_ directory: String) -> TraceStore {
        let layout = StoreLayout(root: directory)
        return TraceStore(catalog: StoreCatalog(layout: layout), layout: layout)
    }

    /// Explains by a worker's store and its windows.
    static func explainer(_ worker: TailraceWorker, store: TraceStore?) -> TraceExplainer {
        TraceExplainer(layout: StoreLayout(root: worker.storeDirectory), store: store) { worker.waiting($0) }
    }

    /// The first explainer that knows the trace answers; each pipeline of a process may have a store of its own.
    static func explain(_ id: TraceID, _ explainers: [TraceExplainer]) throws -> TraceExplanation {
        var answers: [TraceExplanation] = []
        for explainer in explainers {
            let answer = try explainer.explain(id)
            if answer.decision == .keep || answer.decision == .drop { return answer }
            answers.append(answer)
        }
        guard let answer = answers.first(where: { $0.decision == .undecided }) ?? answers.first else {
            throw CommandFailure("no pipeline runs")
        }
        return answer
    }

    static func health(_ worker: TailraceWorker) -> HealthReport {
        let health = worker.health
        return HealthReport(
            ready: health.isReady,
            dependencies: health.dependencies.map {
                HealthReport.Dependency(name: $0.name, state: $0.state, detail: $0.detail)
            })
    }

    /// - Parameters:
    ///   - whileRunning: runs beside the server; returning ends everything.
    ///   - drain: called once after SIGTERM or SIGINT, before the server ends; blocks.
    static func run(
        _ server: TailraceServer, address: ListenAddress, onListening: @escaping @Sendable (Int) -> Void = { _ in },
        whileRunning: @escaping @Sendable () async throws -> Void = { try await Task.sleep(for: .seconds(1 << 30)) },
        drain: @escaping @Sendable () -> Void
    ) async throws {
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        var quiet = Logger(label: "tailrace.http")
        quiet.logLevel = .critical
        let logger = quiet
        let services = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [server.service(logger: logger, onListening: { onListening($0) })], logger: logger))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    try await services.run()
                } catch is CancellationError {
                } catch {
                    throw CommandFailure("cannot listen on \(address.host):\(address.port): \(error)")
                }
            }
            group.addTask {
                for await _ in signals { return }
            }
            group.addTask { try await whileRunning() }
            // Whatever ends first ends the others: the server with an error, the signal, or the work itself.
            var failure: (any Error)?
            do { try await group.next() } catch { failure = error }
            // Metrics and health are served until everything is stored.
            await blocking(drain)
            await services.triggerGracefulShutdown()
            group.cancelAll()
            if let failure { throw failure }
        }
    }

    /// Runs blocking work on a thread of its own: the pool of Swift's tasks has as many threads as cores.
    static func blocking(_ work: @escaping @Sendable () -> Void) async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            do {
                _ = try NamedThread(name: "drain") {
                    work()
                    continuation.resume()
                }
            } catch {
                work()
                continuation.resume()
            }
        }
    }
}
