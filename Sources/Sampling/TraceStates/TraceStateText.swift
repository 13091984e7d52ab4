/// Reads a W3C tracestate in its bytes: https://www.w3.org/TR/trace-context/#tracestate-header.
enum TraceStateText {
    static let maximumMembers = 32

    /// One `key=value`.
    struct Member {
        var key: UnsafeRawBufferPointer
        var value: UnsafeRawBufferPointer
    }

    /// Visits the members in order until `body` returns false.
    ///
    /// - Returns: false where the text is no tracestate: then nothing in it counts.
    static func forEach(in text: UnsafeRawBufferPointer, _ body: (Member) -> Void) -> Bool {
        var start = 0
        var count = 0
        while start <= text.count {
            var end = start
            while end < text.count, text[end] != UInt8(ascii: ",") { end += 1 }
            let member = trimmed(text, start, end)
            start = end + 1
            // Empty members are allowed and mean nothing.
            if member.isEmpty { continue }
            count += 1
            guard count <= maximumMembers, let equals = member.firstIndex(of: UInt8(ascii: "=")) else { return false }
            let key = UnsafeRawBufferPointer(rebasing: member[..<equals])
            let value = UnsafeRawBufferPointer(rebasing: member[(equals + 1)...])
            guard isKey(key), isValue(value) else { return false }
            body(Member(key: key, value: value))
        }
        return true
    }

    /// The value of a key, or nil where the text has none or is no tracestate.
    static func value(of key: [UInt8], in text: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        var found: UnsafeRawBufferPointer?
        var isTwice = false
        let isValid = forEach(in: text) { member in
            guard member.key.elementsEqual(key) else { return }
            isTwice = isTwice || found != nil
            found = member.value
        }
        return isValid && !isTwice ? found : nil
    }

    private static func trimmed(_ text: UnsafeRawBufferPointer, _ start: Int, _ end: Int) -> UnsafeRawBufferPointer {
        var (start, end) = (start, end)
        while start < end, text[start] == 0x20 || text[start] == 0x09 { start += 1 }
        while end > start, text[end - 1] == 0x20 || text[end - 1] == 0x09 { end -= 1 }
        return UnsafeRawBufferPointer(rebasing: text[start..<end])
    }

    /// Lower case letters, digits and `_ - * / @`, at most 256, the first a letter or a digit.
    static func isKey(_ bytes: some Collection<UInt8>) -> Bool {
        guard let first = bytes.first, isLetterOrDigit(first), bytes.count <= 256 else { return false }
        return bytes.allSatisfy { isLetterOrDigit($0) || "_-*/@".utf8.contains($0) }
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte)
    }

    /// Printable characters but comma and equals sign, at most 256.
    private static func isValue(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.count <= 256 && bytes.allSatisfy { (0x20...0x7e).contains($0) && $0 != 0x2c && $0 != 0x3d }
    }
}
