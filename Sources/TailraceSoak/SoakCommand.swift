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
    @Option(help: "Switch on a deliberate bug (debug builds only).")
    var mutation: String?
    @Flag(help: "Print every step.")
    var trace = false
    @Flag(help: "Shorten the schedule of a failing seed.")
    var minimise = false

    @Flag(help: "Look for each deliberate bug in the seeds (debug builds only).")
    var mutations = false

    func run() throws {
        if mutations { return try findMutations() }
        var start = timespec()
        clock_gettime(CLOCK_MONOTONIC, &start)
        let range = seed.map { $0..<$0 + 1 } ?? first..<first + seeds
        var failures = 0
        var steps = 0
        for seed in range {
            var world = Reproduction(seed: seed, mutation: mutation)
            world.dropped = Set((drop ?? "").split(separator: ",").compactMap { Int($0) })
            world.traces = traces
            world.badRecords = badRecords
            world.workers = workers
            world.threads = threads
            let outcome = world.run(transcript: trace ? { print($0) } : nil)
            steps += outcome.steps
            guard let violation = outcome.violation else { continue }
            failures += 1
            report(world, violation)
            fflush(nil)
        }
        var end = timespec()
        clock_gettime(CLOCK_MONOTONIC, &end)
        let seconds = Double(end.tv_sec - start.tv_sec) + Double(end.tv_nsec - start.tv_nsec) / 1e9
        let speed = Int((Double(range.count) / seconds).rounded())
        print("\(range.count) seeds, \(steps) steps, \(failures) failures, \(speed) seeds/s")
        if failures > 0 { throw ExitCode.failure }
    }

    private func findMutations() throws {
        guard !MutationProof.names.isEmpty else {
            throw ValidationError("release builds have no deliberate bugs; leave out -c release")
        }
        var missing = 0
        for name in MutationProof.names where mutation == nil || mutation == name {
            if let found = MutationProof.find(name, seeds: first...first + seeds - 1) {
                print("\(name): seed \(found.world.seed), \(found.violation)")
            } else {
                print("\(name): NOT FOUND")
                missing += 1
            }
            fflush(nil)
        }
        if missing > 0 { throw ExitCode.failure }
    }

    private func report(_ world: Reproduction, _ violation: Violation) {
        print("seed \(world.seed): \(violation)")
        print("  again:  \(world.command)")
        guard minimise else { return }
        let short = world.minimised()
        print("  short:  \(short.command)")
        for line in short.schedule { print("    \(line)") }
    }
}
