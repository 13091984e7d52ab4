import OTLP

/// Reads and validates records, as every consumer of a partition does first.
public final class ScanWorkload {
    private let records: RecordSet
    private var scanner = OTLPScanner()
    private let batch = SpanBatch()
    private var json: [[UInt8]] = []

    public init(_ records: RecordSet) throws {
        self.records = records
        var spans = 0
        for index in 0..<records.count where spans < 1000 {
            try scanner.scan(records.record(index), into: batch)
            spans += batch.count
            json.append(OTLPJSONEncoder.encode(try OTLPDecoder.decode(records.record(index))))
        }
    }

    /// Scans every record; returns the number of spans.
    public func scan() throws -> Int {
        var spans = 0
        for index in 0..<records.count {
            try scanner.scan(records.record(index), into: batch)
            spans += batch.count
        }
        return spans
    }

    /// Reads OTLP/JSON into protobuf and scans that; the first thousand spans. Returns their number.
    public func scanJSON() throws -> Int {
        var spans = 0
        for text in json {
            let protobuf = try OTLPJSONDecoder.decode(text).protobuf
            try protobuf.withUnsafeBytes { try scanner.scan($0, into: batch) }
            spans += batch.count
        }
        return spans
    }
}
