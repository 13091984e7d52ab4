import Glibc
import TraceSimulation

enum SoakCommand {
    static func main(_ arguments: [String]) {
        let first = UInt64(arguments.count > 1 ? arguments[1] : "1") ?? 1
        let count = UInt64(arguments.count > 2 ? arguments[2] : "1") ?? 1
        let verbose = arguments.contains("--trace")
        var start = timespec()
        clock_gettime(CLOCK_MONOTONIC, &start)
        var failures = 0
        var steps = 0
        for seed in first..<first + count {
            let outcome = Simulation.run(WorldPlan(seed: seed), transcript: verbose ? { print($0) } : nil)
            steps += outcome.steps
            if let violation = outcome.violation {
                failures += 1
                print("seed \(seed): \(violation)")
            } else if count == 1 {
                print("seed \(seed): fine; \(outcome)")
            }
        }
        var end = timespec()
        clock_gettime(CLOCK_MONOTONIC, &end)
        let seconds = Double(end.tv_sec - start.tv_sec) + Double(end.tv_nsec - start.tv_nsec) / 1e9
        print("\(count) seeds, \(failures) failures, \(steps) steps, \(seconds) s, \(Double(count) / seconds) seeds/s")
    }
}
