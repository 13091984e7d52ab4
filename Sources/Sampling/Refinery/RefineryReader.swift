import OTLP
import TraceModel

/// Reads the fields that a configuration names from the spans of a trace, in place, in one pass over each span's attributes.
///
/// As in Refinery, span events and links are items of their own beside the spans, with the resource and scope of their span.
/// A span attribute comes before what the span itself says, that before the scope's attributes, those before the resource's.
/// Lists of keys and values are fields of their own (`a.b`), arrays are JSON text.
///
/// One per policy, used by one thread. Values are borrowed from the trace, for the time of a vote.
final class RefineryReader {
    /// What one item is.
    enum Item {
        case span(TraceSpan)
        case event(UnsafeRawBufferPointer, of: TraceSpan)
        case link(UnsafeRawBufferPointer, of: TraceSpan)
    }

    /// How many items a trace has.
    struct Counts: Equatable {
        var spans: Int64 = 0
        var events: Int64 = 0
        var links: Int64 = 0

        var all: Int64 { spans + events + links }
    }

    let index: AttributeKeyIndex
    private let builtIns: [(slot: Int, field: RefineryBuiltIn)]
    private let exceptions: [(slot: Int, field: RefineryBuiltIn)]
    private let counts: [(slot: Int, field: RefineryBuiltIn)]
    /// The names by length, where a list of keys and values may hold them.
    private let hasNames: Bool
    /// The values of the last item read, by slot.
    private(set) var values: [RefineryValue]
    /// What scope and resource of the unit say, by slot.
    private var unitValues: [RefineryValue]
    private var unit: UInt32?
    private(set) var item: Item?
    private var fields = SpanFields(UnsafeRawBufferPointer(start: nil, count: 0))

    /// - Parameter names: without `root.`.
    init(_ names: some Sequence<String>) {
        index = AttributeKeyIndex(Set(names).map { Array($0.utf8) })
        hasNames = !index.isEmpty
        var builtIns: [(slot: Int, field: RefineryBuiltIn)] = []
        for (slot, key) in index.keys.enumerated() {
            guard let field = RefineryBuiltIn(rawValue: String(decoding: key, as: UTF8.self)) else { continue }
            builtIns.append((slot, field))
        }
        exceptions = builtIns.filter { $0.field.isException }
        counts = builtIns.filter { $0.field.isCountOfTrace }
        self.builtIns = builtIns.filter { !$0.field.isException && !$0.field.isCountOfTrace }
        values = Array(repeating: .missing, count: index.keys.count)
        unitValues = values
    }

    /// Where the values of a name are found.
    func slot(of name: String) -> Int? {
        Array(name.utf8).withUnsafeBytes { index.find($0) }
    }

    /// Whether a field counts the items of the trace.
    var needsCounts: Bool { !counts.isEmpty }

    // MARK: - Traces

    /// Equal unit numbers mean equal resources only within one trace.
    func beginTrace() {
        unit = nil
        item = nil
    }

    func count(_ spans: any TraceSpans) -> Counts {
        var counts = Counts()
        spans.visit { span in
            counts.spans &+= 1
            SpanMessage.visit(span.span) { tag, _, _ in
                if tag == SpanMessage.eventField << 3 | WireType.length { counts.events &+= 1 }
                if tag == SpanMessage.linkField << 3 | WireType.length { counts.links &+= 1 }
                return true
            }
            return true
        }
        return counts
    }

    /// Reads every item of the trace until `body` returns false.
    ///
    /// - Parameter counts: of the trace; read only where `needsCounts`.
    func visit(_ spans: any TraceSpans, counts: Counts, _ body: () -> Bool) {
        spans.visit { span in
            read(span, counts: counts)
            if !body() { return false }
            return visitParts(of: span, body)
        }
    }

    /// The events and links of the span that was read last.
    private func visitParts(of span: TraceSpan, _ body: () -> Bool) -> Bool {
        var goesOn = true
        SpanMessage.visit(span.span) { tag, _, payload in
            switch tag {
            case SpanMessage.eventField << 3 | WireType.length: read(.event(payload, of: span), payload, .scopeOrEvent)
            case SpanMessage.linkField << 3 | WireType.length: read(.link(payload, of: span), payload, .link)
            default: return true
            }
            goesOn = body()
            return goesOn
        }
        return goesOn
    }

    // MARK: - Items

