extension OTLPJSONTranslator {
    mutating func span() throws(OTLPJSONError) {
        var seen: UInt32 = 0
        try reader.beginObject()
        while try reader.nextKey() {
            if try reader.consumeNull() { continue }
            if reader.keyIs("traceId", "trace_id") {
                try once(0, &seen)
                try idField(OTLPField.Span.traceID, byteCount: 16)
            } else if reader.keyIs("spanId", "span_id") {
                try once(1, &seen)
                try idField(OTLPField.Span.spanID, byteCount: 8)
            } else if reader.keyIs("parentSpanId", "parent_span_id") {
                try once(2, &seen)
                try idField(OTLPField.Span.parentSpanID, byteCount: 8)
            } else if reader.keyIs("name") {
                try once(3, &seen)
                try stringField(OTLPField.Span.name)
            } else if reader.keyIs("kind") {
                try once(4, &seen)
                try enumField(OTLPField.Span.kind, prefix: "SPAN_KIND_", names: Self.kindNames, "expected a span kind")
            } else if reader.keyIs("startTimeUnixNano", "start_time_unix_nano") {
                try once(5, &seen)
                try timeField(OTLPField.Span.startTime)
            } else if reader.keyIs("endTimeUnixNano", "end_time_unix_nano") {
                try once(6, &seen)
                try timeField(OTLPField.Span.endTime)
            } else if reader.keyIs("attributes") {
                try once(7, &seen)
                try attributes(OTLPField.Span.attributes)
            } else if reader.keyIs("status") {
                try once(8, &seen)
                try message(OTLPField.Span.status) { (self) throws(OTLPJSONError) in try self.status() }
            } else if reader.keyIs("events") {
                try once(9, &seen)
                try messages(OTLPField.Span.events) { (self) throws(OTLPJSONError) in try self.event() }
            } else if reader.keyIs("links") {
                try once(10, &seen)
                try messages(OTLPField.Span.links) { (self) throws(OTLPJSONError) in try self.link() }
            } else if reader.keyIs("traceState", "trace_state") {
                try once(11, &seen)
                try stringField(OTLPField.Span.traceState)
            } else if reader.keyIs("flags") {
                try once(12, &seen)
                try flagsField(OTLPField.Span.flags)
            } else if reader.keyIs("droppedAttributesCount", "dropped_attributes_count") {
                try once(13, &seen)
                try uint32Field(OTLPField.Span.droppedAttributesCount)
            } else if reader.keyIs("droppedEventsCount", "dropped_events_count") {
                try once(14, &seen)
                try uint32Field(OTLPField.Span.droppedEventsCount)
            } else if reader.keyIs("droppedLinksCount", "dropped_links_count") {
                try once(15, &seen)
                try uint32Field(OTLPField.Span.droppedLinksCount)
            } else {
                try reader.skipValue()
            }
        }
    }

    private mutating func event() throws(OTLPJSONError) {
        var seen: UInt32 = 0
        try reader.beginObject()
        while try reader.nextKey() {
            if try reader.consumeNull() { continue }
            if reader.keyIs("timeUnixNano", "time_unix_nano") {
                try once(0, &seen)
                try timeField(OTLPField.Event.time)
            } else if reader.keyIs("name") {
                try once(1, &seen)
                try stringField(OTLPField.Event.name)
            } else if reader.keyIs("attributes") {
                try once(2, &seen)
                try attributes(OTLPField.Event.attributes)
            } else if reader.keyIs("droppedAttributesCount", "dropped_attributes_count") {
                try once(3, &seen)
                try uint32Field(OTLPField.Event.droppedAttributesCount)
            } else {
                try reader.skipValue()
            }
        }
    }

    private mutating func link() throws(OTLPJSONError) {
        var seen: UInt32 = 0
        try reader.beginObject()
        while try reader.nextKey() {
            if try reader.consumeNull() { continue }
            if reader.keyIs("traceId", "trace_id") {
                try once(0, &seen)
                try idField(OTLPField.Link.traceID, byteCount: 16)
            } else if reader.keyIs("spanId", "span_id") {
                try once(1, &seen)
                try idField(OTLPField.Link.spanID, byteCount: 8)
            } else if reader.keyIs("traceState", "trace_state") {
                try once(2, &seen)
                try stringField(OTLPField.Link.traceState)
            } else if reader.keyIs("attributes") {
                try once(3, &seen)
                try attributes(OTLPField.Link.attributes)
            } else if reader.keyIs("droppedAttributesCount", "dropped_attributes_count") {
                try once(4, &seen)
                try uint32Field(OTLPField.Link.droppedAttributesCount)
            } else if reader.keyIs("flags") {
                try once(5, &seen)
                try flagsField(OTLPField.Link.flags)
            } else {
                try reader.skipValue()
            }
        }
    }

    private mutating func status() throws(OTLPJSONError) {
        var seen: UInt32 = 0
        try reader.beginObject()
        while try reader.nextKey() {
            if try reader.consumeNull() { continue }
            if reader.keyIs("code") {
                try once(0, &seen)
                try enumField(
                    OTLPField.Status.code, prefix: "STATUS_CODE_", names: Self.statusNames, "expected a status code")
            } else if reader.keyIs("message") {
                try once(1, &seen)
                try stringField(OTLPField.Status.message)
            } else {
                try reader.skipValue()
            }
        }
    }

    // MARK: Enums

    private static let kindNames: [StaticString] = [
        "UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER",
    ]
    private static let statusNames: [StaticString] = ["UNSET", "OK", "ERROR"]

    /// An enum by number, by its proto name, or by the name people write: without the prefix, in either case. A number
    /// that OTLP does not define is kept, as protobuf keeps it.
    private mutating func enumField(
        _ field: Int, prefix: StaticString, names: [StaticString], _ expectation: StaticString
    ) throws(OTLPJSONError) {
        let isName = reader.peek() == 0x22
        let start = reader.position
        guard isName else {
            let number: Int64
            do { number = try reader.int64() } catch { throw reader.error(expectation, at: start) }
            guard let value = Int32(exactly: number) else { throw reader.error(expectation, at: start) }
            // Protobuf writes a negative enum as the ten bytes of its 64-bit form.
            if value != 0 { writer.varintField(field, UInt64(bitPattern: Int64(value))) }
            return
        }
        let string = try reader.string()
        var name = reader.rawBytes(string)[...]
        let prefixBytes = UnsafeBufferPointer(start: prefix.utf8Start, count: prefix.utf8CodeUnitCount)
        if name.starts(with: prefixBytes) { name = name.dropFirst(prefixBytes.count) }
        for (value, candidate) in names.enumerated() {
            let bytes = UnsafeBufferPointer(start: candidate.utf8Start, count: candidate.utf8CodeUnitCount)
            guard name.count == bytes.count, name.elementsEqual(bytes, by: { $0 & 0xdf == $1 }) else { continue }
            if value != 0 { writer.varintField(field, UInt64(value)) }
            return
        }
        throw reader.error(expectation, at: start)
    }
}
