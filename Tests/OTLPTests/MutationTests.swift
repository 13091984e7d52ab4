import Foundation
import OTLP
import SwiftProtobuf
import Testing
import TraceModel

@Suite("Damaged bytes")
struct MutationTests {
    /// Requests to damage: generated ones that use every field, and small ones where each byte matters.
    private func seeds(_ seed: UInt64) -> [[ResourceSpans]] {
        var generator = ModelGenerator(seed: seed)
        var requests = (0..<12).map { _ in generator.request() }.filter { !$0.isEmpty }
        let span = generator.span()
        requests.append([
            ResourceSpans(
                resource: Resource(attributes: [Attribute("service.name", .string("checkout"))]),
                scopeSpans: [ScopeSpans(scope: InstrumentationScope(name: "lib"), spans: [span])])
        ])
        let small = Span(
            traceID: TraceID(high: 1, low: 2), spanID: SpanID(3), name: "GET", kind: .server, startTime: 1, endTime: 2,
            status: SpanStatus(code: .error, message: "no"))
        requests.append([
            ResourceSpans(
                resource: Resource(), scopeSpans: [ScopeSpans(scope: InstrumentationScope(), spans: [small])])
        ])
        return requests
    }

    @Test("The decoder accepts the same damaged protobuf as swift-protobuf, with the same content, and never traps")
    func decoder() throws {
        let seed = TestSettings.seed &+ 10
        var random = SeededGenerator(seed: seed)
        let seeds = seeds(seed).map(OTLPEncoder.encode)
        var accepted = 0
        for round in 0..<TestSettings.rounds {
            let bytes = Mutation.mutate(seeds[round % seeds.count], &random)
            let reference = try? Reference.decode(bytes)
            do {
                let model = try OTLPDecoder.decode(bytes)
                accepted += 1
                guard let reference else {
                    Issue.record("swift-protobuf rejects: seed \(seed), round \(round), \(hex(bytes))")
                    continue
                }
                if !identical(model, Reference.model(reference)) {
                    Issue.record("content differs: seed \(seed), round \(round), \(hex(bytes))")
                }
            } catch  where [.traceIDLength, .spanIDLength].contains(error.code) {
                // Stricter than protobuf on purpose; also where a later id of the right length replaced the wrong one.
                continue
            } catch  where error.code == .nestedTooDeep {
                continue
            } catch {
                if reference != nil {
                    Issue.record("swift-protobuf accepts (\(error)): seed \(seed), round \(round), \(hex(bytes))")
                }
            }
        }
        #expect(accepted > TestSettings.rounds / 50, "too few mutations survive to mean anything")
    }

    @Test("The scanner accepts the same damaged protobuf as swift-protobuf, and finds the same spans")
    func scanner() throws {
        let seed = TestSettings.seed &+ 11
        var random = SeededGenerator(seed: seed)
        let seeds = seeds(seed).map(OTLPEncoder.encode)
        var scanner = OTLPScanner()
        let batch = SpanBatch()
        for round in 0..<TestSettings.rounds {
            let bytes = Mutation.mutate(seeds[round % seeds.count], &random)
            let reference = try? Reference.decode(bytes)
            do {
                try bytes.withUnsafeBytes { try scanner.scan($0, into: batch) }
                guard let reference else {
                    Issue.record("swift-protobuf rejects: seed \(seed), round \(round), \(hex(bytes))")
                    continue
                }
                ScannerCheck.compare(batch, scanner, bytes, reference, "seed \(seed), round \(round), \(hex(bytes))")
                // What the scanner accepts must decode later, unless a span was set aside.
                if scanner.rejectedSpans.isEmpty {
                    #expect(throws: Never.self, "seed \(seed), round \(round)") { try OTLPDecoder.decode(bytes) }
                }
            } catch let error as ScanError where [.duplicateField, .empty, .nestedTooDeep].contains(error.code) {
                continue  // stricter than protobuf on purpose
            } catch {
                if reference != nil {
                    Issue.record("swift-protobuf accepts (\(error)): seed \(seed), round \(round), \(hex(bytes))")
                }
            }
        }
    }

    @Test("Damaged JSON is refused or read as valid JSON, never traps, and gives valid protobuf")
    func json() throws {
        let seed = TestSettings.seed &+ 12
        var random = SeededGenerator(seed: seed)
        let seeds = seeds(seed).map { OTLPJSONEncoder.encode($0, arrivalMilliseconds: 12) }
        for round in 0..<TestSettings.rounds {
            let text = Mutation.mutate(seeds[round % seeds.count], &random)
            guard let request = try? OTLPJSONDecoder.decode(text) else { continue }
            let place = "seed \(seed), round \(round): \(String(decoding: text, as: UTF8.self))"
            #expect(throws: Never.self, "swift-protobuf rejects the result: \(place)") {
                try Reference.decode(request.protobuf)
            }
            if (try? JSONSerialization.jsonObject(with: Data(text))) == nil {
                Issue.record("Foundation rejects the text: \(place)")
            }
        }
    }

    @Test("Every cut of a request is refused or is a shorter request, as for swift-protobuf")
    func truncation() throws {
        for request in seeds(TestSettings.seed &+ 13) {
            let bytes = OTLPEncoder.encode(request)
            for length in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 300)) {
                let cut = Array(bytes[..<length])
                let isAccepted = (try? OTLPDecoder.decode(cut)) != nil
                let isAcceptedByReference = (try? Reference.decode(cut)) != nil
                #expect(isAccepted == isAcceptedByReference, "length \(length)")
            }
        }
    }

    @Test("Deep nesting is refused instead of exhausting the stack")
    func nesting() throws {
        func nested(_ depth: Int) -> AttributeValue { (0..<depth).reduce(.int(1)) { value, _ in .array([value]) } }
        for (depth, isAccepted) in [(50, true), (100, true), (101, false), (2000, false)] {
            var writer = ProtobufWriter()
            OTLPEncoder.encode(resource: Resource(attributes: [Attribute("deep", nested(depth))]), into: &writer)
            let decoded = try? writer.bytes.withUnsafeBytes { try OTLPDecoder.decodeResource($0) }
            #expect((decoded != nil) == isAccepted, "depth \(depth)")
            let json = OTLPJSONEncoder.encode([
                ResourceSpans(resource: Resource(attributes: [Attribute("deep", nested(depth))]), scopeSpans: [])
            ])
            #expect(((try? OTLPJSONDecoder.decode(json)) != nil) == isAccepted, "JSON, depth \(depth)")
        }
        let hostile = Array("{\"x\":".utf8) + [UInt8](repeating: 0x5b, count: 1_000_000)
        #expect(throws: OTLPJSONError.self) { try OTLPJSONDecoder.decode(hostile) }
    }

    private func hex(_ bytes: [UInt8]) -> String {
        bytes.prefix(400).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }
}
