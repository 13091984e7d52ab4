/// What is to go wrong in one trace, decided before it runs so that the configured shares hold.
struct Plan: Sendable {
    private var faultAt: Int?
    private var fault = Fault.internalError
    /// How many visits of the operation fail: one, where trying again helps.
    private var failuresLeft = 0
    private var slowAt: Int?
    /// Nanoseconds.
    private var slowness = 0.0

    /// Something is still to happen.
    private(set) var isPending = false

    init(
        world: World, configuration: DemoTrafficConfiguration, root: Int, incident: Incident?,
        random: inout RandomSource
    ) {
        let sites = world.faultSites[root]
        if random.chance(configuration.errorRate), !sites.isEmpty {
            // During an incident errors gather at the slow dependency, at the same overall rate.
            let affected = sites.filter { world.operations[$0.operation].dependency == incident?.dependency }
            let useAffected = incident != nil && !affected.isEmpty && random.chance(0.7)
            let candidates = useAffected ? affected : sites
            let site = candidates[WeightedChoice(weights: candidates.map(\.weight)).sample(&random)]
            faultAt = site.operation
            fault = site.fault
            failuresLeft = fault.isRetriable && random.chance(0.6) ? 1 : .max
        }
        let slowSites = world.slowSites[root]
        if random.chance(configuration.slowRate), !slowSites.isEmpty {
            slowAt = random.element(of: slowSites)
            slowness = max(random.logNormal(median: 1.9e9, sigma: 0.5), 1.05e9)
        }
        isPending = faultAt != nil || slowAt != nil
    }

    /// Whether a step leads to something that is still to happen.
    func needs(_ step: World.LinkedStep, in world: World) -> Bool {
        if let faultAt, world.reaches(faultAt, through: step) { return true }
        if let slowAt, world.reaches(slowAt, through: step) { return true }
        return false
    }

    /// The fault of this visit to an operation, if one is planned there.
    mutating func takeFault(at operation: Int) -> Fault? {
        guard operation == faultAt, failuresLeft > 0 else { return nil }
        failuresLeft -= 1
        if failuresLeft == 0 { faultAt = nil }
        isPending = faultAt != nil || slowAt != nil
        return fault
    }

    /// Nanoseconds to add to this operation; given once.
    mutating func takeSlowness(at operation: Int) -> Double? {
        guard operation == slowAt else { return nil }
        slowAt = nil
        isPending = faultAt != nil
        return slowness
    }
}
