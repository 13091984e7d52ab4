import DemoTraffic
import OTLP
import TraceModel
import TraceQL

/// TraceQL filters in place on scanned spans, and queries on whole traces.
enum TraceQLBenchmarks {
    private static let filters = [
        "{ status = error }",
        "{ duration > 800ms }",
        "{ resource.service.name = \"checkout\" && duration > 800ms }",
        "{ resource.service.name = \"checkout\" }",
        "{ span.http.response.status_code >= 500 }",
        "{ span.http.request.method = \"POST\" || span.db.system = \"postgresql\" }",
        "{ .missing = 1 }",
        "{ name =~ \"GET .*\" }",
        "{ event:name = \"exception\" }",
    ]

    private static let queries = [
        "{ status = error } | count() > 1",
        "{ kind = server } >> { status = error }",
        "{ trace:duration > 1s && status = error }",
        "{ } | by(resource.service.name) | avg(duration) > 100ms",
    ]

    static func run() throws {
        var traffic = DemoTraffic(
            DemoTrafficConfiguration(seed: 7, tracesPerSecond: 2000, startTime: 1_750_000_000_000_000_000))
        var records: [[UInt8]] = []
        while let record = traffic.next(ofFirst: 3000) { records.append(OTLPEncoder.encode(record.resourceSpans)) }
        // The batches borrow the records' bytes: one buffer, which stays.
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: records.reduce(0) { $0 + $1.count }, alignment: 8)
        defer { bytes.deallocate() }
        var scanner = OTLPScanner()
        var batches: [SpanBatch] = []
        var position = 0
        for record in records {
            let part = UnsafeMutableRawBufferPointer(rebasing: bytes[position..<(position + record.count)])
            part.copyBytes(from: record)
            position += record.count
            let batch = SpanBatch()
            try scanner.scan(UnsafeRawBufferPointer(part), into: batch)
            batches.append(batch)
        }
        let spans = batches.reduce(0) { $0 + $1.count }
        print("input: \(spans) spans in \(batches.count) records, \(bytes.count / spans) bytes per span with resources")
        for text in filters { try filter(text, batches, spans) }
        for text in queries { try query(text, batches, spans) }
    }

    private static func filter(_ text: String, _ batches: [SpanBatch], _ spans: Int) throws {
        guard case .perSpan(let predicates, _) = QueryPlan(try TraceQLQuery.checked(text).get()) else { return }
        let predicate = SpanPredicate(predicates[0])
        var matches = 0
        // Spans are tested right after they were scanned: each batch often enough that its bytes are in the cache.
        let repetitions = 20
        Measuring.report(text, spans: spans * repetitions) {
            matches = 0
            for batch in batches {
                for _ in 0..<repetitions {
                    for index in 0..<batch.count where predicate.matches(batch.heads[index], in: batch) { matches += 1 }
                }
            }
        }
        print("  matches: \(matches / repetitions)")
    }

    private static func query(_ text: String, _ batches: [SpanBatch], _ spans: Int) throws {
        let evaluator = QueryEvaluator(try TraceQLQuery.checked(text).get())
        var byTrace: [TraceID: [(batch: Int, span: Int)]] = [:]
        for (batchIndex, batch) in batches.enumerated() {
            for span in 0..<batch.count { byTrace[batch.heads[span].traceID, default: []].append((batchIndex, span)) }
        }
        let traces = Array(byTrace.values)
        let trace = QueryTrace()
        var matches = 0
        Measuring.report(text, spans: spans) {
            matches = 0
            for members in traces {
                trace.removeAll()
                for member in members { trace.add(batches[member.batch].heads[member.span], in: batches[member.batch]) }
                if evaluator.matches(trace) { matches += 1 }
            }
        }
        print("  matches: \(matches) of \(traces.count) traces")
    }
}
