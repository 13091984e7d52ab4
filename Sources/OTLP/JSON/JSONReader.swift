/// A pull parser over JSON text (RFC 8259): the caller asks for what it expects, nothing is copied or allocated.
///
/// Unsafe by construction (it borrows memory), safe by contract: `base` must stay valid for `end` bytes while the
/// reader lives, and no read goes past `end`. Errors carry the offset only: `JSONPath` finds the path afterwards, so
/// that valid input pays nothing for it.
///
/// ```swift
/// try reader.beginObject()
/// while try reader.nextKey() {
///     if reader.keyIs("name") { name = try reader.string() } else { try reader.skipValue() }
/// }
/// ```
package struct JSONReader {
    let base: UnsafePointer<UInt8>
    package internal(set) var position: Int
    let end: Int
    /// A value of the innermost container has been read: a comma or the end must follow.
    private var isAfterValue = false
    private var depth = 0
    /// The last key without its quotes.
    private var keyStart = 0
    private var keyEnd = 0
    /// The last key unescaped, where it had escapes; empty otherwise.
    private var unescapedKey: [UInt8] = []

    /// Containers nest at most this deep, so that hostile input cannot exhaust the stack.
    package static let maximumDepth = 512

    package init(base: UnsafePointer<UInt8>, count: Int) {
        self.base = base
        self.position = 0
        self.end = count
    }

    // MARK: Containers

    package mutating func beginObject() throws(OTLPJSONError) { try begin(0x7b, "expected an object") }

    package mutating func beginArray() throws(OTLPJSONError) { try begin(0x5b, "expected an array") }

    private mutating func begin(_ bracket: UInt8, _ expectation: StaticString) throws(OTLPJSONError) {
        skipWhitespace()
        guard position < end, base[position] == bracket else { throw error(expectation) }
        if depth >= Self.maximumDepth { throw error("nested too deep") }
        position &+= 1
        depth &+= 1
        isAfterValue = false
    }

    /// Moves to the next member's value. Returns false, behind the brace, where the object ends.
    package mutating func nextKey() throws(OTLPJSONError) -> Bool {
        skipWhitespace()
        guard position < end else { throw error("the text ends inside an object") }
        if base[position] == 0x7d {
            close()
            return false
        }
        if isAfterValue {
            guard base[position] == 0x2c else { throw error("expected ',' or '}'") }
            position &+= 1
            skipWhitespace()
        }
        guard position < end, base[position] == 0x22 else { throw error("expected a member name in quotes") }
        let key = try string()
        keyStart = key.start
        keyEnd = key.end
        if !unescapedKey.isEmpty { unescapedKey.removeAll(keepingCapacity: true) }
        if key.hasEscapes { append(key, to: &unescapedKey) }
        skipWhitespace()
        guard position < end, base[position] == 0x3a else { throw error("expected ':'") }
        position &+= 1
        isAfterValue = false
        return true
    }

    /// Moves to the next element. Returns false, behind the bracket, where the array ends.
    package mutating func nextElement() throws(OTLPJSONError) -> Bool {
        skipWhitespace()
        guard position < end else { throw error("the text ends inside an array") }
        if base[position] == 0x5d {
            close()
            return false
        }
        if isAfterValue {
            guard base[position] == 0x2c else { throw error("expected ',' or ']'") }
            position &+= 1
            skipWhitespace()
            // A bracket here would be read as the end of an array with a trailing comma.
            if position < end, base[position] == 0x5d { throw error("expected a value") }
        }
        isAfterValue = false
        return true
    }

    private mutating func close() {
        position &+= 1
        depth &-= 1
        isAfterValue = true
    }

    // MARK: Keys

    /// Whether the last key is `name`.
    @inline(__always)
    package func keyIs(_ name: StaticString) -> Bool {
        let length = name.utf8CodeUnitCount
        guard unescapedKey.isEmpty else {
            return unescapedKey.elementsEqual(UnsafeBufferPointer(start: name.utf8Start, count: length))
        }
        guard keyEnd &- keyStart == length else { return false }
        let expected = name.utf8Start
        for index in 0..<length where base[keyStart &+ index] != expected[index] { return false }
        return true
    }

    /// Whether the last key has these bytes.
    package func keyIs(bytes: some Sequence<UInt8>) -> Bool {
        unescapedKey.isEmpty
            ? UnsafeBufferPointer(start: base + keyStart, count: keyEnd &- keyStart).elementsEqual(bytes)
            : unescapedKey.elementsEqual(bytes)
    }

    /// Whether the last key is the lowerCamelCase or the snake_case name of a field; proto3 JSON accepts both.
    @inline(__always)
    package func keyIs(_ name: StaticString, _ alternative: StaticString) -> Bool {
        keyIs(name) || keyIs(alternative)
    }

    // MARK: Values

    /// The first byte of the next value, or nil at the end of the text.
    @inline(__always)
    package mutating func peek() -> UInt8? {
        skipWhitespace()
        return position < end ? base[position] : nil
    }

    /// Consumes a `null` and returns true, or leaves any other value alone.
    @inline(__always)
    package mutating func consumeNull() throws(OTLPJSONError) -> Bool {
        guard peek() == 0x6e else { return false }
        try literal("null")
        return true
    }

    package mutating func bool() throws(OTLPJSONError) -> Bool {
        switch peek() {
        case 0x74:
            try literal("true")
            return true
        case 0x66:
            try literal("false")
            return false
        default: throw error("expected true or false")
        }
    }

    private mutating func literal(_ text: StaticString) throws(OTLPJSONError) {
        let length = text.utf8CodeUnitCount
        guard end &- position >= length else { throw error("expected a value") }
        for index in 0..<length where base[position &+ index] != text.utf8Start[index] {
            throw error("expected a value")
        }
        position &+= length
        isAfterValue = true
    }

    /// Skips a value of any kind, checking its syntax.
    package mutating func skipValue() throws(OTLPJSONError) {
        switch peek() {
        case 0x7b:
            try beginObject()
            while try nextKey() { try skipValue() }
        case 0x5b:
            try beginArray()
            while try nextElement() { try skipValue() }
        case 0x22: _ = try string()
        case 0x74, 0x66: _ = try bool()
        case 0x6e: try literal("null")
        case 0x2d, .some(0x30...0x39): _ = try number()
        default: throw error("expected a value")
        }
    }

    /// Checks that nothing but white space is left.
    package mutating func finish() throws(OTLPJSONError) {
        skipWhitespace()
        if position < end { throw error("unexpected text after the JSON value") }
    }

    @inline(__always)
    mutating func skipWhitespace() {
        while position < end {
            let byte = base[position]
            guard byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 else { return }
            position &+= 1
        }
    }

    /// Marks the end of a scalar value that was read by an extension of this type.
    @inline(__always)
    mutating func finishScalar() { isAfterValue = true }

    func error(_ message: StaticString, at offset: Int? = nil) -> OTLPJSONError {
        OTLPJSONError(message: message.description, offset: offset ?? position)
    }
}
