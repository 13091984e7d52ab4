import OTLP

/// Refinery's `CheckNestedFields`: parts of values that are JSON text.
extension RefineryReader {
    /// The part that a field names of a value of the item read last: `request.headers.agent` is `agent` of `headers` of the
    /// attribute `request`, or `agent` of the attribute `request.headers`. Numbers select the elements of arrays. Always text.
    func nestedValue(of name: [UInt8]) -> RefineryValue {
        guard let item else { return .missing }
        let (message, kind) = item.attributes
        let places: [(UnsafeRawBufferPointer, AttributeLookup.Message)] = [
            (message, kind), (item.span.scope, .scopeOrEvent), (item.span.resource, .resource),
        ]
        for (index, byte) in name.enumerated() where byte == UInt8(ascii: ".") {
            let key = Array(name[..<index])
            let path = name[(index + 1)...].split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
            for (message, kind) in places {
                guard let value = AttributeLookup.value(of: key, in: message, kind) else { continue }
                let found = RefineryComposite.value(value).withJSON { Self.part(of: $0, path[...]) }
                if let found { return .ownedText(found) }
            }
        }
        return .missing
    }

    /// The value at a path as text; nil where there is none.
    private static func part(of json: UnsafeRawBufferPointer, _ path: ArraySlice<ArraySlice<UInt8>>) -> [UInt8]? {
        guard let base = json.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return nil }
        var reader = JSONReader(base: base, count: json.count)
        return try? part(&reader, json, path)
    }

    private static func part(
        _ reader: inout JSONReader, _ json: UnsafeRawBufferPointer, _ path: ArraySlice<ArraySlice<UInt8>>
    ) throws(OTLPJSONError) -> [UInt8]? {
        guard let step = path.first else {
            if reader.peek() == UInt8(ascii: "\"") {
                var text: [UInt8] = []
                reader.append(try reader.string(), to: &text)
                return text
            }
            let start = reader.position
            try reader.skipValue()
            return Array(json[start..<reader.position])
        }
        switch reader.peek() {
        case UInt8(ascii: "{"):
            try reader.beginObject()
            while try reader.nextKey() {
                if reader.keyIs(bytes: step) { return try part(&reader, json, path.dropFirst()) }
                try reader.skipValue()
            }
        case UInt8(ascii: "["):
            guard let wanted = Int(String(decoding: step, as: UTF8.self)) else { return nil }
            try reader.beginArray()
            var index = 0
            while try reader.nextElement() {
                if index == wanted { return try part(&reader, json, path.dropFirst()) }
                try reader.skipValue()
                index += 1
            }
        default: break
        }
        return nil
    }
}

extension RefineryValue {
    /// Calls `body` where the value is text that may be a JSON object or array.
    fileprivate func withJSON(_ body: (UnsafeRawBufferPointer) -> [UInt8]?) -> [UInt8]? {
        switch self {
        case .text, .ownedText:
            withText { text in
                guard let first = text.first(where: { $0 > 0x20 }), first == 0x7b || first == 0x5b else { return nil }
                return body(text)
            }
        case .missing, .int, .double, .bool: nil
        }
    }
}
