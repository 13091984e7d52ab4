import Foundation
import OTLP
import Testing
import TraceModel

/// The scanner reads common shapes by shortcuts; these tests hold it against the scanner without them.
@Suite("The scanner's shortcuts")
struct ScannerShortcutTests {
    @Test("Generated requests, whole and damaged, give the same spans and the same errors with and without shortcuts")
    func generated() {
        let seed = TestSettings.seed &+ 20
        var generator = ModelGenerator(seed: seed)
        var random = SeededGenerator(seed: seed)
        var comparison = ScannerComparison()
        for round in 0..<TestSettings.rounds {
            let bytes = OTLPEncoder.encode(generator.request())
            comparison.compare(bytes, "seed \(seed), round \(round), whole")
            for _ in 0..<4 {
                comparison.compare(Mutation.mutate(bytes, &random), "seed \(seed), round \(round), damaged")
            }
        }
        comparison.expectEnough()
    }

    @Test("Requests as exporters write them, whole and damaged, give the same with and without shortcuts")
    func common() {
        let seed = TestSettings.seed &+ 21
        var shapes = CommonShapes(seed: seed)
        var random = SeededGenerator(seed: seed)
        var comparison = ScannerComparison()
        for round in 0..<TestSettings.rounds {
            let bytes = OTLPEncoder.encode(shapes.request())
            comparison.compare(bytes, "seed \(seed), round \(round), whole")
            for _ in 0..<8 {
                comparison.compare(Mutation.mutate(bytes, &random), "seed \(seed), round \(round), damaged")
            }
        }
        comparison.expectEnough()
    }

    @Test("Every single changed byte of a common request is judged the same with and without shortcuts")
    func everyByte() {
        var shapes = CommonShapes(seed: TestSettings.seed &+ 22)
        var comparison = ScannerComparison()
        for _ in 0..<3 {
            let bytes = OTLPEncoder.encode(shapes.request())
            for index in bytes.indices {
                // Bits of a length, the high bit of text, and the wire types of a tag.
                for change: UInt8 in [0x01, 0x02, 0x04, 0x08, 0x40, 0x80, 0xff] {
                    var changed = bytes
                    changed[index] ^= change
                    comparison.compare(changed, "byte \(index) ^ \(change)")
                }
            }
            for length in 0..<bytes.count { comparison.compare(Array(bytes[..<length]), "cut to \(length)") }
        }
        comparison.expectEnough()
    }

    @Test(
        "Recorded traces, whole and damaged, give the same with and without shortcuts",
        .enabled(if: !SharedData.files.isEmpty, Comment(rawValue: SharedData.skipReason)), arguments: SharedData.files)
    func recorded(file: URL) throws {
        var random = SeededGenerator(seed: TestSettings.seed &+ 24)
        var comparison = ScannerComparison()
        for line in try SharedData.lines(of: file) {
            let bytes = try OTLPJSONDecoder.decode(line).protobuf
            comparison.compare(bytes, "\(file.lastPathComponent), whole")
            for _ in 0..<4 {
                comparison.compare(Mutation.mutate(bytes, &random), "\(file.lastPathComponent), damaged")
            }
        }
        comparison.expectEnough()
    }

    @Test("Values at the edges of the common shape are judged the same with and without shortcuts")
    func edges() {
        var comparison = ScannerComparison()
        // Varints of every length, with and without an end, as integers and as booleans.
        for count in 0...12 {
            for tag: UInt8 in [0x10, 0x18] {
                for last: UInt8 in [0x00, 0x01, 0x7f, 0x80, 0xff] {
                    let varint = [UInt8](repeating: 0x80, count: max(0, count - 1)) + (count > 0 ? [last] : [])
                    comparison.compareAttribute(Array("size".utf8), [tag] + varint, "varint \(count) \(last)")
                    comparison.compareAttribute(
                        Array("size".utf8), [tag] + varint + [0x08, 0x01], "varint \(count), more")
                }
            }
        }
        // Bytes that are no varint, and several fields where one is expected.
        var random = SeededGenerator(seed: TestSettings.seed &+ 25)
        for count in 1...12 {
            for _ in 0..<100 {
                let bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
                for tag: UInt8 in [0x10, 0x18, 0x21] {
                    comparison.compareAttribute(Array("size".utf8), [tag] + bytes, "random \(count) bytes")
                    comparison.compareAttribute(
                        Array("size".utf8), [tag] + bytes.dropLast() + [0x01], "random \(count) bytes, ended")
                }
            }
        }
        // Strings and keys around the lengths where a length takes two bytes, in ASCII and not.
        for count in [
            0, 1, 2, 3, 7, 8, 9, 15, 16, 31, 32, 33, 62, 63, 64, 100, 115, 120, 121, 122, 123, 124, 125, 126, 127, 128,
            300,
        ] {
            for text in [[UInt8](repeating: 0x61, count: count), Array(String(repeating: "é", count: count / 2).utf8)] {
                let length = Wire.varint(text.count)
                comparison.compareAttribute(Array("key".utf8), [0x0a] + length + text, "string \(count)")
                comparison.compareAttribute(text, [0x0a, 0x01, 0x61], "key \(count)")
                comparison.compareAttribute(
                    text, [0x21] + [UInt8](repeating: 0xff, count: 8), "double after key \(count)")
                for place in stride(from: 0, to: text.count, by: max(1, text.count / 9)) {
                    var broken = text
                    broken[place] = 0xff
                    comparison.compareAttribute(Array("key".utf8), [0x0a] + length + broken, "broken \(count)")
                    comparison.compareAttribute(broken, [0x0a, 0x01, 0x61], "broken key \(count)")
                }
            }
        }
        for count in 0...10 {
            comparison.compareAttribute(
                Array("ratio".utf8), [0x21] + [UInt8](repeating: 0x81, count: count), "double of \(count) bytes")
        }
        for value: [UInt8] in [
            [], [0x0a], [0x0a, 0x00], [0x12], [0x2a, 0x00], [0x32, 0x00], [0x3a, 0x01, 0xff], [0x48],
        ] {
            comparison.compareAttribute([], value, "value \(value)")
        }
        comparison.expectEnough()
    }

    @Test("A high byte in a string is seen however the numbers beside it look")
    func highBytes() {
        // Numbers full of high bytes must not hide a broken string, nor a broken string be taken for a number.
        var comparison = ScannerComparison()
        var random = SeededGenerator(seed: TestSettings.seed &+ 23)
        for _ in 0..<2000 {
            var fields: [UInt8] = []
            for _ in 0..<random.below(300) {
                let value: [UInt8] =
                    switch random.below(4) {
                    case 0: [0x21] + (0..<8).map { _ in UInt8(truncatingIfNeeded: random.next()) }
                    case 1: [0x18] + Wire.varint(Int(random.next() >> UInt64(9 + random.below(50))))
                    case 2: [0x0a, 0x02, 0x61, 0x62]
                    default: random.chance(40) ? [0x0a, 0x02, 0x61, 0xff] : [0x0a, 0x02, 0xc3, 0xa9]
                    }
                fields += Wire.attribute(Array("k".utf8), value)
            }
            comparison.compare(Wire.request(span: Wire.spanHead + fields), "numbers and text")
        }
        comparison.expectEnough()
    }
}
