import OTLP
import TraceModel

extension ComparisonReport {
    /// The report as one JSON object, with a line end.
    package var json: [UInt8] {
        var writer = JSONWriter(pretty: true)
        writer.object { writer in
            writer.key("input")
            writer.object { writer in
                writer.member("source", source)
                writer.member("sampled", isSampled)
                writer.member("traces", result.offered.traces)
                writer.member("spans", result.offered.spans)
                writer.member("bytes", result.offered.bytes)
                writer.member("rejected_spans", result.rejectedSpans)
                writer.member("milliseconds", result.length)
            }
            for side in Side.allCases {
                writer.key(side.rawValue)
                writer.object { write(result.sides[side], &$0) }
            }
            writer.key("difference")
            Self.write(result.keptDifference, &writer)
            writer.key("policies")
            writer.array { writer in
                for row in result.policies { Self.write(row, &writer) }
            }
            writer.key("newly_kept")
            Self.write(result.gained, &writer)
            writer.key("newly_lost")
            Self.write(result.lost, &writer)
            writer.key("errors")
            Self.write(result.errors, rule: nil, &writer)
            writer.key("slow")
            Self.write(result.slow, rule: "\(result.slowRule)", &writer)
            writer.key("services")
            Self.write(result.services, &writer)
            writer.key("operations")
            Self.write(result.operations, &writer)
            writer.key("moves")
            writer.array { writer in
                for move in result.moves {
                    writer.object { writer in
                        Self.member("old", move.from, &writer)
                        Self.member("new", move.to, &writer)
                        writer.member("traces", move.traces)
                    }
                }
            }
        }
        writer.endLine()
        return writer.bytes
    }

    private func write(_ totals: ComparisonResult.SideTotals, _ writer: inout JSONWriter) {
        writer.member("file", totals.path)
        writer.member("pipeline", totals.pipeline)
        writer.member("sampler", totals.sampler)
        writer.key("kept")
        Self.write(totals.kept, &writer)
        writer.member("dropped_traces", totals.droppedTraces)
        writer.member("unsampled_traces", totals.unsampledTraces)
        writer.member("late_spans", totals.lateSpans)
        writer.member("rejected_spans", totals.rejectedSpans)
        writer.member("error_traces", totals.keptErrors)
        writer.member("slow_traces", totals.keptSlow)
    }

    private static func write(_ cost: TraceCost, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("traces", cost.traces)
            writer.member("spans", cost.spans)
            writer.member("bytes", cost.bytes)
        }
    }

    private static func write(_ row: ComparisonResult.PolicyRow, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("policy", row.name)
            writer.key("old")
            if let old = row.old { write(old, &writer) } else { writer.null() }
            writer.key("new")
            if let new = row.new { write(new, &writer) } else { writer.null() }
            writer.key("difference")
            write(row.difference, &writer)
        }
    }

    private static func write(_ change: ComparisonResult.Change, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("traces", change.cost.traces)
            writer.member("spans", change.cost.spans)
            writer.member("bytes", change.cost.bytes)
            writer.member("errors", change.errors)
            writer.member("slow", change.slow)
            writer.key("examples")
            write(change.examples, &writer)
            writer.key("root_operations")
            writer.array { writer in
                for group in change.groups {
                    writer.object { writer in
                        writer.member("service", group.service)
                        writer.member("operation", group.operation)
                        writer.member("traces", group.traces)
                        writer.member("errors", group.errors)
                        writer.member("slow", group.slow)
                    }
                }
            }
        }
    }

    private static func write(_ missed: ComparisonResult.Missed, rule: String?, _ writer: inout JSONWriter) {
        writer.object { writer in
            if let rule { writer.member("rule", rule) }
            writer.member("traces", missed.traces)
            for side in Side.allCases {
                writer.key(side.rawValue)
                writer.object { writer in
                    writer.member("kept", missed.traces - missed.missed[side])
                    writer.member("missed", missed.missed[side])
                    writer.key("examples")
                    write(missed.examples[side], &writer)
                }
            }
        }
    }

    private static func write(_ examples: [ComparisonResult.Example], _ writer: inout JSONWriter) {
        writer.array { writer in
            for example in examples {
                writer.object { writer in
                    writer.member("trace_id", example.traceID.hex)
                    writer.member("root_service", example.service)
                    writer.member("root_operation", example.operation)
                    writer.member("has_root", example.hasRoot)
                    writer.member("duration_nano", example.duration)
                    writer.member("spans", example.spanCount)
                    writer.member("error", example.isError)
                    writer.member("slow", example.isSlow)
                    member("old", example.keptBy.old, &writer)
                    member("new", example.keptBy.new, &writer)
                }
            }
        }
    }

    private static func write(_ coverage: ComparisonResult.Coverage, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("offered", coverage.offered)
            writer.member("old", coverage.covered.old)
            writer.member("new", coverage.covered.new)
            writer.key("no_longer_covered")
            write(coverage.lost, &writer)
            writer.key("newly_covered")
            write(coverage.gained, &writer)
        }
    }

    private static func write(_ list: [ComparisonResult.Covered], _ writer: inout JSONWriter) {
        writer.array { writer in
            for covered in list {
                writer.object { writer in
                    writer.member("service", covered.service)
                    if let operation = covered.operation { writer.member("operation", operation) }
                    writer.member("spans", covered.spans)
                    if let traces = covered.traces { writer.member("kept_traces", traces) }
                }
            }
        }
    }

    /// A policy, or null where the trace is not kept.
    private static func member(_ name: StaticString, _ policy: String?, _ writer: inout JSONWriter) {
        writer.key(name)
        if let policy { writer.string(policy) } else { writer.null() }
    }
}
