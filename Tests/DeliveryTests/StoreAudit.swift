import Foundation
import OTLP
import Pipeline
import Storage
import TraceModel

/// What a store says became of every span: reads what a reader may see, and the decisions a successor would follow.
struct StoreAudit {
    /// Times each span is stored in rows that count.
    private(set) var stored: [TraceID: [SpanID: Int]] = [:]
    private(set) var dropped: Set<TraceID> = []
    private(set) var deadLetters = 0
    private(set) var problems: [String] = []

    init(store: String, partitions: [PartitionID]) throws {
        let layout = StoreLayout(root: store)
        let catalog = StoreCatalog(layout: layout)
        for segment in try catalog.refresh() {
            let reader = try SegmentReader(
                path: layout.path(segment.reference.path), expectedByteCount: segment.reference.byteCount)
            var rows: [SegmentReader.Row] = []
            try reader.forEachRow { row in
                if segment.acceptedPartitions.contains(row.partition) { rows.append(row) }
            }
            // All at once: a block of many traces is then unpacked once.
            for (row, payload) in zip(rows, try reader.payloads(of: rows)) {
                for resourceSpans in try OTLPDecoder.decode(payload) {
                    for span in resourceSpans.scopeSpans.flatMap(\.spans) {
                        stored[row.traceID, default: [:]][span.spanID, default: 0] += 1
                    }
                }
            }
        }
        problems = catalog.problems
        try readDecisions(layout, partitions)
        let folder = URL(fileURLWithPath: layout.deadLetters)
        // A crash between a dead letter and its manifest writes it again; it is the same by its place in the log.
        var places: Set<String> = []
        for file in (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? [] {
            for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
                let letter = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
                places.insert("\(letter?["topic"] ?? "")-\(letter?["partition"] ?? "")-\(letter?["offset"] ?? "")")
            }
        }
        deadLetters = places.count
    }

    private mutating func readDecisions(_ layout: StoreLayout, _ partitions: [PartitionID]) throws {
        let delivery = try FileDeliveryStore(layout: layout, incarnation: "audit-\(UInt64.random(in: 0 ... .max))")
        var drops: Set<TraceID> = []
        for partition in partitions {
            guard let entry = try delivery.acquire(partition).entry else { continue }
            try delivery.readDecisions(of: entry, since: .min) { _, records in
                for record in records where !record.isKept { drops.insert(record.traceID) }
            }
        }
        dropped = drops
    }

    /// Everything that is wrong, given what was written: empty when each trace is stored whole and once, or dropped.
    func discrepancies(written: [TraceID: Bool]) -> [String] {
        var found = problems
        for (id, hasError) in written {
            let spans = stored[id] ?? [:]
            if spans.values.contains(where: { $0 > 1 }) { found.append("\(id) has a span stored twice: \(spans)") }
            if spans.isEmpty, !dropped.contains(id) { found.append("\(id) is neither stored nor dropped: lost") }
            if !spans.isEmpty, dropped.contains(id) { found.append("\(id) is stored and dropped") }
            if !spans.isEmpty, spans.count != TraceProducer.spansPerTrace {
                found.append("\(id) is stored with \(spans.count) spans")
            }
            if hasError, spans.isEmpty { found.append("\(id) has an error and is not stored") }
        }
        return found
    }
}
