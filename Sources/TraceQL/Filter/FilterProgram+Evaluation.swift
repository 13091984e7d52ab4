import OTLP
import Patterns
import TraceModel

extension FilterProgram {
    /// Whether a condition holds for a span.
    ///
    /// - Parameter trace: the span's trace; without it, fields of the trace, of its tree and of the parent are absent.
    func isTrue(_ index: Int, _ span: SpanView, in trace: QueryTrace?) -> Bool {
        switch nodes[index] {
        case .and(let left, let right): return isTrue(left, span, in: trace) && isTrue(right, span, in: trace)
        case .or(let left, let right): return isTrue(left, span, in: trace) || isTrue(right, span, in: trace)
        case .compare(let left, let comparison, let right, let anyOf):
            if anyOf { return compareAny(left, comparison, right, span, in: trace) }
            return FieldValue.compare(
                value(left, span, in: trace), comparison, value(right, span, in: trace))
        case .match(let operand, let matcher, let isNegated):
            return isMatch(operand, matcher, isNegated, span, in: trace)
        case .isAbsent(let operand): return !isPresent(operand, span, in: trace)
        case .isPresent(let operand): return isPresent(operand, span, in: trace)
        case .not(let operand):
            // The negation of what is neither true nor false is neither, too.
            if case .bool(false) = value(operand, span, in: trace) { return true }
            return false
        case .attribute, .intrinsic:
            var isTrue = false
            forEachValue(of: index, span, in: trace) { value in
                isTrue = value.isTrue
                return !isTrue
            }
            return isTrue
        case .constant, .negation, .arithmetic: return value(index, span, in: trace).isTrue
        }
    }

    /// The value of a node; of several values the first.
    func value(_ index: Int, _ span: SpanView, in trace: QueryTrace?) -> FieldValue {
        switch nodes[index] {
        case .constant(let value): return value
        case .attribute(let scope, let key, let ofParent):
            if ofParent {
                guard let parent = trace?.parent(of: span.index) else { return .absent }
                return attribute(scope, key, parent)
            }
            return attribute(scope, key, span)
        case .intrinsic(let intrinsic, let ofParent):
            if ofParent {
                guard let trace, let parent = trace.parent(of: span.index) else { return .absent }
                return self.intrinsic(intrinsic, parent, in: trace)
            }
            return self.intrinsic(intrinsic, span, in: trace)
        case .negation(let operand): return value(operand, span, in: trace).negated
        case .arithmetic(let left, let binary, let right):
            return .arithmetic(value(left, span, in: trace), binary, value(right, span, in: trace))
        case .not(let operand):
            guard case .bool(let value) = value(operand, span, in: trace) else { return .absent }
            return .bool(!value)
        case .and, .or, .compare, .match, .isAbsent, .isPresent: return .bool(isTrue(index, span, in: trace))
        }
    }

    // MARK: - Comparisons

    private func isPresent(_ operand: Int, _ span: SpanView, in trace: QueryTrace?) -> Bool {
        !value(operand, span, in: trace).isAbsent
    }

    private func isMatch(
        _ operand: Int, _ matcher: Int, _ isNegated: Bool, _ span: SpanView, in trace: QueryTrace?
    ) -> Bool {
        var holds = false
        forEachValue(of: operand, span, in: trace) { value in
            holds = isMatch(value, matcher, isNegated)
            return !holds
        }
        return holds
    }

    private func isMatch(_ value: FieldValue, _ matcher: Int, _ isNegated: Bool) -> Bool {
        switch value {
        case .string, .traceID, .spanID:
            return value.withText { matchers[matcher].matches($0) } != isNegated
        case .array(let elements):
            var anyMatches = false
            var isAnyString = elements.isEmpty
            FieldValue.forEachElement(of: elements) { element in
                guard case .string(let text) = element else { return true }
                isAnyString = true
                anyMatches = matchers[matcher].matches(text)
                return !anyMatches
            }
            return isNegated ? isAnyString && !anyMatches : anyMatches
        default: return false
        }
    }

    /// A comparison that one of several values has to meet.
    private func compareAny(
        _ left: Int, _ comparison: FieldOperator, _ right: Int, _ span: SpanView, in trace: QueryTrace?
    ) -> Bool {
        var holds = false
        forEachValue(of: left, span, in: trace) { leftValue in
            forEachValue(of: right, span, in: trace) { rightValue in
                holds = FieldValue.compare(leftValue, comparison, rightValue)
                return !holds
            }
            return !holds
        }
        return holds
    }

    // MARK: - Fields

    private enum Field {
        // Field numbers of opentelemetry/proto/trace/v1/trace.proto.
        static let spanEvents: UInt64 = 11
        static let spanLinks: UInt64 = 13
        static let spanStatus: UInt64 = 15
    }

    /// Visits the values of a field until `body` returns false; every other node has one value. Absent values are visited
    /// only where there is no other.
    private func forEachValue(
        of index: Int, _ span: SpanView, in trace: QueryTrace?, _ body: (FieldValue) -> Bool
    ) {
        switch nodes[index] {
        case .attribute(let scope, let key, ofParent: false) where scope == .event || scope == .link:
            forEachAttribute(scope, key, span, body)
        case .attribute(.any, let key, ofParent: false):
            let value = directAttribute(key, span)
            if !value.isAbsent {
                _ = body(value)
                return
            }
            var isFound = false
            if span.hasEventsOrLinks {
                for scope in [AttributeScope.event, .link] where !isFound {
                    forEachAttribute(scope, key, span) { value in
                        isFound = true
                        return body(value)
                    }
                }
            }
            if !isFound {
                _ = body(AttributeFinder.value(of: key, in: span.scope, .scopeOrEvent, keys: span.scopeKeys))
            }
        case .intrinsic(let intrinsic, ofParent: false) where intrinsic.isRepeated:
            forEachValue(of: intrinsic, span, body)
        default: _ = body(value(index, span, in: trace))
        }
    }

