import Estimation
import Pipeline
import Query

/// Which traces count as slow.
package enum SlowRule: Sendable, Equatable, CustomStringConvertible {
    /// Longer than this, nanoseconds.
    case duration(UInt64)
    /// Longer than this many percent of the traces with the same root service and operation (nearest rank, exact).
    case percentile(Double)

    /// `p99`, `p99.9`, or a duration with a unit; nil for anything else.
    package init?(_ text: String) {
        if text.hasPrefix("p"), let percent = Double(text.dropFirst()), percent > 0, percent < 100 {
            self = .percentile(percent)
        } else if let milliseconds = Units.duration(text), milliseconds >= 0 {
            let (nanoseconds, overflow) = UInt64(milliseconds).multipliedReportingOverflow(by: 1_000_000)
            guard !overflow else { return nil }
            self = .duration(nanoseconds)
        } else {
            return nil
        }
    }

    package var description: String {
        switch self {
        case .duration(let nanoseconds): "longer than \(DurationText.format(nanoseconds))"
        case .percentile(let percent):
            "longer than the p\(percent == percent.rounded() ? "\(Int(percent))" : "\(percent)") of their root operation"
        }
    }

    /// For each trace whether it is slow.
    func slowTraces(_ traces: [TraceFacts]) -> [Bool] {
        switch self {
        case .duration(let limit): return traces.map { $0.duration > limit }
        case .percentile(let percent):
            var result = [Bool](repeating: false, count: traces.count)
            let order = traces.indices.sorted { left, right in
                traces[left].root == traces[right].root
                    ? traces[left].duration < traces[right].duration : traces[left].root < traces[right].root
            }
            var rest = order[...]
            while let first = rest.first {
                let group = rest.prefix { traces[$0].root == traces[first].root }
                rest = rest.dropFirst(group.count)
                let index = group.startIndex + NearestRank.index(percent / 100, of: group.count)
                let limit = traces[group[index]].duration
                for index in group where traces[index].duration > limit { result[index] = true }
            }
            return result
        }
    }
}
