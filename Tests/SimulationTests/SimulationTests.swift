import Foundation
import Testing
import TraceSimulation

/// The delivery protocol in simulated worlds: every invariant of spec/delivery.md, section 8, at every step.
@Suite(.serialized)
struct SimulationTests {
    /// As many as `make test` runs.
    static let seeds: ClosedRange<UInt64> = 1...2000

    @Test("the same seed gives the same run")
    func isDeterministic() {
        for seed in [3, 7, 33] as [UInt64] {
            let first = Simulation.run(WorldPlan(seed: seed))
            let second = Simulation.run(WorldPlan(seed: seed))
            #expect(first.digest == second.digest, "seed \(seed)")
            #expect(first.steps == second.steps, "seed \(seed)")
        }
    }

    @Test("no world breaks an invariant")
    func holdsInEveryWorld() {
        let clock = ContinuousClock()
        var failures: [String] = []
        var steps = 0
        let time = clock.measure {
            for seed in Self.seeds {
                let world = Reproduction(seed: seed)
                let outcome = world.run()
                steps += outcome.steps
                if let violation = outcome.violation {
                    failures.append("\(violation)\n  again: \(world.command) --minimise")
                }
            }
        }
        let seconds = Double(time.components.seconds) + Double(time.components.attoseconds) / 1e18
        print(
            "simulator: \(Self.seeds.count) seeds, \(steps) steps, \(Int(Double(Self.seeds.count) / seconds)) seeds/s")
        for failure in failures { Issue.record("\(failure)") }
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
