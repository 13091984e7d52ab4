extension PartitionTask {
    /// What the task's samplers hold together.
    package var gauges: SamplerGauges {
        var gauges = SamplerGauges()
        for lane in lanes { gauges.add(lane.sampler.gauges) }
        return gauges
    }
    /// Why spans cannot go to disk at present.
    package var spillError: String? { lanes.lazy.compactMap(\.sampler.gauges.spillError).first }
    package var decisionBytes: Int { lanes.reduce(0) { $0 + $1.sampler.gauges.decisionBytes } }
    package var windowBytes: Int { lanes.reduce(0) { $0 + $1.sampler.gauges.windowBytes } }
    package var openSpans: Int { lanes.reduce(0) { $0 + $1.ledger.outstandingCount } }

    /// The lowest offset whose effects are not complete in memory.
    package var low: Int64 { lanes.map(\.ledger.low).min() ?? position }
}
