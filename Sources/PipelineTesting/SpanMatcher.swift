import Pipeline
import TraceModel

/// Finds spans that look as a test says. Each span is the match of one pattern at most.
struct SpanMatcher {
    private let spans: [(span: Span, resource: Resource)]
    private var isTaken: [Bool]

    init(spans: [(span: Span, resource: Resource)]) {
        self.spans = spans
        isTaken = Array(repeating: false, count: spans.count)
    }

    /// The first pattern that no span matches, with what is different in the span that comes closest.
    mutating func firstProblem(_ patterns: [SpanNotation], parent: SpanID? = nil) -> TraceChecker.Problem? {
        for pattern in patterns {
            var closest: (differences: [String], index: Int)?
            var match: Int?
            for index in spans.indices where !isTaken[index] && isNamed(pattern, index) {
                let differences = differences(pattern, index, parent: parent)
                if differences.isEmpty {
                    match = index
                    break
                }
                if differences.count < closest?.differences.count ?? .max { closest = (differences, index) }
            }
            if let match {
                isTaken[match] = true
                if let problem = firstProblem(pattern.children, parent: spans[match].span.spanID) { return problem }
            } else if let closest {
                return TraceChecker.Problem(
                    message: "span \(pattern.title): \(closest.differences.joined(separator: "; "))",
                    notes: ["the span is \(Self.shown(spans[closest.index]))"])
            } else {
                return TraceChecker.Problem(
                    message: "expected a span \(pattern.title), found none",
                    notes: ["spans: \(spans.map { Self.title($0) }.joined(separator: ", "))"])
            }
        }
        return nil
    }

    private func isNamed(_ pattern: SpanNotation, _ index: Int) -> Bool {
        let (span, resource) = spans[index]
        return (resource.serviceName ?? "") == pattern.service && (pattern.name == nil || pattern.name == span.name)
    }

    private func differences(_ pattern: SpanNotation, _ index: Int, parent: SpanID?) -> [String] {
        let (span, resource) = spans[index]
        var found: [String] = []
        func compare(_ what: String, _ expected: String?, _ actual: String) {
            if let expected, expected != actual { found.append("\(what) expected \(expected), found \(actual)") }
        }
        if let parent, span.parentSpanID != parent { found.append("it stands below another span") }
        compare("duration", pattern.duration.map(Self.duration), Self.duration(span.duration))
        compare("status", pattern.status.map { "\($0)" }, "\(span.status.code)")
        compare(
            "status message", pattern.statusMessage.map { Wording.quoted($0) }, Wording.quoted(span.status.message))
        compare("kind", pattern.kind?.name, span.kind.name)
        compare("tracestate", pattern.traceState.map { Wording.quoted($0) }, Wording.quoted(span.traceState))
        if pattern.isSampled, span.flags & 1 == 0 { found.append("the sampled flag is not set") }
        found += attributes(pattern.attributes, span.attributes, "")
        found += attributes(pattern.resource, resource.attributes, "resource attribute ")
        for event in pattern.events {
            let named = span.events.filter { $0.name == event.name }
            let differences = named.map { attributes(event.attributes, $0.attributes, "event \(event.name): ") }
            if named.isEmpty {
                found.append("expected an event \(Wording.quoted(event.name)), found none")
            } else if let least = differences.min(by: { $0.count < $1.count }) {
                found += least
            }
        }
        return found
    }

    private func attributes(_ pattern: [SpanNotation.Entry], _ actual: [Attribute], _ prefix: String) -> [String] {
        pattern.compactMap { entry in
            let value = actual[entry.key]
            let found = value.map(Self.shown) ?? "no such attribute"
            switch entry.value {
            case .absent: return value == nil ? nil : "\(prefix)\(entry.key) expected not to be there, found \(found)"
            case .any: return value == nil ? "\(prefix)\(entry.key) expected, found \(found)" : nil
            case .value(let expected):
                if let value, Self.isEqual(expected, value) { return nil }
                return "\(prefix)\(entry.key) expected \(Self.shown(expected)), found \(found)"
            }
        }
    }

    /// `5` and `5.0` are the same number, whichever OTLP has.
    private static func isEqual(_ left: AttributeValue, _ right: AttributeValue) -> Bool {
        switch (left, right) {
        case (.int(let int), .double(let double)), (.double(let double), .int(let int)): Double(int) == double
        case (.array(let left), .array(let right)):
            left.count == right.count && zip(left, right).allSatisfy { isEqual($0, $1) }
        default: left == right
        }
    }

    // MARK: - For people

    private static func shown(_ value: AttributeValue) -> String {
        if case .string(let text) = value { return Wording.quoted(text) }
        return Wording.printable(value.text, limit: 60)
    }

    private static func title(_ item: (span: Span, resource: Resource)) -> String {
        "\(item.resource.serviceName ?? "?") \(Wording.quoted(item.span.name))"
    }

    private static func shown(_ item: (span: Span, resource: Resource)) -> String {
        let span = item.span
        var parts = [title(item), duration(span.duration)]
        if span.status.code != .unset { parts.append("\(span.status.code)") }
        if !span.attributes.isEmpty {
            parts.append("{" + span.attributes.map { "\($0.key)=\(shown($0.value))" }.joined(separator: ", ") + "}")
        }
        return parts.joined(separator: " ")
    }

    private static func duration(_ nanoseconds: UInt64) -> String {
        "\(NumberRange.shown(Double(nanoseconds) / 1e6)) ms"
    }
}
