import OTLP
import Testing
import TraceModel

@Suite("Round trips")
struct RoundTripTests {
    @Test("The model survives protobuf unchanged")
    func protobuf() throws {
        var generator = ModelGenerator(seed: TestSettings.seed)
        for round in 0..<300 {
            let request = generator.request()
            let decoded = try OTLPDecoder.decode(OTLPEncoder.encode(request))
            #expect(decoded == request, "seed \(TestSettings.seed), round \(round)")
        }
    }

    @Test("The model survives OTLP/JSON unchanged", arguments: [false, true])
    func json(pretty: Bool) throws {
        var generator = ModelGenerator(seed: TestSettings.seed &+ 1)
        for round in 0..<300 {
            let request = generator.request()
            let text = OTLPJSONEncoder.encode(request, pretty: pretty)
            let decoded = try OTLPJSONDecoder.decodeModel(text)
            #expect(identical(decoded, request), "seed \(TestSettings.seed), round \(round)")
        }
    }

    @Test("NaN survives both encodings")
    func nan() throws {
        let request = [
            ResourceSpans(resource: Resource(attributes: [Attribute("nan", .double(.nan))]), scopeSpans: [])
        ]
        let viaProtobuf = try OTLPDecoder.decode(OTLPEncoder.encode(request))
        let viaJSON = try OTLPJSONDecoder.decodeModel(OTLPJSONEncoder.encode(request))
        for decoded in [viaProtobuf, viaJSON] {
            guard case .double(let double)? = decoded.first?.resource.attributes["nan"] else {
                Issue.record("no double")
                continue
            }
            #expect(double.isNaN)
        }
    }

    @Test("arrival_ms is written and read back")
    func arrival() throws {
        for arrival: Int64 in [0, -5, 51_036_007_853] {
            let text = OTLPJSONEncoder.encode([], arrivalMilliseconds: arrival)
            #expect(try OTLPJSONDecoder.decode(text).arrivalMilliseconds == arrival)
        }
    }

    @Test("Single messages decode on their own")
    func messages() throws {
        var generator = ModelGenerator(seed: TestSettings.seed &+ 2)
        for _ in 0..<50 {
            let span = generator.span()
            var writer = ProtobufWriter()
            OTLPEncoder.encode(span: span, into: &writer)
            #expect(try writer.bytes.withUnsafeBytes { try OTLPDecoder.decodeSpan($0) } == span)

            let resource = Resource(attributes: generator.attributes(), droppedAttributesCount: 3)
            writer = ProtobufWriter()
            OTLPEncoder.encode(resource: resource, into: &writer)
            #expect(try writer.bytes.withUnsafeBytes { try OTLPDecoder.decodeResource($0) } == resource)
        }
    }
}
