import ArgumentParser
import OTLP
import Pipeline
import Sampling
import Tailrace
import Workbench

struct SimulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate", abstract: "Tries a pipeline's budget on made-up or recorded traffic.",
        discussion: """
            Runs the budget policy of the pipeline's sampler, and the samplers it can be compared with, on the same traffic.
            Writes a table to stdout and, with --html, a page with plots. The same seed gives the same figures.
            Scenarios: \(Scenario.allCases.map { "\($0.rawValue): \($0.summary)" }.joined(separator: "; ")); \
            recorded: a file of spans, given with --input.
            Rules of the budget are not applied: made-up traces have no spans.
            Example: tailrace simulate pipelines/budget.yaml --scenario step10x --html report.html
            Example: tailrace simulate pipelines/budget.yaml --scenario recorded spans.jsonl.gz --share 2.5%
            """)

    @Argument(help: "A pipeline file whose sampler has a policy of type budget.") var pipeline: String
    @Option(help: "step10x, burst, diurnal, cardinality, or recorded.") var scenario = "step10x"
    @Argument(help: "Recorded spans, for --scenario recorded.") var input: String?
    @Option(help: "Which traffic to make up.") var seed: UInt64 = 1
    @Option(
        help: "Budget as a share of the mean of recorded traffic, for example 2.5%, instead of the pipeline's rate.")
    var share: String?
    @Option(help: "How many times faster than recorded the traffic is taken.") var speed = 1.0
    @Option(help: "The policy, where the pipeline has several budgets.") var policy: String?
    @Option(help: "Write a page with plots to this file.") var html: String?

    func run() throws {
        let plan = try PipelineLoading.load(pipeline)
        let budgets = plan.samplers.flatMap { BudgetSettings.all(in: plan.stages[$0].settings) }
        var budget = try choose(budgets, plan.name)
        budget.rules = []
        let simulation: Simulation
        let title: String
        var steps: [Int] = []
        if scenario == "recorded" {
            (simulation, title) = try runRecorded(&budget)
        } else {
            guard let chosen = Scenario(rawValue: scenario) else {
                throw CommandFailure(
                    "no scenario \"\(scenario)\"; there are "
                        + (Scenario.allCases.map(\.rawValue) + ["recorded"]).joined(separator: ", "))
            }
            guard share == nil, input == nil else {
                throw CommandFailure("--share and a file of spans go with --scenario recorded")
            }
            title = "\(chosen.rawValue): \(chosen.summary) (seed \(seed))"
            steps = chosen.steps
            let spansPerSecond = spanRate(budget)
            simulation = simulate(budget, chosen.traffic(rate: spansPerSecond, seed: seed, tick: budget.tick), 5)
        }
        let report = SimulationReport(title: title, simulation: simulation, steps: steps)
        Terminal.line(title)
        Terminal.output(report.table)
        if let html { try OutputFile.write(report.html, to: html) }
    }

    private func choose(
        _ budgets: [(name: String, settings: BudgetSettings)], _ plan: String
    ) throws -> BudgetSettings {
        guard !budgets.isEmpty else { throw CommandFailure("pipeline \(plan) has no policy of type budget") }
        let names = budgets.map(\.name).joined(separator: ", ")
        if let policy {
            guard let chosen = budgets.first(where: { $0.name == policy }) else {
                throw CommandFailure("pipeline \(plan) has no budget \"\(policy)\"; it has \(names)")
            }
            return chosen.settings
        }
        guard budgets.count == 1 else {
            throw CommandFailure("pipeline \(plan) has several budgets; choose one with --policy: \(names)")
        }
        return budgets[0].settings
    }

    private func runRecorded(_ budget: inout BudgetSettings) throws -> (Simulation, String) {
        guard let input else {
            throw CommandFailure("--scenario recorded needs a file of spans, for example spans.jsonl.gz")
        }
        guard speed > 0, speed.isFinite else { throw CommandFailure("--speed must be above 0") }
        let traffic: RecordedSimulation
        do {
            traffic = try RecordedSimulation(path: input, tick: budget.tick, speed: speed)
        } catch { throw CommandFailure("\(error)") }
        if let share {
            let text = share.hasSuffix("%") ? String(share.dropLast()) : share
            guard let percent = Double(text), percent > 0, percent <= 100 else {
                throw CommandFailure("--share \(share) is no share; write for example 2.5%")
            }
            budget.rate = traffic.spansPerSecond * percent / 100
            budget.unit = .spans
        }
        let simulation = simulate(budget, traffic, traffic.spansPerSecond / max(1e-9, spanRate(budget)))
        return (simulation, "recorded: \(input)")
    }

    /// - Parameter load: what is offered on average, as a multiple of the budget.
    private func simulate(_ budget: BudgetSettings, _ traffic: some SimulatedTraffic, _ load: Double) -> Simulation {
        let compared = Simulation.compared(
            rate: budget.rate, unit: budget.unit, meanOffered: spanRate(budget) * load)
        var simulation = Simulation(
            rate: budget.rate, unit: budget.unit, samplers: [SimulatedBudget(budget)] + compared,
            coverageInterval: budget.coverage?.interval ?? 60_000)
        simulation.run(traffic)
        return simulation
    }

    /// Spans per second that the budget is about.
    private func spanRate(_ budget: BudgetSettings) -> Double {
        switch budget.unit {
        case .spans: budget.rate
        case .bytes: budget.rate / 400
        case .traces: budget.rate * 10
        }
    }
}
