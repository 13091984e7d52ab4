import Pipeline
import Server
import Tailrace
import UnixSignals

/// Reload on SIGHUP and on `POST /admin/reload`.
struct Reloading: Sendable {
    let workers: [TailraceWorker]
    /// For `${VAR}` in the pipeline files.
    let environment: [String: String]
    let log: EventLog

    /// Reloads every pipeline of the process. One that is refused does not hold the others back.
    @Sendable func reload() -> ReloadAnswer {
        ReloadAnswer(
            pipelines: workers.map { worker in
                let report = worker.reload(environment: environment)
                announce(worker, report)
                return ReloadAnswer.Pipeline(
                    name: worker.plan.name, isAccepted: report.isAccepted, generation: report.generation,
                    changed: report.changed, added: report.added, removed: report.removed, problems: report.problems)
            })
    }

    /// Reloads whenever SIGHUP comes; never returns by itself.
    func onHangUp() async {
        for await _ in await UnixSignalsSequence(trapping: .sighup) {
            await Serving.blocking { _ = reload() }
        }
    }

    private func announce(_ worker: TailraceWorker, _ report: ReloadReport) {
        guard report.isAccepted else {
            log.write("\(worker.plan.name): reload refused, generation \(report.generation) goes on:")
            for problem in report.problems { log.write("  \(problem)") }
            return
        }
        let parts = [("changed", report.changed), ("added", report.added), ("removed", report.removed)]
            .filter { !$0.1.isEmpty }.map { "\($0.0) \($0.1.joined(separator: ", "))" }
        let what = parts.isEmpty ? "no stage changed, named files were read again" : parts.joined(separator: "; ")
        log.write("\(worker.plan.name): reloaded, generation \(report.generation): \(what)")
    }
}
