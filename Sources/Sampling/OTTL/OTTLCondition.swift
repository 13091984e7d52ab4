import OTLP
import TraceModel

/// Conditions in OTTL, evaluated in place on the bytes of a span as it arrives: true when one of them holds for the span, or
/// for one of its events.
final class OTTLCondition: SpanCondition {
    private let span: [OTTLExpression]
    private let event: [OTTLExpression]

    init(span: [OTTLExpression], event: [OTTLExpression]) {
        self.span = span
        self.event = event
    }

    func matches(_ head: borrowing SpanHead, in batch: SpanBatch) -> Bool {
        let unit = batch.units[Int(head.unit)]
        var evaluator = OTTLEvaluator(
            head: copy head, message: batch.bytes(head.message), name: batch.bytes(head.name),
            traceState: batch.bytes(head.traceState), resource: batch.bytes(unit.resource),
            scope: batch.bytes(unit.scope))
        for expression in span where evaluator.holds(expression) { return true }
        if event.isEmpty { return false }
        var isMet = false
        SpanMessage.forEach(SpanMessage.eventField, in: evaluator.message) { bytes in
            evaluator.event = bytes
            for expression in event where evaluator.holds(expression) {
                isMet = true
                return false
            }
            evaluator.eventIndex += 1
            return true
        }
        return isMet
    }
}

/// One span, and one of its events, as the paths of a condition see them.
struct OTTLEvaluator {
    let head: SpanHead
    let message: UnsafeRawBufferPointer
    let name: UnsafeRawBufferPointer
    let traceState: UnsafeRawBufferPointer
    let resource: UnsafeRawBufferPointer
    let scope: UnsafeRawBufferPointer
    var event = UnsafeRawBufferPointer(start: nil, count: 0)
    var eventIndex: Int64 = 0

    init(
        head: SpanHead, message: UnsafeRawBufferPointer, name: UnsafeRawBufferPointer,
        traceState: UnsafeRawBufferPointer, resource: UnsafeRawBufferPointer, scope: UnsafeRawBufferPointer
    ) {
        self.head = head
        self.message = message
        self.name = name
        self.traceState = traceState
        self.resource = resource
        self.scope = scope
    }

    func holds(_ expression: OTTLExpression) -> Bool {
        switch expression {
        case .constant(let value): value
        case .all(let parts): parts.allSatisfy { holds($0) }
        case .any(let parts): parts.contains { holds($0) }
        case .not(let inner): !holds(inner)
        case .compare(let left, let comparison, let right):
            OTTLValue.compare(value(left), comparison, value(right))
        case .function(let function, let arguments): holds(function, arguments)
        }
    }

    private func value(_ operand: OTTLOperand) -> OTTLValue {
        switch operand {
        case .literal(let value): value
        case .path(let path): value(path)
        case .arithmetic(let left, let operation, let right):
            OTTLValue.calculate(value(left), operation, value(right))
        case .function(let function, let arguments): call(function, arguments)
        case .pattern: .failure
        }
    }

    // MARK: - Paths

    private func value(_ path: OTTLPath) -> OTTLValue {
        switch path.owner {
        case .span: spanField(path)
        case .event: eventField(path)
        case .resource:
            path.field == .attributes
                ? attribute(path.keys, in: resource, .resource) : count(2, in: resource)
        case .scope: scopeField(path)
        }
    }

    private func count(_ field: UInt64, in message: UnsafeRawBufferPointer) -> OTTLValue {
        .int(Int64(bitPattern: SpanMessage.number(field, in: message)))
    }

    private func spanField(_ path: OTTLPath) -> OTTLValue {
        switch path.field {
        case .name: .string(name)
        case .traceID: .data(Self.bytes(head.traceID.high) + Self.bytes(head.traceID.low))
        case .traceIDText: .text(Array(head.traceID.hex.utf8))
        case .spanID: .data(Self.bytes(head.spanID.value))
        case .spanIDText: .text(Array(head.spanID.hex.utf8))
        case .parentSpanID: .data(Self.bytes(head.parentSpanID.value))
        case .parentSpanIDText: .text(head.isRoot ? [] : Array(head.parentSpanID.hex.utf8))
        case .traceState: traceStateField(path.keys)
        case .flags: .int(Int64(head.flags))
        case .kind: .int(Int64(head.kind))
        case .kindText: .text(Array(Self.kindNames[Int(min(head.kind, 5))].utf8))
        case .kindDeprecatedText:
            .text(Array("SPAN_KIND_\(Self.kindNames[Int(min(head.kind, 5))].uppercased())".utf8))
        case .startTime, .start: .int(Int64(clamping: head.startTime))
        case .endTime, .end: .int(Int64(clamping: head.endTime))
        case .attributes: attribute(path.keys, in: message, .span)
        case .droppedAttributes: count(10, in: message)
        case .droppedEvents: count(12, in: message)
        case .droppedLinks: count(14, in: message)
        case .statusCode: .int(Int64(head.status))
        case .statusMessage:
            .string(SpanMessage.last(2, in: SpanMessage.last(SpanMessage.statusField, in: message)))
        case .status, .version, .eventTime, .time, .eventIndex: .failure
        }
    }

