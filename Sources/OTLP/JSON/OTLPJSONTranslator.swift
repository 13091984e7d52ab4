/// One pass over OTLP/JSON text that appends protobuf fields as it goes. One method per message.
///
/// `seen` masks hold one bit per singular member, so that a member that appears twice is found: which of two wins
/// differs between JSON libraries, and a request must not mean different things to different readers.
struct OTLPJSONTranslator {
    var reader: JSONReader
    var writer: ProtobufWriter
    var scratch: [UInt8] = []
    private var arrivalMilliseconds: Int64?

    init(base: UnsafePointer<UInt8>, count: Int) {
        reader = JSONReader(base: base, count: count)
        // Protobuf is the shorter form; reserving generously is cheaper than growing.
        writer = ProtobufWriter(reservingCapacity: count / 2)
    }

    mutating func translate() throws(OTLPJSONError) -> OTLPJSONRequest {
        var seen: UInt32 = 0
        try reader.beginObject()
        while try reader.nextKey() {
            if try reader.consumeNull() { continue }
            if reader.keyIs("resourceSpans", "resource_spans") {
                try once(0, &seen)
                try messages(OTLPField.Request.resourceSpans) { (self) throws(OTLPJSONError) in
                    try self.resourceSpans()
                }
            } else if reader.keyIs("arrival_ms") {
                try once(1, &seen)
                arrivalMilliseconds = try milliseconds()
            } else {
                try reader.skipValue()
            }
        }
        try reader.finish()
        return OTLPJSONRequest(protobuf: writer.bytes, arrivalMilliseconds: arrivalMilliseconds)
    }

    private mutating func milliseconds() throws(OTLPJSONError) -> Int64 {
        _ = reader.peek()
        let start = reader.position
        let value = try reader.double()
        guard let milliseconds = Int64(exactly: value.rounded()) else {
            throw reader.error("expected milliseconds", at: start)
        }
        return milliseconds
    }

    private mutating func resourceSpans() throws(OTLPJSONError) {
        var seen: UInt32 = 0
        var retiredSpans: JSONReader?
        try reader.beginObject()
        while try reader.nextKey() {
            if try reader.consumeNull() { continue }
            if reader.keyIs("resource") {
                try once(0, &seen)
                try message(OTLPField.ResourceSpans.resource) { (self) throws(OTLPJSONError) in try self.resource() }
            } else if reader.keyIs("scopeSpans", "scope_spans") {
                try once(1, &seen)
                try allScopeSpans()
            } else if reader.keyIs("schemaUrl", "schema_url") {
                try once(2, &seen)
                try stringField(OTLPField.ResourceSpans.schemaURL)
            } else if reader.keyIs("instrumentationLibrarySpans", "instrumentation_library_spans") {
                try once(3, &seen)
                // Some senders wrote both for a while; OTLP says that the old one is ignored where the new one is set.
                retiredSpans = reader
                try reader.skipValue()
            } else {
                try reader.skipValue()
            }
        }
        if let retiredSpans, seen & 1 << 1 == 0 {
            let behind = reader
            reader = retiredSpans
            try allScopeSpans()
            reader = behind
        }
    }

    private mutating func allScopeSpans() throws(OTLPJSONError) {
        try messages(OTLPField.ResourceSpans.scopeSpans) { (self) throws(OTLPJSONError) in try self.scopeSpans() }
    }

    private mutating func resource() throws(OTLPJSONError) {
        var seen: UInt32 = 0
        try reader.beginObject()
        while try reader.nextKey() {
            if try reader.consumeNull() { continue }
            if reader.keyIs("attributes") {
                try once(0, &seen)
                try attributes(OTLPField.Resource.attributes)
            } else if reader.keyIs("droppedAttributesCount", "dropped_attributes_count") {
                try once(1, &seen)
                try uint32Field(OTLPField.Resource.droppedAttributesCount)
            } else {
                try reader.skipValue()
            }
        }
    }

    private mutating func scopeSpans() throws(OTLPJSONError) {
        var seen: UInt32 = 0
        try reader.beginObject()
        while try reader.nextKey() {
            if try reader.consumeNull() { continue }
            if reader.keyIs("spans") {
                try once(0, &seen)
                try messages(OTLPField.ScopeSpans.spans) { (self) throws(OTLPJSONError) in try self.span() }
            } else if reader.keyIs("scope") || reader.keyIs("instrumentationLibrary", "instrumentation_library") {
                try once(1, &seen)
                try message(OTLPField.ScopeSpans.scope) { (self) throws(OTLPJSONError) in try self.scope() }
            } else if reader.keyIs("schemaUrl", "schema_url") {
                try once(2, &seen)
                try stringField(OTLPField.ScopeSpans.schemaURL)
            } else {
                try reader.skipValue()
            }
        }
    }

    private mutating func scope() throws(OTLPJSONError) {
        var seen: UInt32 = 0
        try reader.beginObject()
        while try reader.nextKey() {
            if try reader.consumeNull() { continue }
            if reader.keyIs("name") {
                try once(0, &seen)
                try stringField(OTLPField.Scope.name)
            } else if reader.keyIs("version") {
                try once(1, &seen)
                try stringField(OTLPField.Scope.version)
            } else if reader.keyIs("attributes") {
                try once(2, &seen)
                try attributes(OTLPField.Scope.attributes)
            } else if reader.keyIs("droppedAttributesCount", "dropped_attributes_count") {
                try once(3, &seen)
                try uint32Field(OTLPField.Scope.droppedAttributesCount)
            } else {
                try reader.skipValue()
            }
        }
    }

    // MARK: Building blocks

    /// An array of messages: each element that is not null becomes one length-delimited field.
    @inline(__always)
    mutating func messages(
        _ field: Int, _ body: (inout OTLPJSONTranslator) throws(OTLPJSONError) -> Void
    ) throws(OTLPJSONError) {
        try reader.beginArray()
        while try reader.nextElement() {
            if try reader.consumeNull() { continue }
            try message(field, body)
        }
    }

    /// One object as a length-delimited field.
    @inline(__always)
    mutating func message(
        _ field: Int, _ body: (inout OTLPJSONTranslator) throws(OTLPJSONError) -> Void
    ) throws(OTLPJSONError) {
        let mark = writer.beginMessage(field)
        try body(&self)
        writer.endMessage(mark)
    }

    @inline(__always)
    func once(_ bit: UInt32, _ seen: inout UInt32) throws(OTLPJSONError) {
        if seen & 1 << bit != 0 { throw reader.error("member appears twice") }
        seen |= 1 << bit
    }

    /// A string member; the empty string is proto3's default and left out.
    mutating func stringField(_ field: Int) throws(OTLPJSONError) {
        let string = try reader.string()
        if string.end > string.start { write(string, field: field) }
    }

    mutating func write(_ string: JSONString, field: Int) {
        guard string.hasEscapes else {
            writer.bytesField(field, reader.rawBytes(string))
            return
        }
        scratch.removeAll(keepingCapacity: true)
        reader.append(string, to: &scratch)
        writer.bytesField(field, scratch)
    }

    mutating func uint32Field(_ field: Int) throws(OTLPJSONError) {
        let value = try reader.uint32()
        if value != 0 { writer.varintField(field, UInt64(value)) }
    }

    mutating func flagsField(_ field: Int) throws(OTLPJSONError) {
        let value = try reader.uint32()
        if value != 0 { writer.fixed32Field(field, value) }
    }

    mutating func timeField(_ field: Int) throws(OTLPJSONError) {
        let value = try reader.uint64()
        if value != 0 { writer.fixed64Field(field, value) }
    }
}
