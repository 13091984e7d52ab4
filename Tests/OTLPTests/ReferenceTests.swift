import Foundation
import OTLP
import SwiftProtobuf
import Testing
import TraceModel

@Suite("Against swift-protobuf")
struct ReferenceTests {
    @Test("What the encoder writes means the same to swift-protobuf")
    func encoder() throws {
        var generator = ModelGenerator(seed: TestSettings.seed &+ 3)
        for round in 0..<200 {
            let request = generator.request()
            let reference = try Reference.decode(OTLPEncoder.encode(request))
            #expect(Reference.model(reference) == request, "seed \(TestSettings.seed), round \(round)")
        }
    }

    @Test("What swift-protobuf writes is decoded with the same content")
    func decoder() throws {
        var generator = ModelGenerator(seed: TestSettings.seed &+ 4)
        for round in 0..<200 {
            let request = generator.request()
            let bytes: [UInt8] = try Reference.decode(OTLPEncoder.encode(request)).serializedBytes()
            #expect(try OTLPDecoder.decode(bytes) == request, "seed \(TestSettings.seed), round \(round)")
        }
    }

    @Test("Two records one after the other decode as both, as protobuf merges them")
    func concatenation() throws {
        var generator = ModelGenerator(seed: TestSettings.seed &+ 5)
        for _ in 0..<50 {
            let first = generator.request()
            let second = generator.request()
            #expect(try OTLPDecoder.decode(OTLPEncoder.encode(first) + OTLPEncoder.encode(second)) == first + second)
        }
    }

    @Test("Repeated singular messages and union members merge as protobuf merges them")
    func merging() throws {
        // AnyValue: array [1], then array [2]: one array of both. Then a string: the string alone.
        let one: [UInt8] = [0x2a, 0x04, 0x0a, 0x02, 0x18, 0x01]
        let two: [UInt8] = [0x2a, 0x04, 0x0a, 0x02, 0x18, 0x02]
        let text: [UInt8] = [0x0a, 0x01, 0x78]
        for bytes in [one + two, one + two + text, text + one, one + text + two] {
            let ours = try bytes.withUnsafeBytes { try OTLPDecoder.decodeValue($0) }
            #expect(ours == Reference.value(try ReferenceValue(serializedBytes: bytes)))
        }
        // Span: status twice, the second without a code.
        let span: [UInt8] = [0x7a, 0x02, 0x18, 0x02, 0x7a, 0x03, 0x12, 0x01, 0x78]
        let ours = try span.withUnsafeBytes { try OTLPDecoder.decodeSpan($0) }
        #expect(ours.status == SpanStatus(code: .error, message: "x"))
        #expect(ours == Reference.span(try ReferenceSpan(serializedBytes: span)))
    }

    @Test(
        "On recorded traces, the JSON decoder agrees with Foundation's and swift-protobuf's",
        .enabled(if: !SharedData.files.isEmpty, Comment(rawValue: SharedData.skipReason)), arguments: SharedData.files)
    func recordedJSON(file: URL) throws {
        for line in try SharedData.lines(of: file) {
            let request = try OTLPJSONDecoder.decode(line)
            let model = try OTLPDecoder.decode(request.protobuf)

            let object = try JSONSerialization.jsonObject(with: Data(line))
            #expect(model == FoundationJSON.request(object))
            let arrival = (object as? [String: Any])?["arrival_ms"] as? NSNumber
            #expect(request.arrivalMilliseconds == arrival?.int64Value)

            // swift-protobuf reads hex ids as base64, so ids are left out of this comparison.
            var options = JSONDecodingOptions()
            options.ignoreUnknownFields = true
            let reference = try ReferenceRequest(jsonUTF8Data: Data(line), options: options)
            #expect(withoutIDs(model) == withoutIDs(Reference.model(reference)))
        }
    }

    @Test(
        "On recorded traces, every codec and the scanner agree with swift-protobuf",
        .enabled(if: !SharedData.files.isEmpty, Comment(rawValue: SharedData.skipReason)), arguments: SharedData.files)
    func recordedProtobuf(file: URL) throws {
        var scanner = OTLPScanner()
        let batch = SpanBatch()
        for line in try SharedData.lines(of: file) {
            let bytes = try OTLPJSONDecoder.decode(line).protobuf
            let reference = try Reference.decode(bytes)
            let model = try OTLPDecoder.decode(bytes)
            #expect(model == Reference.model(reference))
            #expect(try Reference.decode(OTLPEncoder.encode(model)) == normalised(reference))
            try bytes.withUnsafeBytes { try scanner.scan($0, into: batch) }
            #expect(scanner.rejectedSpans.count == Reference.spans(of: reference).count { !ScannerCheck.isUsable($0) })
            ScannerCheck.compare(batch, scanner, bytes, reference, "\(file.lastPathComponent)")
        }
    }

    private func withoutIDs(_ request: [ResourceSpans]) -> [ResourceSpans] {
        var request = request
        for resource in request.indices {
            for scope in request[resource].scopeSpans.indices {
                for span in request[resource].scopeSpans[scope].spans.indices {
                    request[resource].scopeSpans[scope].spans[span].traceID = TraceID(high: 0, low: 0)
                    request[resource].scopeSpans[scope].spans[span].spanID = SpanID(0)
                    request[resource].scopeSpans[scope].spans[span].parentSpanID = SpanID(0)
                    for link in request[resource].scopeSpans[scope].spans[span].links.indices {
                        request[resource].scopeSpans[scope].spans[span].links[link].traceID = TraceID(high: 0, low: 0)
                        request[resource].scopeSpans[scope].spans[span].links[link].spanID = SpanID(0)
                    }
                }
            }
        }
        return request
    }

    /// Presence of empty sub-messages is lost in the model: a resource and a scope are always written, a status only
    /// where it says something, and an attribute always has a value message.
    private func normalised(_ request: ReferenceRequest) -> ReferenceRequest {
        var request = request
        for resource in request.resourceSpans.indices {
            request.resourceSpans[resource].resource = request.resourceSpans[resource].resource
            for scope in request.resourceSpans[resource].scopeSpans.indices {
                let scopeValue = request.resourceSpans[resource].scopeSpans[scope].scope
                request.resourceSpans[resource].scopeSpans[scope].scope = scopeValue
                for span in request.resourceSpans[resource].scopeSpans[scope].spans.indices {
                    let status = request.resourceSpans[resource].scopeSpans[scope].spans[span].status
                    if status == .init() {
                        request.resourceSpans[resource].scopeSpans[scope].spans[span].clearStatus()
                    }
                }
            }
        }
        return request
    }
}
