import Foundation
import Testing
import TraceSimulation

/// The delivery protocol in simulated worlds: every invariant of spec/delivery.md, section 8, at every step.
@Suite(.serialized)
struct SimulationTests {
    /// As many as `make test` runs.
    /// The last one is far off, and alone finds `decisionFileKeptAcrossEpochs`.
    static let seeds = Array(1...2000 as ClosedRange<UInt64>) + [2661]

    @Test("the same seed gives the same run")
    func isDeterministic() {
        // The last ones are repartitioned, put spans on disk, collect garbage, and cut their logs.
        for seed in [3, 7, 33, 64, 20, 41] as [UInt64] {
            let first = Simulation.run(WorldPlan(seed: seed))
            let second = Simulation.run(WorldPlan(seed: seed))
            #expect(first.digest == second.digest, "seed \(seed)")
            #expect(first.steps == second.steps, "seed \(seed)")
            #expect(first.reached == second.reached, "seed \(seed)")
        }
    }

    @Test("no world breaks an invariant, and every situation comes about in some")
    func holdsInEveryWorld() {
        struct Result: Sendable {
            var steps: Int
            var failure: String?
            var reached: [Situation: Int]
        }
        let start = ContinuousClock.now
        let results = ParallelWorlds.map(Self.seeds) { seed in
            let world = Reproduction(seed: seed)
            let outcome = world.run()
            return Result(
                steps: outcome.steps,
                failure: outcome.violation.map { "\($0)\n  again: \(world.command) --minimise" },
                reached: outcome.reached)
        }
        let time = start.duration(to: .now)
        let seconds = Double(time.components.seconds) + Double(time.components.attoseconds) / 1e18
        let steps = results.reduce(0) { $0 + $1.steps }
        print(
            "simulator: \(Self.seeds.count) seeds, \(steps) steps, \(Int(Double(Self.seeds.count) / seconds)) seeds/s")
        for failure in results.compactMap(\.failure) { Issue.record("\(failure)") }
        for situation in Situation.allCases {
            let worlds = results.count { $0.reached[situation] ?? 0 > 0 }
            #expect(worlds > 0, "in no world \(situation.rawValue)")
        }
    }

    @Test("a worker dies before and after every step of every action, and nothing is lost or doubled")
    func diesAtEveryStep() {
        let survey = CrashSurvey.run()
        print("crash survey: \(survey.worlds) worlds, a worker died at \(survey.deaths.count) different steps")
        for failure in survey.failures {
            Issue.record("\(failure.violation)\n  again: \(failure.world.command)")
        }
        #expect(survey.missed == [], "steps at which no worker died")
        #expect(survey.actions == CrashSurvey.allActions)
    }

    @Test("a crash is written as it is read")
    func crashText() throws {
        let crash = CrashPoint(
            step: "flush rename manifests/*.manifest", occurrence: 3, moment: .after, losesPower: true)
        #expect(CrashPoint(crash.description) == crash)
        #expect(CrashPoint("flush rename") == nil)
        #expect(CrashPoint("flush rename#x after kill") == nil)
    }

    @Test("the documentation lists every deliberate bug")
    func listsEveryBug() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let text = try String(contentsOf: root.appending(path: "docs/simulation.md"), encoding: .utf8)
        for name in MutationProof.names { #expect(text.contains("`\(name)`"), "\(name) is not in docs/simulation.md") }
    }

    @Test("a shortened schedule breaks the same invariant")
    func shortens() throws {
        let name = try #require(MutationProof.names.first { $0 == "restartFromCommittedOffset" })
        let found = try #require(MutationProof.find(name, seeds: Self.seeds))
        let short = found.world.minimised()
        #expect(short.run().violation?.invariant == found.violation.invariant)
        #expect(short.plan.faults.count <= found.world.plan.faults.count)
        #expect(short.plan.traces < found.world.plan.traces)
    }

    @Test("every deliberate bug is found", arguments: MutationProof.names)
    func finds(_ mutation: String) {
        let found = MutationProof.find(mutation, seeds: Self.seeds)
        #expect(found != nil, "\(mutation) is not found within \(Self.seeds.count) seeds")
        if let found { print("\(mutation): seed \(found.world.seed), \(found.violation)") }
    }
}
