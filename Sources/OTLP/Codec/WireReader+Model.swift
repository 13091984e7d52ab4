import TraceModel

// One method per message: the reader spans the message's payload and is consumed to its end.
extension WireReader {
    mutating func resourceSpans() throws(ScanError) -> ResourceSpans {
        var result = ResourceSpans(resource: Resource(), scopeSpans: [])
        while !isAtEnd {
            let tag = try self.tag()
            switch (Int(tag >> 3), tag & 7) {
            case (OTLPField.ResourceSpans.resource, WireType.length):
                var message = try nested()
                try message.merge(into: &result.resource)
            case (OTLPField.ResourceSpans.scopeSpans, WireType.length):
                var message = try nested()
                result.scopeSpans.append(try message.scopeSpans())
            case (OTLPField.ResourceSpans.schemaURL, WireType.length): result.schemaURL = try string()
            default: try skip(tag: tag)
            }
        }
        return result
    }

    mutating func scopeSpans() throws(ScanError) -> ScopeSpans {
        var result = ScopeSpans(scope: InstrumentationScope(), spans: [])
        while !isAtEnd {
            let tag = try self.tag()
            switch (Int(tag >> 3), tag & 7) {
            case (OTLPField.ScopeSpans.scope, WireType.length):
                var message = try nested()
                try message.merge(into: &result.scope)
            case (OTLPField.ScopeSpans.spans, WireType.length):
                var message = try nested()
                result.spans.append(try message.span())
            case (OTLPField.ScopeSpans.schemaURL, WireType.length): result.schemaURL = try string()
            default: try skip(tag: tag)
            }
        }
        return result
    }

    mutating func merge(into resource: inout Resource) throws(ScanError) {
        while !isAtEnd {
            let tag = try self.tag()
            switch (Int(tag >> 3), tag & 7) {
            case (OTLPField.Resource.attributes, WireType.length): resource.attributes.append(try attribute(depth: 0))
            case (OTLPField.Resource.droppedAttributesCount, WireType.varint):
                resource.droppedAttributesCount = try uint32()
            default: try skip(tag: tag)
            }
        }
    }

    mutating func merge(into scope: inout InstrumentationScope) throws(ScanError) {
        while !isAtEnd {
            let tag = try self.tag()
            switch (Int(tag >> 3), tag & 7) {
            case (OTLPField.Scope.name, WireType.length): scope.name = try string()
            case (OTLPField.Scope.version, WireType.length): scope.version = try string()
            case (OTLPField.Scope.attributes, WireType.length): scope.attributes.append(try attribute(depth: 0))
            case (OTLPField.Scope.droppedAttributesCount, WireType.varint): scope.droppedAttributesCount = try uint32()
            default: try skip(tag: tag)
            }
        }
    }

    mutating func span() throws(ScanError) -> Span {
        var span = Span.blank
        while !isAtEnd {
            let tag = try self.tag()
            switch (Int(tag >> 3), tag & 7) {
            case (OTLPField.Span.traceID, WireType.length): span.traceID = try traceID()
            case (OTLPField.Span.spanID, WireType.length): span.spanID = try spanID()
            case (OTLPField.Span.traceState, WireType.length): span.traceState = try string()
            case (OTLPField.Span.parentSpanID, WireType.length): span.parentSpanID = try spanID()
            case (OTLPField.Span.name, WireType.length): span.name = try string()
            case (OTLPField.Span.kind, WireType.varint):
                span.kind = UInt8(exactly: try uint32()).flatMap(SpanKind.init(rawValue:)) ?? .unspecified
            case (OTLPField.Span.startTime, WireType.fixed64): span.startTime = try fixed64()
            case (OTLPField.Span.endTime, WireType.fixed64): span.endTime = try fixed64()
            case (OTLPField.Span.attributes, WireType.length): span.attributes.append(try attribute(depth: 0))
            case (OTLPField.Span.droppedAttributesCount, WireType.varint): span.droppedAttributesCount = try uint32()
            case (OTLPField.Span.events, WireType.length):
                var message = try nested()
                span.events.append(try message.event())
            case (OTLPField.Span.droppedEventsCount, WireType.varint): span.droppedEventsCount = try uint32()
            case (OTLPField.Span.links, WireType.length):
                var message = try nested()
                span.links.append(try message.link())
            case (OTLPField.Span.droppedLinksCount, WireType.varint): span.droppedLinksCount = try uint32()
            case (OTLPField.Span.status, WireType.length):
                var message = try nested()
                try message.merge(into: &span.status)
            case (OTLPField.Span.flags, WireType.fixed32): span.flags = try fixed32()
            default: try skip(tag: tag)
            }
        }
        return span
    }

