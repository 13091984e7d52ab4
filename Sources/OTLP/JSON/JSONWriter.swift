/// Writes JSON text by hand: fast, without values in between. Commas, indentation and escapes are its business;
/// balanced containers and one key before each member are the caller's.
///
/// ```swift
/// var json = JSONWriter()
/// json.object {
///     $0.member("name", "checkout")
///     $0.key("spans")
///     $0.array { for id in ids { $0.string(id) } }
/// }
/// send(json.bytes)
/// ```
package struct JSONWriter {
    /// The UTF-8 text so far.
    package private(set) var bytes: [UInt8] = []
    private let isPretty: Bool
    private var depth = 0
    /// A value stands before this position in the same container.
    private var needsComma = false
    private var isAfterKey = false

    package init(pretty: Bool = false, reservingCapacity capacity: Int = 0) {
        isPretty = pretty
        bytes.reserveCapacity(capacity)
    }

    // MARK: Containers

    package mutating func beginObject() { begin(0x7b) }

    package mutating func endObject() { end(0x7d) }

    package mutating func beginArray() { begin(0x5b) }

    package mutating func endArray() { end(0x5d) }

    package mutating func object(_ body: (inout JSONWriter) throws -> Void) rethrows {
        beginObject()
        try body(&self)
        endObject()
    }

    package mutating func array(_ body: (inout JSONWriter) throws -> Void) rethrows {
        beginArray()
        try body(&self)
        endArray()
    }

    private mutating func begin(_ bracket: UInt8) {
        separate()
        bytes.append(bracket)
        depth += 1
        needsComma = false
    }

    private mutating func end(_ bracket: UInt8) {
        depth -= 1
        // An empty container stays on one line.
        if isPretty, needsComma { breakLine() }
        bytes.append(bracket)
        needsComma = true
    }

    // MARK: Members

    /// A member's name; its value must follow.
    package mutating func key(_ name: String) {
        separate()
        quoted(name)
        finishKey()
    }

    /// A member's name that is known to need no escapes.
    @inline(__always)
    package mutating func key(_ name: StaticString) {
        separate()
        bytes.append(0x22)
        bytes.append(contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        bytes.append(0x22)
        finishKey()
    }

    private mutating func finishKey() {
        bytes.append(0x3a)
        if isPretty { bytes.append(0x20) }
        isAfterKey = true
    }

    package mutating func member(_ name: StaticString, _ value: String) {
        key(name)
        string(value)
    }

    package mutating func member(_ name: StaticString, _ value: some FixedWidthInteger) {
        key(name)
        int(value)
    }

    package mutating func member(_ name: StaticString, _ value: Double) {
        key(name)
        double(value)
    }

    package mutating func member(_ name: StaticString, _ value: Bool) {
        key(name)
        bool(value)
    }

    // MARK: Values

    package mutating func string(_ value: String) {
        separate()
        quoted(value)
        needsComma = true
    }

    package mutating func int(_ value: some FixedWidthInteger) {
        separate()
        digits(value)
        needsComma = true
    }

    /// An integer in quotes, as proto3 JSON writes 64-bit ones: JavaScript's numbers hold 53 bits.
    package mutating func quotedInt(_ value: some FixedWidthInteger) {
        separate()
        bytes.append(0x22)
        digits(value)
        bytes.append(0x22)
        needsComma = true
    }

    /// A finite number, or "NaN", "Infinity", "-Infinity" as strings, as proto3 JSON writes them.
    package mutating func double(_ value: Double) {
        if value.isNaN {
            string("NaN")
        } else if value.isInfinite {
            string(value < 0 ? "-Infinity" : "Infinity")
        } else {
            separate()
            // Swift's shortest form that reads back as the same number; "5e-324" and "1.0" are valid JSON.
            bytes.append(contentsOf: value.description.utf8)
            needsComma = true
        }
    }

    package mutating func bool(_ value: Bool) { raw(value ? "true" : "false") }

    package mutating func null() { raw("null") }

    /// A string of lower-case hex digits, most significant byte first.
    package mutating func hex(_ values: UInt64...) {
        separate()
        bytes.append(0x22)
        for value in values {
            var shift: UInt64 = 64
            while shift > 0 {
                shift -= 4
                let nibble = UInt8(truncatingIfNeeded: value >> shift & 15)
                bytes.append(nibble < 10 ? 0x30 + nibble : 0x57 + nibble)
            }
        }
        bytes.append(0x22)
        needsComma = true
    }

    package mutating func base64(_ value: some Sequence<UInt8>) {
        separate()
        bytes.append(0x22)
        Base64.encode(value, into: &bytes)
        bytes.append(0x22)
        needsComma = true
    }

    /// A value that is JSON text already; it is not checked.
    package mutating func raw(_ text: String) {
        separate()
        bytes.append(contentsOf: text.utf8)
        needsComma = true
    }

    /// A value that is JSON text already; it is not checked.
    package mutating func raw(_ text: some Collection<UInt8>) {
        separate()
        bytes.append(contentsOf: text)
        needsComma = true
    }

    /// Ends a line of JSON lines: the next value stands on its own.
    package mutating func endLine() {
        bytes.append(0x0a)
        needsComma = false
    }

    /// Empties the text but keeps its memory, so that one writer serves many lines.
    package mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        depth = 0
        needsComma = false
        isAfterKey = false
    }

    // MARK: Text

    @inline(__always)
    private mutating func separate() {
        if isAfterKey {
            isAfterKey = false
            return
        }
        if needsComma { bytes.append(0x2c) }
        if isPretty, depth > 0 { breakLine() }
    }

    private mutating func breakLine() {
        bytes.append(0x0a)
        for _ in 0..<max(0, depth) { bytes.append(contentsOf: [0x20, 0x20]) }
    }

    private mutating func quoted(_ value: String) {
        bytes.append(0x22)
        var value = value
        value.withUTF8 { text in
            // Runs without anything to escape are copied at once.
            var runStart = 0
            for index in 0..<text.count {
                let byte = text[index]
                guard byte < 0x20 || byte == 0x22 || byte == 0x5c else { continue }
                bytes.append(contentsOf: UnsafeBufferPointer(rebasing: text[runStart..<index]))
                escape(byte)
                runStart = index + 1
            }
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: text[runStart...]))
        }
        bytes.append(0x22)
    }

    private mutating func escape(_ byte: UInt8) {
        bytes.append(0x5c)
        switch byte {
        case 0x22, 0x5c: bytes.append(byte)
        case 0x0a: bytes.append(0x6e)
        case 0x0d: bytes.append(0x72)
        case 0x09: bytes.append(0x74)
        default:
            bytes.append(contentsOf: [0x75, 0x30, 0x30, 0x30 + byte >> 4])
            bytes.append(byte & 15 < 10 ? 0x30 + byte & 15 : 0x57 + byte & 15)
        }
    }

    private mutating func digits(_ value: some FixedWidthInteger) {
        if value < 0 { bytes.append(0x2d) }
        var rest = UInt64(truncatingIfNeeded: value.magnitude)
        let start = bytes.count
        repeat {
            bytes.append(0x30 + UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        } while rest > 0
        bytes[start...].reverse()
    }
}