    private static let kindNames = ["Unspecified", "Internal", "Server", "Client", "Producer", "Consumer"]

    private static func bytes(_ word: UInt64) -> [UInt8] { withUnsafeBytes(of: word.bigEndian) { Array($0) } }

    private func traceStateField(_ keys: [OTTLPath.Key]) -> OTTLValue {
        guard case .text(let key)? = keys.first else { return .string(traceState) }
        guard keys.count == 1, let value = TraceStateText.value(of: key, in: traceState) else { return .absent }
        return .string(value)
    }

    private func eventField(_ path: OTTLPath) -> OTTLValue {
        switch path.field {
        case .name: .string(SpanMessage.last(2, in: event))
        case .attributes: attribute(path.keys, in: event, .scopeOrEvent)
        case .droppedAttributes: count(4, in: event)
        case .eventTime, .time: count(1, in: event)
        case .eventIndex: .int(eventIndex)
        default: .failure
        }
    }

    private func scopeField(_ path: OTTLPath) -> OTTLValue {
        switch path.field {
        case .name: .string(SpanMessage.last(1, in: scope))
        case .version: .string(SpanMessage.last(2, in: scope))
        case .attributes: attribute(path.keys, in: scope, .scopeOrEvent)
        case .droppedAttributes: count(4, in: scope)
        default: .failure
        }
    }

    /// Follows keys into an attribute's maps and lists. Without keys the attributes themselves are meant, which only nil
    /// can be compared with.
    private func attribute(
        _ keys: [OTTLPath.Key], in message: UnsafeRawBufferPointer, _ kind: AttributeLookup.Message
    ) -> OTTLValue {
        guard let first = keys.first else { return .composite(message) }
        guard case .text(let key) = first, let raw = AttributeLookup.value(of: key, in: message, kind) else {
            return .absent
        }
        var value = OTTLValue(raw)
        for key in keys.dropFirst() {
            guard case .composite(let message) = value else { return .absent }
            value = Self.element(key, of: message)
        }
        return value
    }

    /// `AnyValue {5: ArrayValue {1: AnyValue…}, 6: KeyValueList {1: KeyValue…}}`
    private static func element(_ key: OTTLPath.Key, of message: UnsafeRawBufferPointer) -> OTTLValue {
        switch key {
        case .index(let wanted):
            var index = 0
            var found = OTTLValue.absent
            SpanMessage.forEach(1, in: SpanMessage.last(5, in: message)) { element in
                if index == wanted { found = value(ofMessage: element) }
                index += 1
                return index <= wanted
            }
            return found
        case .text(let wanted):
            // The list has its pairs in field 1, as a resource has its attributes.
            return AttributeLookup.value(of: wanted, in: SpanMessage.last(6, in: message), .resource)
                .map { OTTLValue($0) } ?? .absent
        }
    }

    /// An `AnyValue` message, wrapped as the attribute that the look-up reads.
    private static func value(ofMessage message: UnsafeRawBufferPointer) -> OTTLValue {
        var value = OTTLValue.absent
        SpanMessage.visit(message) { tag, field, payload in
            switch tag {
            case 1 << 3 | WireType.length: value = .string(payload)
            case 2 << 3 | WireType.varint: value = .bool(SpanMessage.number(2, in: message) != 0)
            case 3 << 3 | WireType.varint:
                value = .int(Int64(bitPattern: SpanMessage.number(3, in: message)))
            case 4 << 3 | WireType.fixed64: value = .double(Double(bitPattern: SpanMessage.number(4, in: message)))
            case 5 << 3 | WireType.length, 6 << 3 | WireType.length: value = .composite(message)
            case 7 << 3 | WireType.length: value = .bytes(payload)
            default: break
            }
            return true
        }
        return value
    }

    // MARK: - Functions