    private mutating func event() throws(ScanError) -> SpanEvent {
        var event = SpanEvent(time: 0, name: "")
        while !isAtEnd {
            let tag = try self.tag()
            switch (Int(tag >> 3), tag & 7) {
            case (OTLPField.Event.time, WireType.fixed64): event.time = try fixed64()
            case (OTLPField.Event.name, WireType.length): event.name = try string()
            case (OTLPField.Event.attributes, WireType.length): event.attributes.append(try attribute(depth: 0))
            case (OTLPField.Event.droppedAttributesCount, WireType.varint): event.droppedAttributesCount = try uint32()
            default: try skip(tag: tag)
            }
        }
        return event
    }

    private mutating func link() throws(ScanError) -> SpanLink {
        var link = SpanLink(traceID: TraceID(high: 0, low: 0), spanID: SpanID(0))
        while !isAtEnd {
            let tag = try self.tag()
            switch (Int(tag >> 3), tag & 7) {
            case (OTLPField.Link.traceID, WireType.length): link.traceID = try traceID(lenient: true)
            case (OTLPField.Link.spanID, WireType.length): link.spanID = try spanID(lenient: true)
            case (OTLPField.Link.traceState, WireType.length): link.traceState = try string()
            case (OTLPField.Link.attributes, WireType.length): link.attributes.append(try attribute(depth: 0))
            case (OTLPField.Link.droppedAttributesCount, WireType.varint): link.droppedAttributesCount = try uint32()
            case (OTLPField.Link.flags, WireType.fixed32): link.flags = try fixed32()
            default: try skip(tag: tag)
            }
        }
        return link
    }

    private mutating func merge(into status: inout SpanStatus) throws(ScanError) {
        while !isAtEnd {
            let tag = try self.tag()
            switch (Int(tag >> 3), tag & 7) {
            case (OTLPField.Status.message, WireType.length): status.message = try string()
            case (OTLPField.Status.code, WireType.varint):
                status.code = UInt8(exactly: try uint32()).flatMap(StatusCode.init(rawValue:)) ?? .unset
            default: try skip(tag: tag)
            }
        }
    }

    // MARK: Attributes

    /// A `KeyValue` whose tag was just read. `depth` counts the lists around its value: 0 for an attribute.
    private mutating func attribute(depth: Int) throws(ScanError) -> Attribute {
        var message = try nested()
        var attribute = Attribute("", .empty)
        while !message.isAtEnd {
            let tag = try message.tag()
            switch (Int(tag >> 3), tag & 7) {
            case (OTLPField.KeyValue.key, WireType.length): attribute.key = try message.string()
            case (OTLPField.KeyValue.value, WireType.length):
                var value = try message.nested()
                try value.merge(into: &attribute.value, depth: depth)
            default: try message.skip(tag: tag)
            }
        }
        return attribute
    }

