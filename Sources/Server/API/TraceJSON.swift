import OTLP
import Pipeline
import Query
import TraceModel

/// The JSON of the native API.
enum TraceJSON {
    /// OTLP/JSON with a member `tailrace`, which readers of OTLP ignore.
    static func trace(_ trace: StoredTrace) -> [UInt8] {
        var json = JSONWriter(reservingCapacity: 512 * trace.spanCount)
        json.object {
            $0.key("resourceSpans")
            $0.array { for element in trace.resourceSpans { OTLPJSONEncoder.write(element, into: &$0) } }
            $0.key("tailrace")
            $0.object {
                $0.member("traceID", trace.traceID.hex)
                $0.member("spanCount", trace.spanCount)
                $0.member("leftOutSpanCount", trace.leftOutSpanCount)
                $0.member("lateParts", trace.lateRowCount)
                $0.key("decision")
                if let decision = trace.decision { write(decision, into: &$0) } else { $0.null() }
                write(trace.unreadableSegments, into: &$0)
            }
        }
        return json.bytes
    }

    private static func write(_ decision: Decision, into json: inout JSONWriter) {
        json.object {
            $0.member("decision", decision.isKept ? "keep" : "drop")
            $0.member("policy", decision.policy)
            $0.member("probability", decision.probability)
            $0.member("policyVersion", decision.policyVersion)
            $0.member("trigger", decision.trigger.name)
            $0.member("decidedAtUnixMilli", decision.decidedAt)
            $0.member("reason", decision.reason)
        }
    }

    private static func write(_ problems: [SegmentProblem], into json: inout JSONWriter) {
        // Only there when something is missing: a client that looks for the member sees an incomplete answer at once.
        if problems.isEmpty { return }
        json.key("unreadableSegments")
        json.array {
            for problem in problems {
                $0.object {
                    $0.member("path", problem.path)
                    $0.member("message", problem.explanation)
                }
            }
        }
    }

    static func search(_ page: SearchPage) -> [UInt8] {
        var json = JSONWriter(reservingCapacity: 512 * page.traces.count)
        json.object {
            $0.key("traces")
            $0.array { for trace in page.traces { write(trace, into: &$0) } }
            $0.key("nextCursor")
            if let cursor = page.nextCursor { $0.string(cursor.description) } else { $0.null() }
            write(page.unreadableSegments, into: &$0)
        }
        return json.bytes
    }

    private static func write(_ trace: TraceSummaryRow, into json: inout JSONWriter) {
        json.object {
            $0.member("traceID", trace.traceID.hex)
            $0.member("rootServiceName", trace.rootService)
            $0.member("rootTraceName", trace.rootName)
            $0.member("hasRoot", trace.hasRoot)
            $0.key("startTimeUnixNano")
            $0.quotedInt(trace.startTime)
            $0.key("durationNanos")
            $0.quotedInt(trace.duration)
            $0.member("durationMs", Double(trace.duration / 1000) / 1000)
            $0.member("spanCount", trace.spanCount)
            $0.member("leftOutSpanCount", trace.leftOutSpanCount)
            $0.member("errorCount", trace.errorCount)
            $0.key("services")
            $0.array { for service in trace.services { $0.string(service) } }
            $0.member("policy", trace.policy)
            $0.member("probability", trace.probability)
            $0.member("reason", trace.reason)
        }
    }

    static func services(_ names: [String]) -> [UInt8] {
        var json = JSONWriter()
        json.object {
            $0.key("services")
            $0.array { for name in names { $0.string(name) } }
        }
        return json.bytes
    }

    static func operations(_ operations: [IndexedOperation]) -> [UInt8] {
        var json = JSONWriter()
        json.object {
            $0.key("operations")
            $0.array {
                for operation in operations {
                    $0.object {
                        $0.member("name", operation.operation)
                        $0.member("spanKind", operation.kind.name)
                    }
                }
            }
        }
        return json.bytes
    }

    static func health(_ report: HealthReport) -> [UInt8] {
        var json = JSONWriter()
        json.object {
            $0.member("ready", report.isReady)
            $0.key("dependencies")
            $0.array {
                for dependency in report.dependencies {
                    $0.object {
                        $0.member("name", dependency.name)
                        $0.member("state", dependency.state)
                        $0.member("detail", dependency.detail)
                    }
                }
            }
        }
        return json.bytes
    }
}
