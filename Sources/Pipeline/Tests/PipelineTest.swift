package import TraceModel

/// One entry of a pipeline file's `tests`: what happens, step by step, and what is expected then. Checked as far as that is
/// possible without running it; module PipelineTesting runs it. docs/testing-pipelines.md is the reference.
public struct PipelineTest: Sendable {
    public let name: String
    /// Where its name stands.
    public let location: SourceLocation
    /// Partitions of each source's topic.
    package var partitions = 1
    /// Trace ids that the test states; others follow from the trace's name.
    package var traceIDs: [String: TraceID] = [:]
    package var steps: [Step] = []

    package init(name: String, location: SourceLocation) {
        self.name = name
        self.location = location
    }

    package struct Step: Sendable {
        package var action: Action
        package var location: SourceLocation
    }

    package enum Action: Sendable {
        case send(Traffic)
        case record(Record)
        /// Everything that these traces have sent so far is sent again.
        case resend([TraceReference])
        /// Milliseconds.
        case advance(Int64)
        case flush
        case crash
        case rebalance
        case expectTraces([TraceReference], [TraceExpectation])
        case expect([OverallExpectation])
    }

    /// Spans of one trace, or of each of many.
    package struct Traffic: Sendable {
        package var name: String
        /// How many traces; nil for one that has the name itself.
        package var count: Int?
        /// Time between two of many, milliseconds.
        package var interval: Int64 = 0
        package var spans: [SpanNotation]
    }

    /// One record of a source's topic.
    package struct Record: Sendable {
        package enum Content: Sendable {
            case spans([Traffic])
            case bytes([UInt8])
        }

        package var content: Content
        /// Nil: the source's only one, or the first.
        package var source: String?
        /// Nil: chosen by the key, as a producer would.
        package var partition: Int?
    }

    /// A trace, or a group of traces, by the name that the test gave it.
    package struct TraceReference: Sendable {
        package var name: String
        package var location: SourceLocation
    }
}

/// What is expected of one trace, or of each of several.
package struct TraceExpectation: Sendable {
    package enum Check: Sendable {
        /// `kept by errors after root`
        case fate(TraceFate, policy: String?, trigger: Decision.Trigger?)
        case policy(String)
        case trigger(Decision.Trigger)
        case probability(NumberRange)
        /// Part of the decision's reason.
        case reason(String)
        /// Spans at the decision.
        case spanCount(NumberRange)
        /// The sinks that spans of the trace have reached, all of them.
        case outputs([String])
        /// Spans that have reached a sink, as they did.
        case spans([SpanNotation])
        /// What the trace can be found by: for each key its values; nil for none.
        case index(key: String, values: [String]?)
        /// How many traces of a group had this fate.
        case count(TraceFate, NumberRange)
    }

    package var check: Check
    /// Which sampler's decision is meant; nil where there is only one.
    package var sampler: String?
    package var location: SourceLocation
}

/// What became of a trace.
package enum TraceFate: String, Sendable, CaseIterable {
    case kept, dropped
    /// Waits in a window.
    case open
    /// No sampler has seen it.
    case unseen
}

/// What is expected of the pipeline as a whole.
package struct OverallExpectation: Sendable {
    package enum Check: Sendable {
        /// The traces that have reached a stage, all of them, in any order.
        case traces([PipelineTest.TraceReference], stage: String)
        /// The reasons of the rejects that have reached a stage, all of them, in any order.
        case rejects([String], stage: String)
        /// How many traces, or rejects, have reached a stage.
        case count(NumberRange, stage: String)
        /// A metric by its name in `/metrics`; samples that have these labels are added up.
        case counter(NumberRange, name: String, labels: [(name: String, value: String)])
    }

    package var check: Check
    package var location: SourceLocation

    /// The name under which rejects are found that no stage reads.
    package static let deadLetters = "dead_letters"
}

/// A number, or the numbers from one to another.
package struct NumberRange: Sendable, Equatable, CustomStringConvertible {
    package var bounds: ClosedRange<Double>

    /// `5`, `5..10`, `5..`, `..10`; nil for anything else.
    package init?(_ text: String) {
        func number(_ text: Substring) -> Double? { Double(text).flatMap { $0.isFinite ? $0 : nil } }
        guard let dots = text.firstRange(of: "..") else {
            guard let value = number(text[...]) else { return nil }
            bounds = value...value
            return
        }
        let (left, right) = (text[..<dots.lowerBound], text[dots.upperBound...])
        guard !left.isEmpty || !right.isEmpty,
            let lower = left.isEmpty ? -Double.greatestFiniteMagnitude : number(left),
            let upper = right.isEmpty ? Double.greatestFiniteMagnitude : number(right), lower <= upper
        else { return nil }
        bounds = lower...upper
    }

    package static let expectation = "a number or a range such as 5..10"

    /// Probabilities and rates are sums of floating-point numbers.
    package func contains(_ value: Double) -> Bool {
        let margin = 1e-9 * max(1, abs(value))
        return value >= bounds.lowerBound - margin && value <= bounds.upperBound + margin
    }

    package var description: String {
        if bounds.lowerBound == bounds.upperBound { return Self.shown(bounds.lowerBound) }
        if bounds.upperBound == .greatestFiniteMagnitude { return "at least \(Self.shown(bounds.lowerBound))" }
        if bounds.lowerBound == -.greatestFiniteMagnitude { return "at most \(Self.shown(bounds.upperBound))" }
        return "\(Self.shown(bounds.lowerBound)) to \(Self.shown(bounds.upperBound))"
    }

    /// `1`, not `1.0`.
    package static func shown(_ number: Double) -> String { Int64(exactly: number).map(String.init) ?? "\(number)" }
}