    /// Merges an `AnyValue`: the last member of the union wins, except that lists of the same kind are joined.
    mutating func merge(into value: inout AttributeValue, depth: Int) throws(ScanError) {
        while !isAtEnd {
            let tag = try self.tag()
            switch (Int(tag >> 3), tag & 7) {
            case (OTLPField.AnyValue.string, WireType.length): value = .string(try string())
            case (OTLPField.AnyValue.bool, WireType.varint): value = .bool(try varint() != 0)
            case (OTLPField.AnyValue.int, WireType.varint): value = .int(Int64(bitPattern: try varint()))
            case (OTLPField.AnyValue.double, WireType.fixed64): value = .double(Double(bitPattern: try fixed64()))
            case (OTLPField.AnyValue.bytes, WireType.length): value = .bytes(Array(try payload()))
            case (OTLPField.AnyValue.array, WireType.length):
                var elements: [AttributeValue] = []
                if case .array(let earlier) = value { elements = earlier }
                var list = try nested()
                try list.appendElements(to: &elements, depth: depth + 1)
                value = .array(elements)
            case (OTLPField.AnyValue.map, WireType.length):
                var entries: [Attribute] = []
                if case .map(let earlier) = value { entries = earlier }
                var list = try nested()
                try list.appendEntries(to: &entries, depth: depth + 1)
                value = .map(entries)
            default: try skip(tag: tag)
            }
        }
    }

    private mutating func appendElements(to elements: inout [AttributeValue], depth: Int) throws(ScanError) {
        if depth > OTLPValidator.maximumDepth { throw ScanError(.nestedTooDeep, at: position) }
        while !isAtEnd {
            let tag = try self.tag()
            switch (Int(tag >> 3), tag & 7) {
            case (OTLPField.List.values, WireType.length):
                var element = AttributeValue.empty
                var message = try nested()
                try message.merge(into: &element, depth: depth)
                elements.append(element)
            default: try skip(tag: tag)
            }
        }
    }

    private mutating func appendEntries(to entries: inout [Attribute], depth: Int) throws(ScanError) {
        if depth > OTLPValidator.maximumDepth { throw ScanError(.nestedTooDeep, at: position) }
        while !isAtEnd {
            let tag = try self.tag()
            switch (Int(tag >> 3), tag & 7) {
            case (OTLPField.List.values, WireType.length): entries.append(try attribute(depth: depth))
            default: try skip(tag: tag)
            }
        }
    }

    // MARK: Scalars

    /// A reader over a nested message whose tag was just read.
    private mutating func nested() throws(ScanError) -> WireReader {
        WireReader(base: base, range: try lengthDelimited())
    }

    private mutating func payload() throws(ScanError) -> UnsafeBufferPointer<UInt8> {
        let range = try lengthDelimited()
        return UnsafeBufferPointer(start: base + range.start, count: Int(range.length))
    }

    /// Protobuf keeps the low 32 bits of a longer varint.
    private mutating func uint32() throws(ScanError) -> UInt32 {
        UInt32(truncatingIfNeeded: try varint())
    }

    private mutating func string() throws(ScanError) -> String {
        let at = position
        guard let string = String(validating: try payload(), as: UTF8.self) else {
            throw ScanError(.invalidUTF8, at: at)
        }
        return string
    }

    // Links are lenient: the scanner accepts a record whatever its links' ids are, and what it accepts must decode.

    private mutating func traceID(lenient: Bool = false) throws(ScanError) -> TraceID {
        let at = position
        let bytes = UnsafeRawBufferPointer(try payload())
        if bytes.isEmpty { return TraceID(high: 0, low: 0) }
        guard bytes.count == 16 else {
            if lenient { return TraceID(high: 0, low: 0) }
            throw ScanError(.traceIDLength, at: at)
        }
        return TraceID(
            high: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
            low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
    }

    private mutating func spanID(lenient: Bool = false) throws(ScanError) -> SpanID {
        let at = position
        let bytes = UnsafeRawBufferPointer(try payload())
        if bytes.isEmpty { return SpanID(0) }
        guard bytes.count == 8 else {
            if lenient { return SpanID(0) }
            throw ScanError(.spanIDLength, at: at)
        }
        return SpanID(UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)))
    }
}
