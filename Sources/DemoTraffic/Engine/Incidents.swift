/// A time in which one dependency is slow for everybody who uses it.
struct Incident: Sendable {
    var dependency: Dependency
    /// Multiplies the dependency's own latency.
    var factor: Double
    var end: UInt64
}

/// The seeded sequence of incidents: about one in four minutes, 20 to 90 seconds long.
struct Incidents: Sendable {
    private var random: RandomSource
    private var nextStart: UInt64
    private(set) var current: Incident?

    init(seed: UInt64, startTime: UInt64) {
        random = RandomSource(seed: seed, stream: 0x1C1D_E275)
        nextStart = startTime + UInt64(random.double(in: 20...90) * 1e9)
    }

    /// Brings the state to `time`, which never goes back.
    mutating func advance(to time: UInt64) {
        if let running = current, running.end <= time { current = nil }
        while nextStart <= time {
            let end = nextStart + UInt64(random.double(in: 20...90) * 1e9)
            let dependency = random.element(of: Dependency.prone)
            let factor = random.double(in: 4...15)
            if end > time { current = Incident(dependency: dependency, factor: factor, end: end) }
            nextStart = end + UInt64((60 + 120 * random.exponential()) * 1e9)
        }
    }
}
