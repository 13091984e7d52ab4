import OTLP

/// Arrays, and lists of keys and values, in the bytes of an attribute.
enum RefineryComposite {
    /// husky makes fields of lists that are nested this deep; deeper ones are JSON text.
    static let maximumDepth = 5
    private static let arrayField: UInt64 = 5
    private static let mapField: UInt64 = 6

    static func isMap(_ message: UnsafeRawBufferPointer) -> Bool {
        var isMap = false
        SpanMessage.forEach(mapField, in: message) { _ in
            isMap = true
            return false
        }
        return isMap
    }

    /// Visits the entries of a list of keys and values.
    ///
    /// - Parameter message: the `AnyValue`.
    static func forEachEntry(
        of message: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer, RawAttributeValue) -> Void
    ) {
        SpanMessage.forEach(mapField, in: message) { list in
            // A `KeyValueList` has its entries in field 1, as a resource its attributes.
            AttributeLookup.forEach(in: list, .resource) { key, value in
                body(key, value)
                return true
            }
            return true
        }
    }

    /// Visits the elements of an array until `body` returns false.
    static func forEachElement(of message: UnsafeRawBufferPointer, _ body: (RawAttributeValue) -> Bool) {
        SpanMessage.forEach(arrayField, in: message) { array in
            var goesOn = true
            SpanMessage.forEach(1, in: array) { element in
                goesOn = body(AttributeLookup.value(ofMessage: element))
                return goesOn
            }
            return goesOn
        }
    }

    /// An attribute's value as Refinery has it: bytes, arrays and lists are JSON text.
    static func value(_ value: RawAttributeValue) -> RefineryValue {
        switch value {
        case .string(let text): return .text(text)
        case .int(let number): return .int(number)
        case .double(let number): return .double(number)
        case .bool(let flag): return .bool(flag)
        case .empty: return .missing
        case .bytes, .composite:
            var json = JSONWriter()
            write(value, to: &json, depth: 0)
            return .ownedText(json.bytes)
        }
    }

    /// The scanner bounds how deep values nest; so does this.
    private static func write(_ value: RawAttributeValue, to json: inout JSONWriter, depth: Int) {
        switch value {
        case .string(let text): json.string(String(decoding: text, as: UTF8.self))
        case .bytes(let bytes):
            var text: [UInt8] = []
            Base64.encode(bytes, into: &text)
            json.string(String(decoding: text, as: UTF8.self))
        case .int(let number): json.int(number)
        // Go writes whole numbers without a point.
        case .double(let number) where number.magnitude < 1e15 && number.rounded() == number: json.int(Int64(number))
        case .double(let number): json.double(number)
        case .bool(let flag): json.bool(flag)
        case .empty: json.null()
        case .composite(let message):
            guard depth < 64 else { return json.null() }
            if isMap(message) {
                json.beginObject()
                forEachEntry(of: message) { key, value in
                    json.key(String(decoding: key, as: UTF8.self))
                    write(value, to: &json, depth: depth + 1)
                }
                json.endObject()
            } else {
                json.beginArray()
                forEachElement(of: message) { element in
                    write(element, to: &json, depth: depth + 1)
                    return true
                }
                json.endArray()
            }
        }
    }
}
