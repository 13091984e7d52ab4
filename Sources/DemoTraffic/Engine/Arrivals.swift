/// When traces begin: a Poisson process whose level changes every few seconds.
///
/// The levels are drawn for two minutes at a time and normalised, so that each two minutes hold the configured mean
/// while single slots reach several times of it.
struct Arrivals: Sendable {
    private static let slotSeconds = 5.0
    private static let slotsPerCycle = 24

    private let meanRate: Double
    private let bursts: Bool
    private var random: RandomSource
    private var levels: [Double] = []
    private var slot = Arrivals.slotsPerCycle
    private var secondsIntoSlot = 0.0
    private var slotStart: Double

    /// Seconds since the configured start of the next trace's begin.
    private(set) var nextSeconds: Double

    init(_ configuration: DemoTrafficConfiguration) {
        meanRate = max(configuration.tracesPerSecond, 1e-3)
        bursts = configuration.bursts
        random = RandomSource(seed: configuration.seed, stream: 0xA221_7A15)
        slotStart = 0
        nextSeconds = 0
        startCycle()
    }

    /// Moves on to the next arrival.
    mutating func advance() {
        // The distance to the next arrival is 1 on average, measured in expected arrivals, and may span several slots.
        var distance = random.exponential()
        while true {
            let rate = meanRate * levels[slot]
            let left = (Self.slotSeconds - secondsIntoSlot) * rate
            if distance <= left {
                secondsIntoSlot += distance / rate
                nextSeconds = slotStart + secondsIntoSlot
                return
            }
            distance -= left
            slotStart += Self.slotSeconds
            secondsIntoSlot = 0
            slot += 1
            if slot == Self.slotsPerCycle { startCycle() }
        }
    }

    private mutating func startCycle() {
        slot = 0
        guard bursts else {
            levels = Array(repeating: 1, count: Self.slotsPerCycle)
            return
        }
        var level = 1.0
        levels = (0..<Self.slotsPerCycle).map { _ in
            // Ordinary levels drift; a burst is one slot far above its neighbours.
            level = 0.6 * level + 0.4 * random.logNormal(median: 1, sigma: 0.5)
            return random.chance(0.06) ? level * random.double(in: 2.5...5) : level
        }
        let mean = levels.reduce(0, +) / Double(levels.count)
        levels = levels.map { $0 / mean }
    }
}
