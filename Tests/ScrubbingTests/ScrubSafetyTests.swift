import OTLP
import Scrubbing
import Testing

private func richSpan() -> TestSpan {
    var span = TestSpan()
    span.attributes = [
        Entry("http.method", .string("GET")), Entry("user.id", .string("user-4711")),
        Entry("note", .string("card 4111 1111 1111 1111, mail a.b@example.com")),
        Entry("n", .int(4_111_111_111_111_111)),
        Entry(
            "deep", .map([Entry("list", .array([.double(1), .bytes([0xff, 1]), .map([Entry("user.id", .int(7))])]))])),
        Entry("long", .string(String(repeating: "x", count: 300))),
    ]
    span.eventAttributes = [Entry("exception.message", .string("card 5500-0000-0000-0004"))]
    span.linkAttributes = [Entry("user.password", .string("hunter2"))]
    return span
}

private func rules() throws -> ScrubRules {
    try ScrubRules(rules: [
        ScrubRule(name: "p", action: .delete, keys: ["user.password"]),
        ScrubRule(name: "u", action: .hash(key: "k"), keys: ["*.id"]),
        ScrubRule(name: "c", action: .mask(.init(keepLast: 4)), detectors: [.cardNumber]),
        ScrubRule(name: "e", action: .mask(.init()), detectors: [.email, .jwt, .ipv4, .authorization]),
        ScrubRule(name: "t", action: .truncate(length: 100), keys: ["long"]),
    ])
}

@Suite struct ScrubSafetyTests {
    @Test func nothingOfASecretRemains() throws {
        var scrubber = Scrubber(rules: try rules())
        let bytes = try scrubber.scrubbed(richSpan().bytes)
        for secret in ["user-4711", "4111 1111", "1111 1111", "a.b@example", "5500-0000", "hunter2", "user.password"] {
            #expect(!bytes.contains(secret), "\(secret)")
        }
        let span = try TestSpan(bytes)
        #expect(span.attributes[2].value == .string("card ****1111, mail ****"))
        #expect(span.attributes[3].value == .string("****1111"))
        #expect(scrubber.totals == [1, 2, 3, 1, 1])
    }

    @Test func anUntouchedSpanComesOutByteForByte() throws {
        var scrubber = Scrubber(rules: try rules())
        var span = richSpan()
        span.attributes = [
            Entry("http.method", .string("GET")), Entry("deep", .map([Entry("a", .array([.int(1), .none]))])),
        ]
        (span.eventAttributes, span.linkAttributes) = ([], [])
        // Lengths written in two bytes where one would do: a re-encoder would shorten them.
        let bytes = span.bytes + [9 << 3 | 2, 0x86, 0x00, 0x0a, 0x81, 0x00, 0x61, 0x12, 0x00]
        var output: [UInt8] = []
        let counts = try bytes.withUnsafeBytes { try scrubber.scrubSpan($0, into: &output) }
        #expect(counts.isEmpty)
        #expect(output == bytes)
    }

    @Test func scrubbingTwiceChangesNothingMore() throws {
        var scrubber = try Scrubber(
            ScrubRule(name: "d", action: .delete, keys: ["user.password"]),
            ScrubRule(name: "m", action: .mask(.init(keepLast: 2)), keys: ["user.id"]),
            ScrubRule(name: "c", action: .mask(.init()), detectors: [.cardNumber]))
        let once = try scrubber.scrubbed(richSpan().bytes)
        #expect(try scrubber.scrubbed(once) == once)
    }

    @Test func bytesMeantToDeceiveAreScrubbedToo() throws {
        var scrubber = try Scrubber(ScrubRule(name: "r", action: .mask(.init()), keys: ["k"]))
        func attribute(_ body: (inout ProtobufWriter) -> Void) -> [UInt8] {
            var writer = ProtobufWriter()
            writer.messageField(9, body)
            return writer.bytes
        }
        let valueFirst = attribute {
            $0.messageField(2) { $0.stringField(1, "secret") }
            $0.stringField(1, "k")
        }
        let twoKeys = attribute {
            $0.stringField(1, "k")
            $0.messageField(2) { $0.stringField(1, "secret") }
            $0.stringField(1, "other")
        }
        let twoValues = attribute {
            $0.stringField(1, "k")
            $0.messageField(2) { $0.stringField(1, "harmless") }
            $0.messageField(2) {
                $0.stringField(1, "secret")
                $0.stringField(1, "secret")
            }
        }
        let unknownKind = attribute {
            $0.stringField(1, "k")
            $0.messageField(2) { $0.stringField(14, "secret") }
        }
        for bytes in [valueFirst, twoKeys, twoValues, unknownKind] {
            let output = try scrubber.scrubbed(bytes)
            #expect(!output.contains("secret"))
            _ = try TestSpan(output)
        }
    }

    @Test func badUTF8HidesNoSecret() throws {
        var scrubber = try Scrubber(ScrubRule(name: "r", action: .mask(.init()), values: ["key=.*end"]))
        var writer = ProtobufWriter()
        writer.messageField(9) {
            $0.stringField(1, "k")
            $0.messageField(2) { $0.bytesField(1, Array("key=sec".utf8) + [0xff, 0xe2, 0x82] + Array("ret end".utf8)) }
        }
        let output = try scrubber.scrubbed(writer.bytes)
        #expect(try TestSpan(output).attributes == [Entry("k", .string("****"))])
    }

    @Test func valuesNestedTooDeepAreAnError() throws {
        var scrubber = try Scrubber(ScrubRule(name: "r", action: .mask(.init()), keys: ["k"]))
        var value = Value.string("x")
        for _ in 0..<90 { value = .array([value]) }
        #expect(try scrubber.scrub("k", value) != nil)
        for _ in 0..<20 { value = .array([value]) }
        #expect(throws: ScanError.self) { try scrubber.scrub("k", value) }
    }

    @Test func truncatedSpansThrowOrStillParseAndLeaveTheOutputAlone() throws {
        let bytes = richSpan().bytes
        var scrubber = Scrubber(rules: try rules())
        for length in 0..<bytes.count {
            let before = scrubber.totals
            var output: [UInt8] = [9, 9]
            do {
                _ = try Array(bytes.prefix(length)).withUnsafeBytes { try scrubber.scrubSpan($0, into: &output) }
            } catch {
                #expect(output == [9, 9])
                #expect(scrubber.totals == before)
            }
        }
    }

    @Test func mutatedSpansThrowButNeverTrap() throws {
        let original = richSpan().bytes
        var random = SeededGenerator(seed: 42)
        var scrubber = Scrubber(rules: try rules())
        var thrown = 0
        var output: [UInt8] = []
        for _ in 0..<30_000 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let at = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                case 2: bytes.remove(at: at)
                default: bytes.insert(UInt8.random(in: 0...255, using: &random), at: at)
                }
            }
            output.removeAll(keepingCapacity: true)
            do {
                _ = try bytes.withUnsafeBytes { try scrubber.scrubSpan($0, into: &output) }
                // What was well-formed on the outside stays so.
                try forEachField(output) { _, _ in }
            } catch is ScanError {
                thrown += 1
                #expect(output.isEmpty)
            }
            _ = try? bytes.withUnsafeBytes { try scrubber.scrubResource($0, into: &output) }
            _ = try? bytes.withUnsafeBytes { try scrubber.scrubScope($0, into: &output) }
            _ = bytes.withUnsafeBytes { scrubber.scrubName($0, into: &output) }
        }
        #expect(thrown > 1000)
    }
}
