import Testing
import TraceModel

@testable import OTLP

/// The walk over attributes in their bytes.
struct AttributeCursorTests {
    private struct Found: Equatable {
        var key: [UInt8]
        var message: [UInt8]
    }

    private static func attributes(_ list: [(String, AttributeValue)]) -> [UInt8] {
        var writer = ProtobufWriter(reservingCapacity: 256)
        OTLPEncoder.encode(attributes: list.map { Attribute($0.0, $0.1) }, field: 9, into: &writer)
        return writer.bytes
    }

    private static func walk(_ bytes: [UInt8], lengths: UInt64 = .max) -> [Found] {
        bytes.withUnsafeBytes { buffer in
            var found: [Found] = []
            guard var cursor = AttributeCursor(buffer, .span) else { return [] }
            while let attribute = cursor.next(keyLengths: lengths) {
                found.append(Found(key: Array(attribute.key), message: Array(attribute.message)))
            }
            return found
        }
    }

    private static func keys(_ bytes: [UInt8], lengths: UInt64 = .max) -> [String] {
        walk(bytes, lengths: lengths).map { String(decoding: $0.key, as: UTF8.self) }
    }

    @Test("finds the keys of wanted lengths, whatever the lengths of the values")
    func wantedLengths() {
        for size in [0, 1, 100, 120, 127, 128, 300, 16_000, 20_000] {
            let bytes = Self.attributes([
                ("abc", .string(String(repeating: "x", count: size))), ("abcde", .int(1)), ("", .bool(true)),
            ])
            #expect(Self.keys(bytes, lengths: 1 << 5) == ["abcde"], "\(size)")
            #expect(Self.keys(bytes, lengths: 1 << 3) == ["abc"])
            #expect(Self.keys(bytes, lengths: 1 << 3 | 1) == ["abc", ""])
            #expect(Self.keys(bytes, lengths: 0).isEmpty)
            #expect(Self.keys(bytes) == ["abc", "abcde", ""])
        }
    }

    @Test("a key of 63 bytes or more is wanted where bit 63 is set")
    func longKeys() {
        let key = String(repeating: "k", count: 90)
        let bytes = Self.attributes([(key, .bool(true))])
        #expect(Self.keys(bytes, lengths: 1 << 63) == [key])
        #expect(Self.keys(bytes, lengths: ~(1 << 63)).isEmpty)
    }

    @Test("attributes of an unusual shape are read as a protobuf library reads them")
    func unusualShapes() {
        let value = Wire.field(0x12, Wire.field(0x0a, [0x76]))
        let other = Wire.field(0x12, Wire.field(0x0a, [0x77]))
        let key = Wire.field(0x0a, [0x6b])
        let last = Wire.field(0x4a, Wire.field(0x0a, [0x7a]) + value)
        func found(_ attribute: [UInt8]) -> [Found] { Self.walk(attribute + last) }
        let expected = [
            Found(key: [0x6b], message: [0x0a, 0x01, 0x76]), Found(key: [0x7a], message: [0x0a, 0x01, 0x76]),
        ]
        #expect(found(Wire.field(0x4a, key + value)) == expected)
        #expect(found(Wire.field(0x4a, value + key)) == expected)
        #expect(found(Wire.field(0x4a, Wire.field(0x0a, [0x61, 0x61]) + value + key)) == expected)
        #expect(found(Wire.field(0x4a, key + other + value)) == expected)
        #expect(found(Wire.field(0x4a, key + value + [0x18, 0x01])) == expected)
        // Lengths and tags with more bytes than they need.
        #expect(found([0x4a, 0x88, 0x00] + key + value) == expected)
        #expect(found([0xca, 0x00, 0x08] + key + value) == expected)
        // Other fields between attributes, long ones among them.
        #expect(
            found(
                [0x50, 0x03] + Wire.field(0x5a, [UInt8](repeating: 0x4a, count: 300)) + Wire.field(0x4a, key + value))
                == expected)
        // No key, no value.
        #expect(found(Wire.field(0x4a, value)).first == Found(key: [], message: [0x0a, 0x01, 0x76]))
        #expect(found(Wire.field(0x4a, key)).first == Found(key: [0x6b], message: []))
        #expect(found(Wire.field(0x4a, [])).first == Found(key: [], message: []))
    }

    @Test("never reads past the end, however the bytes are cut or changed")
    func damaged() {
        let bytes = Self.attributes((0..<20).map { ("key.\($0)", .string(String(repeating: "v", count: $0 * 20))) })
        // A copy of exactly this size: a read past the end is then visible to a sanitizer.
        func isInside(_ bytes: [UInt8]) -> Bool {
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
            defer { buffer.deallocate() }
            buffer.copyBytes(from: bytes)
            guard var cursor = AttributeCursor(UnsafeRawBufferPointer(buffer), .span) else { return true }
            var isInside = true
            var count = 0
            while let attribute = cursor.next(), count <= bytes.count {
                for part in [attribute.key, attribute.message] {
                    guard let start = part.baseAddress, let first = buffer.baseAddress else { continue }
                    isInside = isInside && start >= first && start + part.count <= first + bytes.count
                }
                count += 1
            }
            return isInside && count <= bytes.count
        }
        for end in 0...bytes.count { #expect(isInside(Array(bytes[..<end]))) }
        for index in bytes.indices {
            var changed = bytes
            changed[index] = changed[index] &* 167 &+ 13
            #expect(isInside(changed), "byte \(index) is \(changed[index])")
        }
    }
}
