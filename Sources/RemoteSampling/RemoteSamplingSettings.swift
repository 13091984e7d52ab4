/// What is asked of remote sampling. Names as in the configuration of Jaeger's adaptive sampling, where it has them.
public struct RemoteSamplingSettings: Sendable, Equatable {
    /// Whether root spans that do not tell their probability come from clients that follow the strategies.
    public enum UnmarkedSpans: String, Sendable, CaseIterable {
        /// Those of services that ask for strategies.
        case auto
        case remote
        case unsampled
    }

    /// Sampled traces per second that each operation shall give, over all instances of its service.
    public var targetSamplesPerSecond = 1.0
    /// For operations that were not seen yet.
    public var initialSamplingProbability = 0.001
    public var minSamplingProbability = 0.00001
    public var maxSamplingProbability = 1.0
    /// What each instance of a service may sample of each operation whatever the probability.
    public var minSamplesPerSecond = 1.0 / 60
    /// Milliseconds between two calculations.
    public var calculationInterval: Int64 = 60_000
    /// How often clients ask, milliseconds: what they follow is up to so old.
    public var pollingInterval: Int64 = 60_000
    public var unmarkedSpans = UnmarkedSpans.auto
    /// Operations with a probability of their own, over all services; all others of a service share one.
    public var maxOperations = 2000

    public init() {}
}