    private func holds(_ function: OTTLFunction, _ arguments: [OTTLOperand]) -> Bool {
        switch function {
        case .isRootSpan: return head.isRoot
        case .isMatch:
            guard case .pattern(let test) = arguments[1] else { return false }
            let value = value(arguments[0])
            if let result = value.withText({ test.accepts($0) }) { return result }
            return Self.text(value).map { text in text.withUnsafeBytes { test.accepts($0) } } ?? false
        case .isString:
            return value(arguments[0]).withText { _ in true } ?? false
        case .isInt:
            if case .int = value(arguments[0]) { return true }
        case .isDouble:
            if case .double = value(arguments[0]) { return true }
        case .isBool:
            if case .bool = value(arguments[0]) { return true }
        case .isMap:
            if case .composite(let message) = value(arguments[0]) { return Self.hasField(6, message) }
        case .isList:
            if case .composite(let message) = value(arguments[0]) { return Self.hasField(5, message) }
        case .hasPrefix, .hasSuffix:
            let (whole, part) = (value(arguments[0]), value(arguments[1]))
            return whole.withText { whole in
                part.withText { part in
                    guard part.count <= whole.count else { return false }
                    return function == .hasPrefix
                        ? whole.prefix(part.count).elementsEqual(part) : whole.suffix(part.count).elementsEqual(part)
                } ?? false
            } ?? false
        case .containsValue: return contains(value(arguments[0]), value(arguments[1]))
        default: return false
        }
        return false
    }

    private static func hasField(_ field: UInt64, _ message: UnsafeRawBufferPointer) -> Bool {
        var isThere = false
        SpanMessage.forEach(field, in: message) { _ in
            isThere = true
            return false
        }
        return isThere
    }

    private func contains(_ list: OTTLValue, _ wanted: OTTLValue) -> Bool {
        guard case .composite(let message) = list else { return false }
        var isFound = false
        SpanMessage.forEach(1, in: SpanMessage.last(5, in: message)) { element in
            isFound = OTTLValue.compare(Self.value(ofMessage: element), .equal, wanted)
            return !isFound
        }
        return isFound
    }

    private func call(_ function: OTTLFunction, _ arguments: [OTTLOperand]) -> OTTLValue {
        if function.isCondition { return .bool(holds(function, arguments)) }
        let value = value(arguments[0])
        switch function {
        case .length:
            // Of a text in bytes, as Go counts.
            return value.withText { .int(Int64($0.count)) } ?? Self.elementCount(value)
        case .int: return Self.int(value)
        case .double: return Self.double(value)
        case .string: return Self.text(value).map { .text($0) } ?? (value.withText { .text(Array($0)) } ?? .absent)
        case .lowerCase:
            return value.withText { .text(Array(String(decoding: $0, as: UTF8.self).lowercased().utf8)) } ?? .failure
        case .upperCase:
            return value.withText { .text(Array(String(decoding: $0, as: UTF8.self).uppercased().utf8)) } ?? .failure
        default:
            // Durations and ids were worked out by the parser.
            return value
        }
    }

    private static func elementCount(_ value: OTTLValue) -> OTTLValue {
        guard case .composite(let message) = value else { return .failure }
        var count: Int64 = 0
        for field: UInt64 in [5, 6] {
            SpanMessage.forEach(1, in: SpanMessage.last(field, in: message)) { _ in
                count += 1
                return true
            }
        }
        return .int(count)
    }

    private static func int(_ value: OTTLValue) -> OTTLValue {
        switch value {
        case .int: value
        case .bool(let flag): .int(flag ? 1 : 0)
        case .double(let number): number.magnitude < 0x1p63 ? .int(Int64(number)) : .failure
        case .absent: .absent
        default:
            value.withText { Int64(String(decoding: $0, as: UTF8.self)).map { .int($0) } ?? .absent } ?? .failure
        }
    }

    private static func double(_ value: OTTLValue) -> OTTLValue {
        switch value {
        case .int(let number): .double(Double(number))
        case .bool(let flag): .double(flag ? 1 : 0)
        case .double, .absent: value
        default:
            value.withText { Double(String(decoding: $0, as: UTF8.self)).map { .double($0) } ?? .absent } ?? .failure
        }
    }

    /// Numbers and truth values as text; nil for what has none, and for what is text already.
    private static func text(_ value: OTTLValue) -> [UInt8]? {
        switch value {
        case .int(let number): Array(String(number).utf8)
        case .bool(let flag): Array((flag ? "true" : "false").utf8)
        case .double(let number): Array("\(number)".utf8)
        default: nil
        }
    }
}
