import Pipeline
import Query
import Tailrace
import TraceModel

/// What `tailrace up` tells in the terminal: what runs, what is kept and why, what to open or type next.
struct UpStatus: Sendable {
    let worker: TailraceWorker
    let store: TraceStore
    let plan: PipelinePlan
    let broker: String
    let topic: String

    func welcome(host: String, port: Int, data: String, traffic: String) -> String {
        """

        Tailrace is up.
          page and API   http://\(host):\(port)
          traffic        \(traffic)
          embedded Kafka \(broker), topic \(topic)
          pipeline       \(plan.name): \(plan.stages.map(\.name).joined(separator: " → "))
          policies       \(policies)
          store          \(data)

        The first traces are decided about 10 s after their root span: until then they wait for late spans.
        Ctrl-C stops and stores what is decided.


        """
    }

    private var policies: String {
        let names = plan.samplers.flatMap { plan.stages[$0].settings.value["policies"]?.elements ?? [] }
            .compactMap { $0["name"]?.scalar }
        return names.isEmpty ? "none" : names.joined(separator: ", ")
    }

    /// Writes a status line every ten seconds, and once, when the first traces are stored, what to do next.
    func report(_ log: EventLog) async throws {
        var hasShownNext = false
        var seconds = 0
        while true {
            try await Task.sleep(for: .seconds(1))
            seconds += 1
            if let failure = worker.failure { throw CommandFailure(failure) }
            if !hasShownNext, let next = nextSteps() {
                hasShownNext = true
                Terminal.write(next)
            }
            if seconds % 10 == 0 { log.write(line()) }
        }
    }

    private func line() -> String {
        let totals = worker.totals
        let counters = totals.counters
        let reasons = totals.keptByPolicy.filter { $0.traces > 0 }
            .map { "\($0.policy) \(Figures.grouped($0.traces))" }.joined(separator: ", ")
        return "received \(Figures.grouped(counters.received)) spans · kept "
            + "\(Figures.grouped(counters.keptTraces)) traces\(reasons.isEmpty ? "" : " (\(reasons))") · dropped "
            + "\(Figures.grouped(counters.droppedTraces)) · waiting \(Figures.grouped(totals.gauges.openTraces))"
            + (counters.rejected > 0 ? " · rejected \(Figures.grouped(counters.rejected)) spans" : "")
    }

    private func nextSteps() -> String? {
        var query = TraceQuery()
        query.limit = 50
        guard let page = try? store.search(query), let newest = page.traces.first else { return nil }
        let shown = page.traces.first { $0.errorCount > 0 } ?? newest
        let service = shown.rootService.isEmpty ? shown.services.first ?? "" : shown.rootService
        return """

            The first traces are stored. In another terminal:
              .build/release/tailrace search --service \(service) --since 5m
              .build/release/tailrace trace \(shown.traceID.hex)


            """
    }
}
