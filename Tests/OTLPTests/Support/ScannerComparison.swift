import OTLP
import Testing
import TraceModel

/// Runs the product's scanner and the slow one over the same records: same spans, same errors, same offsets.
struct ScannerComparison {
    private var scanner = OTLPScanner()
    private var slow = SlowScanner()
    private let batch = SpanBatch()
    private var accepted = 0
    private var refused = 0

    mutating func compare(_ record: [UInt8], _ place: @autoclosure () -> String) {
        // A copy of exactly this size: a read past the end is then visible to a sanitizer.
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: record.count, alignment: 1)
        defer { buffer.deallocate() }
        buffer.copyBytes(from: record)
        let bytes = UnsafeRawBufferPointer(buffer)
        var found: ScanError?
        var expected: ScanError?
        var reference = SlowBatch()
        do throws(ScanError) { try scanner.scan(bytes, into: batch) } catch { found = error }
        do throws(ScanError) { reference = try slow.scan(bytes) } catch { expected = error }
        if expected == nil { accepted += 1 } else { refused += 1 }
        if found != expected {
            Issue.record("\(text(found)) instead of \(text(expected)); \(place()); \(hex(record))")
            return
        }
        if scanner.rejectedSpans.map(\.index) != slow.rejectedSpans.map(\.index)
            || scanner.rejectedSpans.map(\.error) != slow.rejectedSpans.map(\.error)
            || batch.units.map(Fields.init) != reference.units.map(Fields.init)
            || batch.heads.map(Fields.init) != reference.heads.map(Fields.init)
        {
            Issue.record("other spans; \(place()); \(hex(record))")
        }
        if !areKeysFound { Issue.record("a key is not in the filter; \(place()); \(hex(record))") }
    }

    /// Whether no attribute is missed by those who ask the scanner which keys there can be.
    private var areKeysFound: Bool {
        func isFound(_ message: UnsafeRawBufferPointer, _ kind: AttributeLookup.Message, in keys: UInt64) -> Bool {
            var isFound = true
            AttributeLookup.forEach(in: message, kind) { key, _ in
                isFound = isFound && keys & AttributeKeyFilter.bit(of: key) != 0
                return isFound
            }
            return isFound
        }
        return batch.heads.allSatisfy { isFound(batch.bytes($0.message), .span, in: $0.attributeKeys) }
            && batch.units.allSatisfy {
                isFound(batch.bytes($0.resource), .resource, in: $0.resourceKeys)
                    && isFound(batch.bytes($0.scope), .scopeOrEvent, in: $0.scopeKeys)
            }
    }

    /// One attribute with this key and this `AnyValue`, in a span, a resource, a scope, an event and a link.
    mutating func compareAttribute(_ key: [UInt8], _ value: [UInt8], _ place: @autoclosure () -> String) {
        let body = Wire.field(0x0a, key) + Wire.field(0x12, value)
        let span = Wire.spanHead
        let plain = Wire.attribute(Array("http.request.method".utf8), Wire.field(0x0a, Array("GET".utf8)))
        // Alone, first, last and in the middle: bounds differ.
        compare(Wire.request(span: span + Wire.field(0x4a, body)), place())
        compare(Wire.request(span: span + Wire.field(0x4a, body) + plain), place())
        compare(Wire.request(span: span + plain + Wire.field(0x4a, body)), place())
        compare(
            Wire.request(span: span + plain + Wire.field(0x4a, body) + [0x85, 0x01, 0x01, 0x03, 0x00, 0xff]), place())
        compare(Wire.request(span: span + Wire.field(0x5a, Wire.field(0x1a, body))), place())
        compare(Wire.request(span: span + Wire.field(0x6a, Wire.field(0x22, body)) + plain), place())
        compare(Wire.field(0x0a, Wire.field(0x0a, Wire.field(0x0a, body))), place())
        let scope = Wire.field(0x0a, Array("library".utf8)) + Wire.field(0x1a, body)
        compare(Wire.field(0x0a, Wire.field(0x12, Wire.field(0x0a, scope))), place())
    }

    func expectEnough() {
        #expect(accepted > 0 && refused > 0, "\(accepted) accepted, \(refused) refused: too few to mean anything")
    }

    private func text(_ error: ScanError?) -> String { error.map(\.description) ?? "no error" }

    private func hex(_ bytes: [UInt8]) -> String {
        bytes.prefix(600).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }

    private struct Fields: Equatable {
        var ids: [UInt64]
        var ranges: [ByteRange]
        var numbers: [UInt64]

        init(_ unit: SpanUnit) {
            ids = []
            ranges = [unit.resource, unit.resourceSchemaURL, unit.scope, unit.scopeSchemaURL]
            numbers = []
        }

        init(_ head: SpanHead) {
            ids = [head.traceID.high, head.traceID.low, head.spanID.value, head.parentSpanID.value]
            ranges = [head.message, head.name, head.traceState, head.attributes]
            numbers = [
                head.startTime, head.endTime, UInt64(head.flags), UInt64(head.unit), UInt64(head.attributeCount),
                UInt64(head.kind), UInt64(head.status), head.hasEventsOrLinks ? 1 : 0,
            ]
        }
    }
}
