/// What the demo world looks like. The same values give the same records, byte for byte.
public struct DemoTrafficConfiguration: Sendable, Hashable {
    /// Decides everything that is left to chance.
    public var seed: UInt64 = 1
    /// The mean; with `bursts` single seconds lie well above and below it.
    public var tracesPerSecond: Double = 50
    /// When the first trace begins, in nanoseconds since the Unix epoch.
    public var startTime: UInt64
    /// The share of traces that hold at least one span with status error.
    public var errorRate: Double = 0.01
    /// The share of traces that one dependency makes slow (root longer than a second). Timeouts, incidents and batch
    /// jobs come on top.
    public var slowRate: Double = 0.02
    /// The share of traces of which a few spans arrive `lateDelay` after the rest.
    public var lateRate: Double = 0.005
    /// How much later late spans arrive, in seconds.
    public var lateDelay: ClosedRange<Double> = 3...20
    /// The share of traces that lose one span on the way, so that its children's parent never arrives.
    public var orphanRate: Double = 0.001
    /// The longest time in seconds that an SDK holds ended spans before it exports them; 0 exports at once.
    public var batchDelay: Double = 2
    /// Some instances' clocks are off, most by milliseconds, a few by seconds.
    public var clockSkew: Bool = true
    /// Traffic changes in time instead of being level.
    public var bursts: Bool = true
    /// From time to time one dependency is slow for everybody who uses it.
    public var incidents: Bool = true
    /// Multiplies the number of rounds in the loops of batch jobs (the daily report, the stocktake).
    public var bulkiness: Double = 1

    public init(startTime: UInt64) {
        self.startTime = startTime
    }

    public init(seed: UInt64 = 1, tracesPerSecond: Double = 50, startTime: UInt64) {
        self.seed = seed
        self.tracesPerSecond = tracesPerSecond
        self.startTime = startTime
    }
}
