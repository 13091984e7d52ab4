import Pipeline

/// Samples of a text in Prometheus' exposition format, as `MetricsText` writes it.
struct MetricSamples {
    private struct Sample {
        var name: String
        var labels: String
        var value: Double
    }

    /// Every metric that is declared, also those without a sample yet.
    private(set) var names: [String] = []
    private var samples: [Sample] = []

    init(_ text: String) {
        for line in text.split(separator: "\n") {
            if line.hasPrefix("# TYPE ") {
                let name = line.dropFirst("# TYPE ".count).prefix { $0 != " " }
                // Time that really passes is no matter of a test.
                if name != "tailrace_policy_seconds_total" { names.append(String(name)) }
            }
            guard !line.hasPrefix("#"), let space = line.lastIndex(of: " "),
                let value = Double(line[line.index(after: space)...])
            else { continue }
            let series = line[..<space]
            let name = series.prefix { $0 != "{" }
            samples.append(Sample(name: String(name), labels: String(series.dropFirst(name.count)), value: value))
        }
    }

    /// What samples with these labels add up to; a series that has not begun counts 0.
    func sum(of name: String, _ labels: [(name: String, value: String)]) -> Double {
        samples.filter { $0.name == name && Self.has(labels, $0) }.reduce(0) { $0 + $1.value }
    }

    private static func has(_ labels: [(name: String, value: String)], _ sample: Sample) -> Bool {
        labels.allSatisfy { label in
            let text = "\(label.name)=\"\(label.value)\""
            return ["{", ","].contains { sample.labels.contains($0 + text) }
        }
    }

    /// The samples of a metric as they stand in the text.
    func lines(of name: String) -> [String] {
        samples.filter { $0.name == name }.map { "\($0.name)\($0.labels) \(NumberRange.shown($0.value))" }
    }
}
