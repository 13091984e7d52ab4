import Testing
import TraceModel

@testable import OTLP

/// The shortcut over attributes that nobody asks for.
struct SkipAttributesTests {
    private static func attributes(_ list: [(String, AttributeValue)]) -> [UInt8] {
        var writer = ProtobufWriter(reservingCapacity: 256)
        OTLPEncoder.encode(attributes: list.map { Attribute($0.0, $0.1) }, field: 9, into: &writer)
        return writer.bytes
    }

    private static func skip(_ bytes: [UInt8], lengths: UInt64) -> Int {
        bytes.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return 0 }
            var reader = WireReader(base: base, from: 0, to: buffer.count)
            reader.skipAttributes(withoutKeyLengths: lengths)
            return reader.position
        }
    }

    @Test("stops before the first key of a wanted length, whatever the lengths of the values")
    func stopsAtWantedLength() {
        for size in [0, 1, 100, 127, 128, 300, 16_000, 20_000] {
            let first = Self.attributes([("abc", .string(String(repeating: "x", count: size)))])
            let second = Self.attributes([("abcde", .int(1))])
            let bytes = first + second
            // A length of three bytes is not of the common shape: it is left to the general path.
            let isShort = first.count < 16_387
            #expect(Self.skip(bytes, lengths: 1 << 5) == (isShort ? first.count : 0), "\(size)")
            #expect(Self.skip(bytes, lengths: 1 << 3) == 0)
            #expect(Self.skip(bytes, lengths: 0) == (isShort ? bytes.count : 0))
        }
    }

    @Test("a key of 63 bytes or more is wanted where bit 63 is set")
    func longKeys() {
        let bytes = Self.attributes([(String(repeating: "k", count: 90), .bool(true))])
        #expect(Self.skip(bytes, lengths: 1 << 63) == 0)
        #expect(Self.skip(bytes, lengths: 1 << 20) == bytes.count)
    }

    @Test("never reads or goes past the end, however the bytes are cut or changed")
    func damaged() {
        let bytes = Self.attributes((0..<20).map { ("key.\($0)", .string(String(repeating: "v", count: $0 * 20))) })
        for end in 0...bytes.count { #expect(Self.skip(Array(bytes[..<end]), lengths: 0) <= end) }
        for index in bytes.indices {
            var changed = bytes
            changed[index] = changed[index] &* 167 &+ 13
            #expect(Self.skip(changed, lengths: 0) <= changed.count, "byte \(index) is \(changed[index])")
        }
    }
}
