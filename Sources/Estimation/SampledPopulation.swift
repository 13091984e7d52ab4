/// What a sample tells of all traffic together, for the intervals of its parts: how heavy the traces may be of which a part's
/// sample happens to have none.
///
/// A few kept traces of one service say little of that. In a sampler's threshold all services share, so what the others' kept
/// traces stand for says more (as Thorup's intervals of any subset rest on the one threshold: "Confidence intervals for priority
/// sampling", SIGMETRICS 2006). A value; not synchronised.
public struct SampledPopulation: Sendable {
    private(set) var traces = WeightedSum()
    private(set) var spans = WeightedSum()

    public init() {}

    /// Counts a kept trace.
    ///
    /// - Parameter probability: with which it was kept, in (0, 1]; anything else is taken as 1.
    public mutating func add(probability: Double, spanCount: Int) {
        let weight = TrafficEstimator.weight(probability)
        traces.add(1, weight: weight)
        spans.add(Double(spanCount), weight: weight)
    }

    /// Counts the traces of a part.
    mutating func add(traces: WeightedSum, spans: WeightedSum) {
        self.traces.add(traces)
        self.spans.add(spans)
    }
}