    /// Reads one span.
    ///
    /// - Parameter counts: the trace's; its root says them.
    func read(_ span: TraceSpan, counts: Counts) {
        fields = SpanFields(span.span)
        read(.span(span), span.span, .span)
        for (slot, field) in exceptions where !values[slot].exists { values[slot] = exception(field, span) }
        guard fields.parentSpanID.isZero else { return }
        for (slot, field) in self.counts where !values[slot].exists {
            switch field {
            case .spansOfTrace: values[slot] = .int(counts.spans)
            case .spanEventsOfTrace: values[slot] = .int(counts.events)
            case .spanLinksOfTrace: values[slot] = .int(counts.links)
            default: values[slot] = .int(counts.all)
            }
        }
    }

    private func read(_ item: Item, _ message: UnsafeRawBufferPointer, _ kind: AttributeLookup.Message) {
        self.item = item
        for slot in values.indices { values[slot] = .missing }
        guard hasNames else { return }
        readAttributes(message, kind, into: &values)
        for (slot, field) in builtIns where !values[slot].exists { values[slot] = builtIn(field, item) }
        readUnit(item.span)
        for slot in values.indices where !values[slot].exists { values[slot] = unitValues[slot] }
    }

    private func readUnit(_ span: TraceSpan) {
        if unit == span.unit { return }
        unit = span.unit
        for slot in unitValues.indices { unitValues[slot] = .missing }
        for (slot, field) in builtIns { unitValues[slot] = scopeField(field, span.scope) }
        readAttributes(span.scope, .scopeOrEvent, into: &unitValues)
        readAttributes(span.resource, .resource, into: &unitValues)
    }

    private func readAttributes(
        _ message: UnsafeRawBufferPointer, _ kind: AttributeLookup.Message, into values: inout [RefineryValue]
    ) {
        AttributeLookup.forEach(in: message, kind) { key, value in
            if case .composite(let message) = value, RefineryComposite.isMap(message) {
                readMap(message, Array(key), depth: 0, into: &values)
            } else if let slot = index.find(key), !values[slot].exists {
                values[slot] = RefineryComposite.value(value)
            }
            return true
        }
    }

    /// The entries of a list of keys and values are fields of their own, down to husky's depth; deeper ones are JSON text.
    private func readMap(
        _ message: UnsafeRawBufferPointer, _ key: [UInt8], depth: Int, into values: inout [RefineryValue]
    ) {
        // Most lists hold nothing that is asked for.
        let prefix = key + [UInt8(ascii: ".")]
        guard index.keys.contains(where: { $0.starts(with: prefix) }) else { return }
        RefineryComposite.forEachEntry(of: message) { name, value in
            let full = prefix + name
            if case .composite(let inner) = value, depth < RefineryComposite.maximumDepth,
                RefineryComposite.isMap(inner)
            {
                readMap(inner, full, depth: depth + 1, into: &values)
            } else if let slot = full.withUnsafeBytes({ index.find($0) }), !values[slot].exists {
                values[slot] = RefineryComposite.value(value)
            }
        }
    }

    private func builtIn(_ field: RefineryBuiltIn, _ item: Item) -> RefineryValue {
        switch item {
        case .span(let span): spanField(field, span)
        case .event(let event, let span): eventField(field, event, span)
        case .link(let link, let span): linkField(field, link, span)
        }
    }

    // MARK: - Built-in fields

    private func spanField(_ field: RefineryBuiltIn, _ span: TraceSpan) -> RefineryValue {
        switch field {
        case .traceID: return Self.hex(SpanMessage.last(1, in: span.span), isTraceID: true)
        case .spanID: return .ownedText(Array(fields.spanID.hex.utf8))
        case .parentID: return fields.parentSpanID.isZero ? .missing : .ownedText(Array(fields.parentSpanID.hex.utf8))
        case .traceState: return Self.text(SpanMessage.traceState(span.span))
        case .name: return .text(fields.name)
        case .type, .kind: return .ownedText(Self.kinds[Int(fields.kind) < Self.kinds.count ? Int(fields.kind) : 0])
        case .duration:
            let isKnown = fields.startTime > 0 && fields.endTime >= fields.startTime
            return .double(isKnown ? Double(fields.endTime - fields.startTime) / 1e6 : 0)
        case .hasInvalidDuration:
            return fields.endTime > 0 && fields.endTime < fields.startTime ? .bool(true) : .missing
        case .statusCode: return .int(Int64(fields.status))
        case .statusMessage:
            return Self.text(SpanMessage.last(2, in: SpanMessage.last(SpanMessage.statusField, in: span.span)))
        case .error: return isError
        case .eventCount: return .int(Self.count(SpanMessage.eventField, in: span.span))
        case .linkCount: return .int(Self.count(SpanMessage.linkField, in: span.span))
        case .signalType: return .ownedText(Self.trace)
        default: return .missing
        }
    }

