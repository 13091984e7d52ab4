import Estimation
import OTLP
import Query

/// The JSON of `GET /v1/stats`, and of `decide --summary`; docs/statistics.md describes it.
package enum StatisticsJSON {
    /// `p50` and so on, in the order of `TrafficEstimate.percentiles`.
    package static let percentileNames = TrafficEstimate.percentiles.map { "p\(Int(($0 * 100).rounded()))" }

    static func answer(_ statistics: TrafficStatistics, _ query: TrafficQuery) -> [UInt8] {
        var json = JSONWriter(reservingCapacity: 1024 * (1 + statistics.groups.count))
        json.object { json in
            for (key, time) in [("startTimeUnixNano", statistics.from), ("endTimeUnixNano", statistics.to)] {
                json.key(key)
                if let time { json.quotedInt(time) } else { json.null() }
            }
            json.member("confidence", TrafficEstimate.confidence)
            json.key("by")
            if let by = query.grouping { json.string(by.rawValue) } else { json.null() }
            json.key("total")
            write(statistics.total, &json)
            json.key("groups")
            json.array { json in for row in statistics.groups { write(row, &json) } }
            json.member("hasMoreGroups", statistics.hasMoreGroups)
            json.key("exactMissing")
            if let problem = statistics.exactProblem { json.string(problem) } else { json.null() }
            if !statistics.unreadableSegments.isEmpty {
                json.key("unreadableSegments")
                json.array { json in
                    for problem in statistics.unreadableSegments {
                        json.object {
                            $0.member("path", problem.path)
                            $0.member("message", problem.explanation)
                        }
                    }
                }
            }
        }
        return json.bytes
    }

    /// One group, or the whole.
    package static func write(_ row: TrafficRow, _ json: inout JSONWriter) {
        json.object { json in
            for (key, name) in [("service", row.service), ("operation", row.operation)] {
                json.key(key)
                if let name { json.string(name) } else { json.null() }
            }
            json.key("sample")
            json.object {
                $0.member("traces", row.estimate.sampleCount)
                $0.member("errorTraces", row.estimate.sampleErrorCount)
            }
            json.key("estimate")
            write(row.estimate, &json)
            json.key("exact")
            if let exact = row.exact { write(exact, &json) } else { json.null() }
        }
    }

    private static func write(_ estimate: TrafficEstimate, _ json: inout JSONWriter) {
        json.object { json in
            for (key, value) in [
                ("traces", estimate.traces), ("errorTraces", estimate.errorTraces), ("spans", estimate.spans),
                ("errorRate", estimate.errorRate),
            ] as [(String, Estimate?)] {
                json.key(key)
                write(value, scale: 1, &json)
            }
            json.key("durationMs")
            json.object { json in
                for (name, duration) in zip(percentileNames, estimate.durations) {
                    json.key(name)
                    write(duration, scale: 1e-6, &json)
                }
            }
        }
    }

    private static func write(_ exact: TrafficCount, _ json: inout JSONWriter) {
        json.object { json in
            json.member("traces", exact.traces)
            json.member("errorTraces", exact.errorTraces)
            json.member("spans", exact.spans)
            json.key("errorRate")
            if let rate = exact.errorRate { json.double(rate) } else { json.null() }
            json.key("durationMs")
            json.object { json in
                for (name, duration) in zip(percentileNames, exact.durations) {
                    json.key(name)
                    if let duration { json.double(duration * 1e-6) } else { json.null() }
                }
            }
        }
    }

    /// JSON has no infinity: an end that the sample says nothing of is null.
    private static func write(_ estimate: Estimate?, scale: Double, _ json: inout JSONWriter) {
        guard let estimate else {
            json.null()
            return
        }
        json.object { json in
            json.member("value", estimate.value * scale)
            json.member("lower", estimate.lower * scale)
            json.key("upper")
            if estimate.upper.isFinite { json.double(estimate.upper * scale) } else { json.null() }
        }
    }
}
