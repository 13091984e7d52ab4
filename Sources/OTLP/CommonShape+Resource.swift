extension CommonShape {
    /// The keys that a `Resource` message can have, if it is in the common shape and valid: attributes and nothing else.
    @inline(__always)
    static func resourceKeys(_ reader: WireReader) -> UInt64? {
        let attributes = skipAttributes(Cursor(reader), field: 0x0a, strings: .counted)
        guard attributes.end == reader.end else { return nil }
        let highBytes = HighBytes.count(
            UnsafeRawPointer(reader.base + reader.position), reader.end &- reader.position)
        return attributes.highBytes == highBytes ? attributes.keys : nil
    }

    /// Whether an `InstrumentationScope` message is in the common shape and valid: a name, perhaps a version.
    @inline(__always)
    static func isScope(_ reader: WireReader) -> Bool {
        var cursor = Cursor(reader)
        let start = cursor.position
        guard cursor.remaining >= 2, cursor.byte(0) == 0x0a, shortString(&cursor, .counted) != nil else { return false }
        if cursor.remaining >= 2 {
            guard cursor.byte(0) == 0x12, shortString(&cursor, .counted) != nil else { return false }
        }
        return cursor.remaining == 0
            && HighBytes.count(UnsafeRawPointer(cursor.base + start), cursor.end &- start) == 0
    }
}
