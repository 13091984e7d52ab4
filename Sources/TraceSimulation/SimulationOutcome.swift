/// What a world came to.
package struct SimulationOutcome: Sendable {
    package var plan: WorldPlan
    /// Nil where all invariants held.
    package var violation: Violation?
    /// System calls and messages of all workers together.
    package var steps: Int
    /// Of every step, its time and its file: equal for equal runs.
    package var digest: UInt64
    /// Microseconds.
    package var virtualTime: Int64
    package var storedSpans: Int
    package var decidedTraces: Int
    package var rebalances: Int
    /// How often each step was taken, by its name; only where crashes are scheduled.
    package var stepNames: [String: Int]
    /// Scheduled crashes that happened.
    package var crashes: [CrashPoint]
    /// How often each came about.
    package var reached: [Situation: Int]
}
