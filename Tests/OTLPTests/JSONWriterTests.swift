import Foundation
import OTLP
import Testing

@Suite("JSON writer")
struct JSONWriterTests {
    @Test("Commas, nesting and raw values come out as valid JSON")
    func structure() {
        var json = JSONWriter()
        json.object {
            $0.member("a", 1)
            $0.key("b")
            $0.array {
                $0.int(Int64.min)
                $0.quotedInt(UInt64.max)
                $0.null()
                $0.array { _ in }
                $0.object { _ in }
                $0.raw("[1]")
            }
            $0.member("c", true)
            $0.key("d\"" as String)
            $0.hex(0xab, 1)
        }
        json.endLine()
        json.double(.nan)
        let expected =
            #"{"a":1,"b":[-9223372036854775808,"18446744073709551615",null,[],{},[1]],"c":true,"#
            + #""d\"":"00000000000000ab0000000000000001"}"# + "\n\"NaN\""
        #expect(String(decoding: json.bytes, as: UTF8.self) == expected)
    }

    @Test("Pretty output is indented and means the same")
    func pretty() throws {
        var json = JSONWriter(pretty: true)
        json.object {
            $0.member("a", "x")
            $0.key("b")
            $0.array {
                $0.int(1)
                $0.object { _ in }
            }
        }
        #expect(String(decoding: json.bytes, as: UTF8.self) == "{\n  \"a\": \"x\",\n  \"b\": [\n    1,\n    {}\n  ]\n}")
    }

    @Test("Every control character, quote and non-ASCII character survives Foundation's parser")
    func escapes() throws {
        let text = String(String.UnicodeScalarView((0..<0x300).compactMap { Unicode.Scalar($0) })) + "日本😀\u{2028}"
        var json = JSONWriter()
        json.array { $0.string(text) }
        #expect(try JSONSerialization.jsonObject(with: Data(json.bytes)) as? [String] == [text])
    }

    @Test("Base64 is what Foundation writes, and is read back", arguments: 0..<40)
    func base64(count: Int) throws {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 200) }
        var text: [UInt8] = []
        Base64.encode(bytes, into: &text)
        #expect(String(decoding: text, as: UTF8.self) == Data(bytes).base64EncodedString())
        var decoded: [UInt8] = []
        #expect(text.withUnsafeBufferPointer { Base64.decode($0, into: &decoded) })
        #expect(decoded == bytes)
    }
}
