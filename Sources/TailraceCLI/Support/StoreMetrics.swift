import Query
import Server
import Tailrace

/// Metrics and health of a query server.
enum StoreMetrics {
    static func render(_ store: TraceStore) -> String {
        var text = MetricsText()
        guard let statistics = try? store.statistics() else { return "" }
        text.gauge("tailrace_store_segments", "Segments that readers may see.", statistics.segmentCount)
        text.gauge("tailrace_store_traces", "Rows of traces in those segments.", statistics.traceCount)
        text.gauge("tailrace_store_spans", "Spans in those segments.", statistics.spanCount)
        text.gauge("tailrace_store_file_bytes", "Size of those segments.", statistics.fileBytes)
        text.gauge("tailrace_store_payload_bytes", "Size of the spans before compression.", statistics.payloadBytes)
        text.gauge("tailrace_store_cache_bytes", "Memory of cached summaries.", statistics.cachedBytes)
        text.gauge(
            "tailrace_store_unreadable_segments", "Segments that cannot be read.", statistics.unreadableSegments.count)
        return text.rendered
    }

    static func health(_ store: TraceStore) -> HealthReport {
        do {
            let statistics = try store.statistics()
            let problem =
                statistics.catalogError ?? statistics.unreadableSegments.first.map { "\($0.path): \($0.explanation)" }
            return HealthReport(
                ready: statistics.catalogError == nil,
                dependencies: [
                    HealthReport.Dependency(
                        name: "store", state: problem == nil ? "ok" : "degraded", detail: problem ?? "")
                ])
        } catch {
            return HealthReport(
                ready: false, dependencies: [HealthReport.Dependency(name: "store", state: "down", detail: "\(error)")])
        }
    }
}
