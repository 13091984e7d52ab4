import Pipeline
import Query

/// Which traces count as slow.
package enum SlowRule: Sendable, Equatable, CustomStringConvertible {
    /// Longer than this, nanoseconds.
    case duration(UInt64)
    /// Longer than this share of the traces with the same root service and operation, 0…1 (nearest rank, exact).
    case percentile(Double)

    /// `p99`, `p99.9`, or a duration with a unit; nil for anything else.
    package init?(_ text: String) {
        if text.hasPrefix("p"), let percent = Double(text.dropFirst()), percent > 0, percent < 100 {
            self = .percentile(percent / 100)
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
        case .percentile(let share): "longer than the p\(Self.text(share)) of their root operation"
        }
    }

    private static func text(_ share: Double) -> String {
        let percent = (share * 1e6).rounded() / 1e4
        return percent == percent.rounded() ? "\(Int(percent))" : "\(percent)"
    }

    /// For each trace whether it is slow.
    func slowTraces(_ traces: [TraceFacts]) -> [Bool] {
        switch self {
        case .duration(let limit): return traces.map { $0.duration > limit }
        case .percentile(let share):
            var result = [Bool](repeating: false, count: traces.count)
            let order = traces.indices.sorted { left, right in
                traces[left].root == traces[right].root
                    ? traces[left].duration < traces[right].duration : traces[left].root < traces[right].root
            }
            var rest = order[...]
            while let first = rest.first {
                let group = rest.prefix { traces[$0].root == traces[first].root }
                rest = rest.dropFirst(group.count)
                let rank = min(group.count, max(1, Int((share * Double(group.count)).rounded(.up))))
                let limit = traces[group[group.startIndex + rank - 1]].duration
                for index in group where traces[index].duration > limit { result[index] = true }
            }
            return result
        }
    }
}
