extension OTLPJSONTranslator {
    // MARK: Attributes

    mutating func attributes(_ field: Int) throws(OTLPJSONError) {
        try attributes(field, depth: 0)
    }

    private mutating func attributes(_ field: Int, depth: Int) throws(OTLPJSONError) {
        try reader.beginArray()
        while try reader.nextElement() {
            if try reader.consumeNull() { continue }
            let mark = writer.beginMessage(field)
            try keyValue(depth: depth)
            writer.endMessage(mark)
        }
    }

    private mutating func keyValue(depth: Int) throws(OTLPJSONError) {
        var seen: UInt32 = 0
        try reader.beginObject()
        while try reader.nextKey() {
            if try reader.consumeNull() { continue }
            if reader.keyIs("key") {
                try once(0, &seen)
                try stringField(OTLPField.KeyValue.key)
            } else if reader.keyIs("value") {
                try once(1, &seen)
                let mark = writer.beginMessage(OTLPField.KeyValue.value)
                try anyValue(depth: depth)
                writer.endMessage(mark)
            } else {
                try reader.skipValue()
            }
        }
    }

    /// `depth` counts the lists around this value, as in the protobuf decoder.
    private mutating func anyValue(depth: Int) throws(OTLPJSONError) {
        var seen: UInt32 = 0
        try reader.beginObject()
        while try reader.nextKey() {
            if try reader.consumeNull() { continue }
            // A default is written here, unlike elsewhere: which member of the union is set carries meaning.
            if reader.keyIs("stringValue", "string_value") {
                try onlyMember(&seen)
                write(try reader.string(), field: OTLPField.AnyValue.string)
            } else if reader.keyIs("intValue", "int_value") {
                try onlyMember(&seen)
                writer.varintField(OTLPField.AnyValue.int, UInt64(bitPattern: try reader.int64()))
            } else if reader.keyIs("boolValue", "bool_value") {
                try onlyMember(&seen)
                writer.varintField(OTLPField.AnyValue.bool, try reader.bool() ? 1 : 0)
            } else if reader.keyIs("doubleValue", "double_value") {
                try onlyMember(&seen)
                writer.fixed64Field(OTLPField.AnyValue.double, try reader.double().bitPattern)
            } else if reader.keyIs("bytesValue", "bytes_value") {
                try onlyMember(&seen)
                try base64Field(OTLPField.AnyValue.bytes)
            } else if reader.keyIs("arrayValue", "array_value") {
                try onlyMember(&seen)
                try list(OTLPField.AnyValue.array, isMap: false, depth: depth + 1)
            } else if reader.keyIs("kvlistValue", "kvlist_value") {
                try onlyMember(&seen)
                try list(OTLPField.AnyValue.map, isMap: true, depth: depth + 1)
            } else {
                try reader.skipValue()
            }
        }
    }

    private func onlyMember(_ seen: inout UInt32) throws(OTLPJSONError) {
        if seen != 0 { throw reader.error("attribute has more than one value") }
        seen = 1
    }

    /// `ArrayValue` or `KeyValueList`: an object with the one member `values`.
    private mutating func list(_ field: Int, isMap: Bool, depth: Int) throws(OTLPJSONError) {
        if depth > OTLPValidator.maximumDepth { throw reader.error("nested too deep") }
        var seen: UInt32 = 0
        let mark = writer.beginMessage(field)
        try reader.beginObject()
        while try reader.nextKey() {
            if try reader.consumeNull() { continue }
            guard reader.keyIs("values") else {
                try reader.skipValue()
                continue
            }
            try once(0, &seen)
            if isMap {
                try attributes(OTLPField.List.values, depth: depth)
            } else {
                try messages(OTLPField.List.values) { (self) throws(OTLPJSONError) in try self.anyValue(depth: depth) }
            }
        }
        writer.endMessage(mark)
    }

    // MARK: Ids and bytes

    /// An id in hex (OTLP/JSON) or base64 (plain proto3 JSON). The lengths tell them apart: 16 bytes are 32 hex digits
    /// or 22 to 24 base64 characters, 8 bytes are 16 or 11 to 12. An empty id is left out.
    mutating func idField(_ field: Int, byteCount: Int) throws(OTLPJSONError) {
        _ = reader.peek()
        let start = reader.position
        let string = try reader.string()
        if string.end == string.start { return }
        scratch.removeAll(keepingCapacity: true)
        let text = reader.rawBytes(string)
        if !string.hasEscapes, text.count == byteCount * 2, appendHex(text) {
            writer.bytesField(field, scratch)
            return
        }
        scratch.removeAll(keepingCapacity: true)
        guard appendBase64(string), scratch.count == byteCount else {
            throw reader.error(
                byteCount == 16 ? "expected a trace id of 32 hex digits" : "expected a span id of 16 hex digits",
                at: start)
        }
        writer.bytesField(field, scratch)
    }

    private mutating func appendHex(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        var index = 0
        while index < text.count {
            guard let high = hexDigit(text[index]), let low = hexDigit(text[index &+ 1]) else { return false }
            scratch.append(high << 4 | low)
            index &+= 2
        }
        return true
    }

    private mutating func base64Field(_ field: Int) throws(OTLPJSONError) {
        _ = reader.peek()
        let start = reader.position
        let string = try reader.string()
        scratch.removeAll(keepingCapacity: true)
        guard appendBase64(string) else { throw reader.error("expected base64", at: start) }
        writer.bytesField(field, scratch)
    }

    /// Appends decoded bytes to `scratch`. PHP escapes the slashes of base64, so escapes are resolved first.
    private mutating func appendBase64(_ string: JSONString) -> Bool {
        guard string.hasEscapes else { return Base64.decode(reader.rawBytes(string), into: &scratch) }
        var text: [UInt8] = []
        reader.append(string, to: &text)
        return text.withUnsafeBufferPointer { Base64.decode($0, into: &scratch) }
    }
}
