/// What flows along an edge of a pipeline. An edge joins ports of one type only; the plan checks it.
public enum PortType: String, Sendable, CaseIterable {
    /// Spans as they were received, grouped by record.
    case spans
    /// Traces that a sampler has decided to keep.
    case traces
    /// One small summary per dropped trace.
    case summaries
    /// Records and spans that could not be used, with the reason: the dead letters.
    case rejects
}

/// A named output of a stage.
public struct OutputPort: Sendable, Equatable {
    public let name: String
    public let type: PortType
    /// What comes out here, for the reference documentation.
    public let summary: String
    /// True for ports that `stage` alone (without `.port`) does not mean and that may stay unconnected.
    public let isSide: Bool

    public init(_ name: String, _ type: PortType, isSide: Bool = false, summary: String) {
        self.name = name
        self.type = type
        self.isSide = isSide
        self.summary = summary
    }
}

/// The five roles of a pipeline's stages, and those that only pass through.
public enum StageRole: String, Sendable {
    case source, scrubber, sampler, indexer, sink
    /// Filters, validators, branches: spans in, the same spans out on one of several ports.
    case filter
}
