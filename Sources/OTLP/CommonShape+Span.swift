import TraceModel

extension CommonShape {
    /// Reads a `Span` message into `head`, or returns false: then the scanner has to read it, and `head` means nothing.
    @inline(__always)
    static func readSpan(_ reader: WireReader, into head: inout SpanHead) -> Bool {
        var cursor = Cursor(reader)
        let highBytes = HighBytes.count(UnsafeRawPointer(cursor.base + cursor.position), cursor.remaining)
        guard readSpan(&cursor, into: &head, strings: .counted) else { return false }
        if cursor.highBytes == highBytes { return true }
        // Some string is more than ASCII.
        return readSpanWithText(reader, into: &head)
    }

    @inline(never)
    private static func readSpanWithText(_ reader: WireReader, into head: inout SpanHead) -> Bool {
        var cursor = Cursor(reader)
        return readSpan(&cursor, into: &head, strings: .checked)
    }

    @inline(__always)
    private static func readSpan(_ cursor: inout Cursor, into head: inout SpanHead, strings: Strings) -> Bool {
        // Trace id and span id.
        guard cursor.remaining >= 28, cursor.load(UInt16.self, 0) == 0x100a, cursor.load(UInt16.self, 18) == 0x0812
        else { return false }
        let high = cursor.load(UInt64.self, 2)
        let low = cursor.load(UInt64.self, 10)
        let spanID = cursor.load(UInt64.self, 20)
        head.traceID = TraceID(high: high.byteSwapped, low: low.byteSwapped)
        head.spanID = SpanID(spanID.byteSwapped)
        var flags = HighBytes.flags(high) &+ HighBytes.flags(low) &+ HighBytes.flags(spanID)
        cursor.position &+= 28

        // Trace state, parent and name.
        head.traceState = .empty
        if cursor.remaining >= 2, cursor.byte(0) == 0x1a {
            guard let range = shortString(&cursor, strings) else { return false }
            head.traceState = range
        }
        head.parentSpanID = SpanID(0)
        if cursor.remaining >= 10, cursor.load(UInt16.self, 0) == 0x0822 {
            let parent = cursor.load(UInt64.self, 2)
            head.parentSpanID = SpanID(parent.byteSwapped)
            flags &+= HighBytes.flags(parent)
            cursor.position &+= 10
        }
        guard cursor.remaining >= 2, cursor.byte(0) == 0x2a, let name = shortString(&cursor, strings) else {
            return false
        }
        head.name = name

        // Kind and times.
        head.kind = 0
        if cursor.remaining >= 2, cursor.byte(0) == 0x30 {
            let kind = cursor.byte(1)
            guard kind < 0x80 else { return false }
            head.kind = kind <= 5 ? kind : 0
            cursor.position &+= 2
        }
        guard cursor.remaining >= 18, cursor.byte(0) == 0x39, cursor.byte(9) == 0x41 else { return false }
        head.startTime = cursor.load(UInt64.self, 1)
        head.endTime = cursor.load(UInt64.self, 10)
        flags &+= HighBytes.flags(head.startTime) &+ HighBytes.flags(head.endTime)
        cursor.highBytes = HighBytes.sum(flags)
        cursor.position &+= 18

        head.status = 0
        head.flags = 0
        head.attributes = .empty
        head.attributeCount = 0
        head.hasEventsOrLinks = false
        head.attributeKeys = AttributeKeyFilter.nothing
        var firstAttribute = -1
        var lastAttributeEnd = 0
        while true {
            let from = cursor.position
            let attributes = skipAttributes(cursor, field: 0x4a, strings: strings)
            if attributes.end != from {
                if firstAttribute < 0 { firstAttribute = from }
                lastAttributeEnd = attributes.end
                head.attributeCount &+= attributes.count
                head.attributeKeys |= attributes.keys
                cursor.highBytes &+= attributes.highBytes
                cursor.position = attributes.end
            }
            guard cursor.remaining > 0 else { break }
            let tag = cursor.byte(0)
            if tag == 0x85 {
                // Flags: a tag of two bytes.
                guard cursor.remaining >= 6, cursor.byte(1) == 0x01 else { return false }
                head.flags = cursor.load(UInt32.self, 2)
                cursor.highBytes &+= 1 &+ HighBytes.count(UInt64(head.flags))
                cursor.position &+= 6
            } else if tag == 0x50 || tag == 0x60 || tag == 0x70 {
                // Counts of what the SDK dropped.
                guard cursor.remaining >= 2, cursor.byte(1) < 0x80 else { return false }
                cursor.position &+= 2
            } else {
                let tagPosition = cursor.position
                guard skipMessage(&cursor, tag: tag, status: &head.status) else { return false }
                if tag == 0x5a || tag == 0x6a {
                    head.hasEventsOrLinks = true
                } else if tag == 0x4a {
                    if firstAttribute < 0 { firstAttribute = tagPosition }
                    head.attributeCount &+= 1
                    head.attributeKeys = AttributeKeyFilter.anything
                    lastAttributeEnd = cursor.position
                }
            }
        }
        if firstAttribute >= 0 {
            head.attributes = ByteRange(offset: firstAttribute, length: lastAttributeEnd &- firstAttribute)
        }
        return true
    }

    /// A string field with a length of one byte; the cursor is at its tag and has two bytes left.
    @inline(__always)
    static func shortString(_ cursor: inout Cursor, _ strings: Strings) -> ByteRange? {
        let length = Int(cursor.byte(1))
        guard length < 0x80, length &+ 2 <= cursor.remaining else { return nil }
        let range = ByteRange(offset: cursor.position &+ 2, length: length)
        if strings == .checked, !isValidUTF8(cursor.base + range.start, length) { return nil }
        cursor.position &+= length &+ 2
        return range
    }

    /// Has the validator check a field that holds a message of any shape; tag and length count as no string.
    @inline(never)
    private static func skipMessage(_ cursor: inout Cursor, tag: UInt8, status: inout UInt8) -> Bool {
        let start = cursor.position
        var reader = WireReader(base: cursor.base, from: start &+ 1, to: cursor.end)
        do throws(ScanError) {
            let body = WireReader(base: cursor.base, range: try reader.lengthDelimited())
            switch UInt64(tag) {
            case 9 << 3 | WireType.length: try OTLPValidator.checkAttribute(body)
            case 11 << 3 | WireType.length: try OTLPValidator.checkEvent(body)
            case 13 << 3 | WireType.length: try OTLPValidator.checkLink(body)
            case 15 << 3 | WireType.length: if let code = try OTLPValidator.checkStatus(body) { status = code }
            default: return false
            }
        } catch {
            return false
        }
        cursor.highBytes &+= HighBytes.count(UnsafeRawPointer(cursor.base + start), reader.position &- start)
        cursor.position = reader.position
        return true
    }
}
