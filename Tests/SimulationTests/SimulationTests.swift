import Testing
import TraceSimulation

struct SimulationTests {
    @Test("the same seed gives the same run")
    func isDeterministic() {
        let first = Simulation.run(WorldPlan(seed: 7))
        let second = Simulation.run(WorldPlan(seed: 7))
        #expect(first.digest == second.digest)
    }
}