    private func forEachAttribute(
        _ scope: AttributeScope, _ key: UnsafeRawBufferPointer, _ span: SpanView,
        _ body: (FieldValue) -> Bool
    ) {
        guard span.hasEventsOrLinks else { return }
        let isEvent = scope == .event
        MessageFinder.forEach(field: isEvent ? Field.spanEvents : Field.spanLinks, in: span.message) { message in
            let value = AttributeFinder.value(of: key, in: message, isEvent ? .scopeOrEvent : .link)
            return value.isAbsent ? true : body(value)
        }
    }

    private func forEachValue(
        of intrinsic: Intrinsic, _ span: SpanView, _ body: (FieldValue) -> Bool
    ) {
        guard span.hasEventsOrLinks else { return }
        let start = span.startTime
        switch intrinsic {
        case .eventName:
            MessageFinder.forEach(field: Field.spanEvents, in: span.message) { event in
                body(.string(MessageFinder.bytes(field: 2, in: event)))
            }
        case .eventTimeSinceStart:
            MessageFinder.forEach(field: Field.spanEvents, in: span.message) { event in
                let time = MessageFinder.fixed64(field: 1, in: event)
                let distance = Int64(clamping: time > start ? time &- start : start &- time)
                return body(.duration(time >= start ? distance : -distance))
            }
        case .linkTraceID:
            MessageFinder.forEach(field: Field.spanLinks, in: span.message) { link in
                let bytes = MessageFinder.bytes(field: 1, in: link)
                guard bytes.count == 16 else { return true }
                return body(.traceID(TraceID(high: Self.bigEndian(bytes, 0), low: Self.bigEndian(bytes, 8))))
            }
        case .linkSpanID:
            MessageFinder.forEach(field: Field.spanLinks, in: span.message) { link in
                let bytes = MessageFinder.bytes(field: 2, in: link)
                guard bytes.count == 8 else { return true }
                return body(.spanID(SpanID(Self.bigEndian(bytes, 0))))
            }
        default: break
        }
    }

    private static func bigEndian(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt64 {
        UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    private func attribute(
        _ scope: AttributeScope, _ key: UnsafeRawBufferPointer, _ span: SpanView
    ) -> FieldValue {
        switch scope {
        case .span: return AttributeFinder.value(of: key, in: span.attributes, .span, keys: span.attributeKeys)
        case .resource: return AttributeFinder.value(of: key, in: span.resource, .resource, keys: span.resourceKeys)
        case .instrumentation:
            return AttributeFinder.value(of: key, in: span.scope, .scopeOrEvent, keys: span.scopeKeys)
        case .event, .link:
            var first = FieldValue.absent
            forEachAttribute(scope, key, span) { value in
                first = value
                return false
            }
            return first
        case .any:
            let direct = directAttribute(key, span)
            if !direct.isAbsent { return direct }
            if span.hasEventsOrLinks {
                for scope in [AttributeScope.event, .link] {
                    let value = attribute(scope, key, span)
                    if !value.isAbsent { return value }
                }
            }
            return attribute(.instrumentation, key, span)
        }
    }

    /// An attribute of the span, or else of the resource.
    @inline(__always)
    private func directAttribute(_ key: UnsafeRawBufferPointer, _ span: SpanView) -> FieldValue {
        let value = AttributeFinder.value(of: key, in: span.attributes, .span, keys: span.attributeKeys)
        if !value.isAbsent { return value }
        return AttributeFinder.value(of: key, in: span.resource, .resource, keys: span.resourceKeys)
    }

    private func intrinsic(
        _ intrinsic: Intrinsic, _ span: SpanView, in trace: QueryTrace?
    ) -> FieldValue {
        switch intrinsic {
        case .duration: return .duration(Int64(clamping: span.duration))
        case .name: return .string(span.name)
        case .status: return .status(span.status)
        case .kind: return .kind(span.kind)
        case .statusMessage:
            return .string(
                MessageFinder.bytes(field: 2, in: MessageFinder.bytes(field: Field.spanStatus, in: span.message)))
        case .spanID: return .spanID(span.spanID)
        case .parent, .parentID: return span.parentSpanID.isZero ? .absent : .spanID(span.parentSpanID)
        case .traceID: return .traceID(span.traceID)
        case .instrumentationName: return .string(MessageFinder.bytes(field: 1, in: span.scope))
        case .instrumentationVersion: return .string(MessageFinder.bytes(field: 2, in: span.scope))
        case .eventName, .eventTimeSinceStart, .linkTraceID, .linkSpanID:
            var first = FieldValue.absent
            forEachValue(of: intrinsic, span) { value in
                first = value
                return false
            }
            return first
        case .traceDuration: return trace.map { .duration(Int64(clamping: $0.duration)) } ?? .absent
        case .rootName: return trace?.root.map { .string($0.name) } ?? .absent
        case .rootService:
            guard let root = trace?.root else { return .absent }
            return serviceKey.map {
                AttributeFinder.value(of: $0, in: root.resource, .resource)
            } ?? .absent
        case .nestedSetLeft: return trace.map { .int(Int64($0.tree.left[span.index])) } ?? .absent
        case .nestedSetRight: return trace.map { .int(Int64($0.tree.right[span.index])) } ?? .absent
        case .nestedSetParent: return trace.map { .int($0.tree.parentNumber(of: span.index)) } ?? .absent
        case .childCount: return trace.map { .int(Int64($0.tree.childCount[span.index])) } ?? .absent
        }
    }
}
