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
            recorded: a file of spans, given behind it.
            Rules of the budget are not applied, and its key is the operation: made-up traces have no spans. What the whole \
            sampler does with a recording, rules and fields of the key included, tailrace decide --summary tells.
            Example: tailrace simulate pipelines/budget.yaml --scenario step10x --html report.html
            Example: tailrace simulate pipelines/budget.yaml --scenario recorded spans.jsonl.gz --share 2.5%
            """)

    @Argument(
        help: """
            A pipeline file whose sampler has a policy of type budget, or a file with the sampler alone: its policies, or one policy.
            """)
    var pipeline: String
    @Option(help: "step10x, burst, diurnal, cardinality, or recorded.") var scenario = "step10x"
    @Argument(help: "Recorded spans, for --scenario recorded.") var input: String?
    @Option(help: "Which traffic to make up.") var seed: UInt64 = 1
    @Option(help: "A budget instead of the pipeline's, for example \"500 spans/s\".") var rate: String?
    @Option(
        help: "Budget as a share of the mean of recorded traffic, for example 2.5%, instead of the pipeline's rate.")
    var share: String?
    @Option(help: "How many times faster than recorded the traffic is taken.") var speed = 1.0
    @Option(help: "The policy, where the pipeline has several budgets.") var policy: String?
    @Option(help: "Write a page with plots to this file.") var html: String?

    /// More would take many minutes, and is not needed to see what a budget does.
    private static let maximumTraces = 50_000_000.0
    private static let speeds = 0.001...1_000_000.0
    /// Keys that come once are remembered, to know which of them were covered.
    private static let maximumUniqueKeys = 2_000_000.0

    func validate() throws {
        if rate != nil, share != nil { throw ValidationError("--rate and --share both set the budget; give one") }
    }

    func run() throws {
        let plan = try PipelineLoading.load(pipeline, takesSampler: true)
        let budgets = plan.samplers.flatMap { BudgetSettings.all(in: plan.stages[$0].settings) }
        var budget = try choose(budgets, plan.name)
        budget.rules = []
        if let rate {
            guard let rate = BudgetSettings.rate(rate) else {
                throw CommandFailure("--rate \(rate) is no rate; write for example 2000 spans/s, 2MB/s or 50 traces/s")
            }
            budget.rate = rate.rate
            budget.unit = rate.unit
        }
        let simulation: Simulation
        let title: String
        var steps: [Int] = []
        var malformed = 0
        if scenario == "recorded" {
            (simulation, title, malformed) = try runRecorded(&budget)
        } else {
            guard let chosen = Scenario(rawValue: scenario) else {
                throw CommandFailure(
                    "no scenario \"\(scenario)\"; there are "
                        + (Scenario.allCases.map(\.rawValue) + ["recorded"]).joined(separator: ", "))
            }
            guard share == nil, input == nil, speed == 1 else {
                throw CommandFailure("--share, --speed and a file of spans go with --scenario recorded")
            }
            title = "\(chosen.rawValue): \(chosen.summary) (seed \(seed))"
            steps = chosen.steps
            let spansPerSecond = Self.madeUpSpans(budget)
            let traffic = chosen.traffic(rate: spansPerSecond, seed: seed, tick: budget.tick)
            try check(traffic, spansPerSecond)
            simulation = simulate(budget, traffic, spanRate: spansPerSecond, offered: spansPerSecond * 5)
        }
        let report = SimulationReport(title: title, simulation: simulation, steps: steps)
        Terminal.line(title)
        Terminal.output(report.table)
        if let html { try OutputFile.write(report.html, to: html) }
        if malformed > 0 { throw CommandFailure("\(malformed) lines of \(input ?? "") could not be read") }
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

    /// Traffic grows with the budget; what would not fit into memory or an afternoon is refused.
    private func check(_ traffic: SyntheticTraffic, _ rate: Double) throws {
        let settings = traffic.settings
        var traces = 0.0
        var uniqueKeys = 0.0
        for second in 0..<settings.duration {
            let now = settings.spansPerSecond(second) / settings.meanSpans
            traces += now
            uniqueKeys += now * settings.uniqueKeyShare(second)
        }
        let excess = max(traces / Self.maximumTraces, uniqueKeys / Self.maximumUniqueKeys)
        guard excess > 1 else { return }
        var possible = 1.0
        while possible * 10 <= rate / excess { possible *= 10 }
        possible *= (rate / excess / possible).rounded(.down)
        throw CommandFailure(
            "the traffic that a scenario makes up grows with the budget: for \(Figures.grouped(Int64(rate))) spans/s it would "
                + "be \(traces < 1e15 ? Figures.grouped(Int64(traces)) : "too many") traces; try a smaller budget, for "
                + "example --rate \"\(Int64(possible)) spans/s\", whose figures differ little")
    }

    private func runRecorded(_ budget: inout BudgetSettings) throws -> (Simulation, String, malformed: Int) {
        guard let input else {
            throw CommandFailure("--scenario recorded needs a file of spans, for example spans.jsonl.gz")
        }
        guard Self.speeds.contains(speed) else {
            throw CommandFailure("--speed \(speed) is not between a thousandth and a million times")
        }
        var malformed = 0
        let traffic: RecordedSimulation
        do {
            traffic = try RecordedSimulation(path: input, tick: budget.tick, speed: speed) { problem in
                malformed += 1
                if malformed <= 20 { Terminal.line(problem) }
            }
        } catch { throw CommandFailure("\(error)") }
        if malformed > 20 { Terminal.line("and \(malformed - 20) more lines that cannot be read") }
        guard traffic.spansPerSecond > 0 else {
            throw CommandFailure(
                "\(input) has no spans" + (malformed > 0 ? ": \(malformed) lines could not be read" : ""))
        }
        var title = "recorded: \(input)"
        if let share {
            let text = share.hasSuffix("%") ? String(share.dropLast()) : share
            guard let percent = Double(text), percent > 0, percent <= 100 else {
                throw CommandFailure("--share \(share) is no share; write for example 2.5%")
            }
            budget.rate = traffic.spansPerSecond * percent / 100
            budget.unit = .spans
            title += ", \(text) % of its spans"
        }
        if speed != 1 { title += ", \(speed) times as fast" }
        let spanRate =
            switch budget.unit {
            case .spans: budget.rate
            case .bytes: budget.rate / max(1, traffic.bytesPerSpan)
            case .traces: budget.rate * traffic.spansPerTrace
            }
        return (
            simulate(budget, traffic, spanRate: spanRate, offered: traffic.spansPerSecond), title, malformed
        )
    }

    /// - Parameters:
    ///   - spanRate: spans per second that the budget is about. Refinery's samplers count nothing else.
    ///   - offered: spans per second that are offered on average.
    private func simulate(
        _ budget: BudgetSettings, _ traffic: some SimulatedTraffic, spanRate: Double, offered: Double
    ) -> Simulation {
        let compared = Simulation.compared(rate: spanRate, unit: .spans, meanOffered: offered)
        var simulation = Simulation(
            rate: budget.rate, unit: budget.unit, samplers: [SimulatedBudget(budget)] + compared,
            coverageInterval: budget.coverage?.interval ?? 60_000)
        simulation.run(WatchedTraffic(traffic))
        return simulation
    }

    /// Made-up spans have 400 bytes each, and traces ten spans on average.
    private static func madeUpSpans(_ budget: BudgetSettings) -> Double {
        switch budget.unit {
        case .spans: budget.rate
        case .bytes: budget.rate / 400
        case .traces: budget.rate * 10
        }
    }
}

/// Traffic that tells on stderr how far it is, where that takes long.
private struct WatchedTraffic<Traffic: SimulatedTraffic>: SimulatedTraffic {
    private var traffic: Traffic
    private var traces = 0
    private var ticks: Int64 = 0
    private let progress = ProgressLine(isPatient: true)

    init(_ traffic: Traffic) { self.traffic = traffic }

    var tick: Int64 { traffic.tick }

    mutating func next() -> [SimulatedTrace]? {
        guard let batch = traffic.next() else {
            progress.clear()
            return nil
        }
        traces += batch.count
        ticks += 1
        progress.show("\(Figures.grouped(traces)) traces, \(ticks * tick / 1000) s of traffic")
        return batch
    }
}
