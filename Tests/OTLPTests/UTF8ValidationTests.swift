import OTLP
import Testing

@Suite("UTF-8 validation")
struct UTF8ValidationTests {
    @Test("Every sequence of boundary bytes is judged as the standard library judges it")
    func boundaries() {
        // The first and last byte of every class in table 3-7 of the Unicode standard, and their neighbours.
        let bytes: [UInt8] = [
            0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee,
            0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff,
        ]
        var text: [UInt8] = []
        for first in bytes {
            for second in bytes {
                for third in bytes {
                    text = [first, second, third]
                    check(text)
                    // A four-byte sequence, and one that begins behind a word of ASCII.
                    check(text + [0x80])
                    check([0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68] + text)
                }
            }
        }
    }

    private func check(_ text: [UInt8]) {
        let isValid = text.withUnsafeBufferPointer { buffer in
            buffer.baseAddress.map { isValidUTF8($0, buffer.count) } ?? true
        }
        if isValid != (String(validating: text, as: UTF8.self) != nil) {
            Issue.record("\(text.map { String($0, radix: 16) })")
        }
    }
}
