import ArgumentParser
import Glibc
import TraceSimulation

/// Runs the delivery protocol's simulator over many seeds, or one of them again.
@main
struct SoakCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "TailraceSoak", abstract: "Runs simulated worlds and checks the delivery invariants I1 to I20.")

    @Option(help: "How many seeds to run.")
    var seeds: UInt64 = 1000
    @Option(help: "The first of them.")
    var first: UInt64 = 1
    @Option(help: "Run this seed only.")
    var seed: UInt64?
    @Option(help: "Leave out these faults of the seed, by their positions: 0,3,4.")
    var drop: String?
    @Option(help: "Run the seed with so many traces.")
    var traces: Int?
    @Option(name: .customLong("bad-records"), help: "Run the seed with so many unreadable records.")
    var badRecords: Int?
    @Option(help: "Run the seed with so many workers.")
    var workers: Int?
    @Option(help: "Run the seed with so many threads per worker.")
    var threads: Int?
    @Option(help: "Run this scenario instead of a seed: \(Scenario.allCases.map(\.rawValue).joined(separator: ", ")).")
    var scenario: String?
    @Option(help: "Crash at a step, as the survey says it; several times for one crash after the other.")
    var crash: [String] = []
    @Flag(help: "Crash at every step of every action, as the test does; --trace lists the steps.")
    var survey = false
    @Flag(help: "With --survey: at the first, a middle and the last of each step, in each scenario.")
    var everywhere = false
    @Option(help: "Switch on a deliberate bug (debug builds only).")
    var mutation: String?
    @Flag(help: "Print every step.")
    var trace = false
    @Flag(help: "Shorten the schedule of a failing seed.")
    var minimise = false

    @Flag(help: "Say how many seeds came into each of the situations that tests want reached.")
    var reached = false
    @Flag(help: "Look for each deliberate bug in the seeds (debug builds only).")
    var mutations = false

    func run() throws {
        if mutations { return try findMutations() }
        if survey { return try runSurvey() }
        let start = ContinuousClock.now
        let worlds = try worlds()
        // A transcript is written by one thread.
        let outcomes = ParallelWorlds.map(worlds, threads: trace ? 1 : ParallelWorlds.processors) {
            [trace, minimise] world in
            let outcome = world.run(transcript: trace ? { print($0) } : nil)
            if let violation = outcome.violation { Self.report(world, violation, minimise: minimise) }
            return Tally(steps: outcome.steps, failures: outcome.violation == nil ? 0 : 1, reached: outcome.reached)
        }
        let total = outcomes.reduce(into: Tally()) { $0.add($1) }
        let time = start.duration(to: .now)
        let seconds = Double(time.components.seconds) + Double(time.components.attoseconds) / 1e18
        let speed = Int((Double(worlds.count) / seconds).rounded())
        print("\(worlds.count) seeds, \(total.steps) steps, \(total.failures) failures, \(speed) seeds/s")
        if reached {
            for situation in Situation.allCases { print("  \(situation.rawValue): \(total.reached[situation] ?? 0)") }
        }
        if total.failures > 0 { throw ExitCode.failure }
    }

    private struct Tally: Sendable {
        var steps = 0
        var failures = 0
        var reached: [Situation: Int] = [:]

        mutating func add(_ other: Tally) {
            steps += other.steps
            failures += other.failures
            reached.merge(other.reached, uniquingKeysWith: +)
        }
    }

    private func worlds() throws -> [Reproduction] {
        let crashes = try crash.map { text in
            guard let crash = CrashPoint(text) else {
                throw ValidationError(
                    "--crash '\(text)' is none; one is written as 'flush rename manifests/*.manifest#3 after kill'")
            }
            return crash
        }
        var worlds: [Reproduction]
        if let scenario {
            guard let known = Scenario(rawValue: scenario) else {
                throw ValidationError(
                    "no scenario \(scenario); there are \(Scenario.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            worlds = [Reproduction(scenario: known, mutation: mutation)]
        } else {
            let range = seed.map { $0..<$0 + 1 } ?? first..<first + seeds
            worlds = range.map { Reproduction(seed: $0, mutation: mutation) }
        }
        for index in worlds.indices {
            worlds[index].crashes = crashes
            worlds[index].dropped = Set((drop ?? "").split(separator: ",").compactMap { Int($0) })
            worlds[index].traces = traces
            worlds[index].badRecords = badRecords
            worlds[index].workers = workers
            worlds[index].threads = threads
        }
        return worlds
    }

    private func runSurvey() throws {
        let survey = CrashSurvey.run(mutation: mutation, everywhere: everywhere)
        if trace {
            for (step, count) in survey.deaths.sorted(by: { $0.key < $1.key }) { print("\(step): \(count)") }
        }
        for failure in survey.failures { Self.report(failure.world, failure.violation, minimise: minimise) }
        for step in survey.missed { print("no worker died at: \(step)") }
        print("\(survey.worlds) worlds, \(survey.deaths.count) steps crashed at, \(survey.failures.count) failures")
        if !survey.failures.isEmpty || !survey.missed.isEmpty { throw ExitCode.failure }
    }

    private func findMutations() throws {
        guard !MutationProof.names.isEmpty else {
            throw ValidationError("release builds have no deliberate bugs; leave out -c release")
        }
        var missing = 0
        for name in MutationProof.names where mutation == nil || mutation == name {
            if let found = MutationProof.find(name, seeds: Array(first...first + seeds - 1)) {
                print("\(name): seed \(found.world.seed), \(found.violation)")
            } else {
                print("\(name): NOT FOUND")
                missing += 1
            }
            fflush(nil)
        }
        if missing > 0 { throw ExitCode.failure }
    }

    /// In one piece: other threads report too.
    private static func report(_ world: Reproduction, _ violation: Violation, minimise: Bool) {
        let name = world.scenario.map { "scenario \($0.rawValue)" } ?? "seed \(world.seed)"
        var lines = ["\(name): \(violation)", "  again:  \(world.command)"]
        if minimise {
            let short = world.minimised()
            lines.append("  short:  \(short.command)")
            lines += short.schedule.map { "    \($0)" }
        }
        print(lines.joined(separator: "\n"))
        fflush(nil)
    }
}
