import CXXHash
import OTLP
import TraceModel

/// 64-bit keys of services and operations, computed on the spans' bytes. The key of a resource's service is remembered, since
/// few resources come again and again.
final class OperationKeys {
    /// Resources remembered; all are forgotten when there are more.
    private static let maximumResources = 4096
    private static let serviceNameKey = Array("service.name".utf8)

    private var services: [UInt64: UInt64] = [:]

    /// The key of the service that a resource belongs to.
    func service(_ resource: UnsafeRawBufferPointer) -> UInt64 {
        let hash = Self.hash(resource, seed: 0)
        if let known = services[hash] { return known }
        if services.count >= Self.maximumResources { services.removeAll(keepingCapacity: true) }
        var service: UInt64 = 0
        if case .string(let name)? = AttributeLookup.value(of: Self.serviceNameKey, in: resource, .resource) {
            service = Self.hash(name, seed: 1)
        }
        services[hash] = service
        return service
    }

    /// The key of a service and an operation in it.
    func operation(_ name: UnsafeRawBufferPointer, _ resource: UnsafeRawBufferPointer) -> UInt64 {
        Self.hash(name, seed: service(resource))
    }

    /// A span as the shape of its trace is made of it.
    struct Call {
        var id: SpanID
        var parent: SpanID
        var operation: UInt64
        var isError: Bool
        /// Of the message as received.
        var byteCount: Int
    }

    /// The spans of the trace that was read last, in their order.
    private(set) var calls: [Call] = []
    // Reused from trace to trace: most of the time went into tables of a few entries.
    private var edges: [UInt64] = []
    private var positions: [SpanID: Int] = [:]

    /// Up to so many spans their parents are looked for one by one.
    private static let smallTrace = 32

    /// Fills `calls`, in one pass over the spans.
    func read(_ spans: any TraceSpans) {
        calls.removeAll(keepingCapacity: true)
        // Spans come by resource: the one before is mostly the same.
        var unit: UInt32?
        var service: UInt64 = 0
        spans.visit { span in
            if span.unit != unit {
                unit = span.unit
                service = self.service(span.resource)
            }
            let fields = SpanFields(span.span)
            calls.append(
                Call(
                    id: fields.spanID, parent: fields.parentSpanID,
                    operation: Self.hash(fields.name, seed: service),
                    isError: fields.status == StatusCode.error.rawValue, byteCount: span.span.count))
            return true
        }
    }

    /// The shape of a trace: the set of its edges from one service and operation to another, however often each occurs, and
    /// whether the called one failed. Nil where the trace has no spans.
    func shape(_ spans: any TraceSpans) -> UInt64? {
        read(spans)
        return shape()
    }

    /// The same of the trace that was read last.
    func shape() -> UInt64? {
        if calls.isEmpty { return nil }
        edges.removeAll(keepingCapacity: true)
        if calls.count > Self.smallTrace {
            positions.removeAll(keepingCapacity: calls.count < 100_000)
            for (position, call) in calls.enumerated() { positions[call.id] = position }
        }
        for call in calls {
            let caller = caller(of: call).map { calls[$0].operation } ?? 0
            edges.append(Self.mix(caller, call.operation &+ (call.isError ? 1 : 0)))
        }
        // Sorted, so that the order of arrival makes no difference.
        edges.sort()
        var count = 0
        for edge in edges where count == 0 || edges[count &- 1] != edge {
            edges[count] = edge
            count &+= 1
        }
        return edges[..<count].reduce(UInt64(count)) { Self.mix($0, $1) }
    }

    /// The last span with the id of its parent.
    private func caller(of call: Call) -> Int? {
        if call.parent.isZero { return nil }
        return calls.count > Self.smallTrace ? positions[call.parent] : calls.lastIndex { $0.id == call.parent }
    }

    private static func mix(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let product = (left ^ 0x9e37_79b9_7f4a_7c15).multipliedFullWidth(by: right ^ 0xe703_7ed1_a0b4_28db)
        return product.high ^ product.low ^ right &* 0x9e37_79b9_7f4a_7c15
    }

    private static func hash(_ bytes: UnsafeRawBufferPointer, seed: UInt64) -> UInt64 {
        guard let start = bytes.baseAddress else { return seed }
        return XXH3_64bits_withSeed(start, bytes.count, seed)
    }
}
