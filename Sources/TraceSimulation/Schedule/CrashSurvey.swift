/// Kills a worker before, in the middle of and after every step of every action of the protocol, and lets the power fail after
/// each, one world for each. Which steps there are is not written down anywhere: they are those that the scenarios' workers
/// take, and those that their successors take after a crash, until there are no new ones.
package struct CrashSurvey: Sendable {
    package struct Failure: Sendable {
        package var world: Reproduction
        package var violation: Violation
    }

    /// How often a worker died at each step, by the step's name.
    package private(set) var deaths: [String: Int] = [:]
    /// Steps at which none did, though they were taken.
    package private(set) var missed: [String] = []
    package private(set) var failures: [Failure] = []
    package private(set) var worlds = 0

    /// Actions with a step at which a worker died.
    package var actions: Set<String> { Set(deaths.keys.compactMap { $0.split(separator: " ").first.map(String.init) }) }
    /// All there are.
    package static let allActions = Set(ProtocolAction.allCases.map(\.rawValue))

    /// - Parameters:
    ///   - mutation: a deliberate bug that is switched on.
    ///   - everywhere: crashes at each step in each scenario, at its first, middle and last occurrence; else at the middle
    ///     one, in the first scenario that has the step.
    package static func run(mutation: String? = nil, everywhere: Bool = false) -> CrashSurvey {
        var survey = CrashSurvey()
        var known: Set<String> = []
        var plans = Scenario.allCases.map { scenario in
            var world = Reproduction(scenario: scenario, mutation: mutation)
            world.crashes = [CrashSchedule.recordOnly]
            return world
        }
        var all: Set<String> = []
        while !plans.isEmpty {
            let outcomes = ParallelWorlds.map(plans) { $0.run() }
            var next: [Reproduction] = []
            for (world, outcome) in zip(plans, outcomes) {
                survey.worlds += 1
                if let violation = outcome.violation {
                    survey.failures.append(Failure(world: world, violation: violation))
                }
                for crash in outcome.crashes.suffix(1) where crash == world.crashes.last {
                    survey.deaths[crash.step, default: 0] += 1
                }
                all.formUnion(outcome.stepNames.keys)
                for (name, count) in outcome.stepNames.sorted(by: { $0.key < $1.key }) {
                    let place = everywhere ? "\(world.scenario?.rawValue ?? "") \(name)" : name
                    guard known.insert(place).inserted else { continue }
                    next += follow(world, name, count, everywhere: everywhere)
                }
            }
            plans = next
        }
        survey.missed = all.subtracting(survey.deaths.keys).sorted()
        return survey
    }

    /// Worlds that go as this one did, and end at a step of it.
    private static func follow(_ world: Reproduction, _ step: String, _ count: Int, everywhere: Bool) -> [Reproduction]
    {
        var crashes: [(CrashPoint.Moment, Bool)] = [(.before, false), (.after, false), (.after, true)]
        if step.contains(" \(Step.write.rawValue) ") { crashes.append((.during, false)) }
        if everywhere { crashes.append((.before, true)) }
        let before = world.crashes.filter { $0 != CrashSchedule.recordOnly }
        // Of a step that is taken only after a crash the first one is that of the successor.
        let places = everywhere ? Set([0, count / 2, count - 1]) : [before.isEmpty ? count / 2 : 0]
        return places.sorted().flatMap { occurrence in
            crashes.map { moment, losesPower in
                var next = world
                next.crashes =
                    before + [
                        CrashPoint(step: step, occurrence: occurrence, moment: moment, losesPower: losesPower)
                    ]
                return next
            }
        }
    }
}