    private func eventField(
        _ field: RefineryBuiltIn, _ event: UnsafeRawBufferPointer, _ span: TraceSpan
    ) -> RefineryValue {
        let time = SpanMessage.number(1, in: event)
        switch field {
        case .name: return .text(SpanMessage.last(2, in: event))
        case .annotationType: return .ownedText(Self.spanEvent)
        case .timeSinceSpanStart:
            return .double(time >= fields.startTime ? Double(time - fields.startTime) / 1e6 : 0)
        case .hasInvalidTimeSinceSpanStart: return time > 0 && time < fields.startTime ? .bool(true) : .missing
        default: return partField(field, span)
        }
    }

    private func linkField(
        _ field: RefineryBuiltIn, _ link: UnsafeRawBufferPointer, _ span: TraceSpan
    ) -> RefineryValue {
        switch field {
        case .annotationType: return .ownedText(Self.link)
        case .linkedTraceID: return Self.hex(SpanMessage.last(1, in: link), isTraceID: true)
        case .linkedSpanID: return Self.hex(SpanMessage.last(2, in: link), isTraceID: false)
        default: return partField(field, span)
        }
    }

    /// What events and links have in common.
    private func partField(_ field: RefineryBuiltIn, _ span: TraceSpan) -> RefineryValue {
        switch field {
        case .traceID: return Self.hex(SpanMessage.last(1, in: span.span), isTraceID: true)
        case .parentID: return .ownedText(Array(fields.spanID.hex.utf8))
        case .parentName: return Self.text(fields.name)
        case .error: return isError
        case .signalType: return .ownedText(Self.trace)
        default: return .missing
        }
    }

    private func scopeField(_ field: RefineryBuiltIn, _ scope: UnsafeRawBufferPointer) -> RefineryValue {
        switch field {
        case .libraryName: return Self.text(SpanMessage.last(1, in: scope))
        case .libraryVersion: return Self.text(SpanMessage.last(2, in: scope))
        case .isInstrumentationLibrary:
            let name = SpanMessage.last(1, in: scope)
            let isKnown = RefineryBuiltIn.instrumentationLibraries.contains { name.starts(with: $0) }
            return isKnown ? .bool(true) : .missing
        default: return .missing
        }
    }

    /// Of the first event that is an exception, and only of the type that it has by convention.
    private func exception(_ field: RefineryBuiltIn, _ span: TraceSpan) -> RefineryValue {
        var found = RefineryValue.missing
        SpanMessage.forEach(SpanMessage.eventField, in: span.span) { event in
            guard SpanMessage.last(2, in: event).elementsEqual("exception".utf8) else { return true }
            switch (AttributeLookup.value(of: Array(field.rawValue.utf8), in: event, .scopeOrEvent), field) {
            case (.bool(let flag), .exceptionEscaped): found = .bool(flag)
            case (.string(let text), .exceptionMessage), (.string(let text), .exceptionType),
                (.string(let text), .exceptionStacktrace):
                found = .text(text)
            default: break
            }
            return false
        }
        return found
    }

    private var isError: RefineryValue { fields.status == StatusCode.error.rawValue ? .bool(true) : .missing }

    private static let kinds = ["unspecified", "internal", "server", "client", "producer", "consumer"].map {
        Array($0.utf8)
    }
    private static let trace = Array("trace".utf8)
    private static let spanEvent = Array("span_event".utf8)
    private static let link = Array("link".utf8)

    /// Empty text is no field.
    private static func text(_ bytes: UnsafeRawBufferPointer) -> RefineryValue {
        bytes.isEmpty ? .missing : .text(bytes)
    }

    /// Honeycomb writes a trace id of 64 bits with 16 digits.
    private static func hex(_ bytes: UnsafeRawBufferPointer, isTraceID: Bool) -> RefineryValue {
        if bytes.isEmpty { return .missing }
        let isShort = isTraceID && bytes.count == 16 && bytes[..<8].allSatisfy { $0 == 0 }
        let digits = Array("0123456789abcdef".utf8)
        return .ownedText(bytes[(isShort ? 8 : 0)...].flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }

    private static func count(_ field: UInt64, in message: UnsafeRawBufferPointer) -> Int64 {
        var count: Int64 = 0
        SpanMessage.forEach(field, in: message) { _ in
            count &+= 1
            return true
        }
        return count
    }
}

extension RefineryReader.Item {
    /// The span that it is, or belongs to.
    var span: TraceSpan {
        switch self {
        case .span(let span), .event(_, let span), .link(_, let span): span
        }
    }

    /// The message with the item's own attributes.
    var attributes: (message: UnsafeRawBufferPointer, kind: AttributeLookup.Message) {
        switch self {
        case .span(let span): (span.span, .span)
        case .event(let event, _): (event, .scopeOrEvent)
        case .link(let link, _): (link, .link)
        }
    }
}
