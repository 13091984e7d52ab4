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

    /// The shape of a trace: the set of its edges from one service and operation to another, however often each occurs, and
    /// whether the called one failed. Nil where the trace has no spans.
    func shape(_ spans: any TraceSpans) -> UInt64? {
        var operations: [SpanID: UInt64] = [:]
        var calls: [(parent: SpanID, operation: UInt64, isError: Bool)] = []
        spans.visit { span in
            let fields = SpanFields(span.span)
            let operation = operation(fields.name, span.resource)
            operations[fields.spanID] = operation
            calls.append((fields.parentSpanID, operation, fields.status == StatusCode.error.rawValue))
            return true
        }
        if calls.isEmpty { return nil }
        var edges: Set<UInt64> = []
        for call in calls {
            let caller = operations[call.parent] ?? 0
            edges.insert(Self.mix(caller, call.operation &+ (call.isError ? 1 : 0)))
        }
        // Sorted, so that the order of arrival makes no difference.
        return edges.sorted().reduce(UInt64(edges.count)) { Self.mix($0, $1) }
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
