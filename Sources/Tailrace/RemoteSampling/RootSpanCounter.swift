import Glibc
import OTLP
import Pipeline
import RemoteSampling
import Sampling

/// Counts root spans in place, and hands the counts over about once per second.
final class RootSpanCounter: SpanFilter {
    /// Attributes by which clients tell how a root span was sampled: those of Jaeger's clients, and of OpenTelemetry's Jaeger
    /// remote sampler for Go.
    static let markKeys = ["sampler.type", "sampler.param", "jaeger.sampler.type", "jaeger.sampler.param"]
    private static let typeKeys = [Array("sampler.type".utf8), Array("jaeger.sampler.type".utf8)]
    private static let parameterKeys = [Array("sampler.param".utf8), Array("jaeger.sampler.param".utf8)]
    private static let serviceNameKey = Array("service.name".utf8)
    /// Names that are held to avoid making a string per root span.
    private static let maximumKnownNames = 4096
    private static let handOverInterval: Int64 = 1000

    private let service: RemoteSamplingService
    private let settings: RemoteSamplingSettings
    private let shares: PartitionShare
    private var counts = RootSpanCounts()
    /// By the hash of service and operation.
    private var known: [Int: OperationKey] = [:]
    private var handedOverAt = WallClock.monotonic()
    /// Of the record before; 0 before the first.
    private var lastTimestamp: Int64 = 0
    private var topic = ""

    init(service: RemoteSamplingService, settings: RemoteSamplingSettings, shares: PartitionShare) {
        self.service = service
        self.settings = settings
        self.shares = shares
    }

    deinit { handOver() }

    func sort(
        _ batch: SpanBatch, _ selection: borrowing [UInt32], context: borrowing RecordContext,
        into outputs: inout SpanFilterOutputs
    ) {
        var unit = UInt32.max
        var serviceName = UnsafeRawBufferPointer(start: nil, count: 0)
        for position in 0..<selection.count {
            let index = selection[position]
            outputs.ports[0].append(index)
            let head = batch.heads[Int(index)]
            guard head.isRoot else { continue }
            if head.unit != unit {
                unit = head.unit
                serviceName = UnsafeRawBufferPointer(start: nil, count: 0)
                let resource = batch.bytes(batch.units[Int(unit)].resource)
                if case .string(let name)? = AttributeLookup.value(of: Self.serviceNameKey, in: resource, .resource) {
                    serviceName = name
                }
            }
            counts.add(Self.mark(of: head, batch), to: key(serviceName, batch.bytes(head.name)))
        }
        lastTimestamp = context.timestamp
        topic = context.partition.topic
        let now = WallClock.monotonic()
        if now - handedOverAt >= Self.handOverInterval {
            handedOverAt = now
            handOver()
        }
    }

    private func handOver() {
        guard !counts.isEmpty else { return }
        service.add(counts, time: lastTimestamp, share: shares.share(of: topic), settings: settings)
        counts.removeAll()
    }

    private func key(_ service: UnsafeRawBufferPointer, _ operation: UnsafeRawBufferPointer) -> OperationKey {
        var hasher = Hasher()
        hasher.combine(service.count)
        hasher.combine(bytes: service)
        hasher.combine(bytes: operation)
        let hash = hasher.finalize()
        if let key = known[hash] { return key }
        let key = OperationKey(
            service: String(decoding: service, as: UTF8.self), operation: String(decoding: operation, as: UTF8.self))
        if known.count >= Self.maximumKnownNames { known.removeAll(keepingCapacity: true) }
        known[hash] = key
        return key
    }

    /// What a root span tells of its sampler: `sampler.type` and `sampler.param`, or else the threshold in its tracestate.
    static func mark(of head: SpanHead, _ batch: SpanBatch) -> SamplerMark {
        var type: UnsafeRawBufferPointer?
        var parameter: RawAttributeValue?
        if head.attributeCount > 0 {
            AttributeLookup.forEach(in: batch.bytes(head.attributes), .span) { key, value in
                if typeKeys.contains(where: { key.elementsEqual($0) }), case .string(let text) = value { type = text }
                if parameterKeys.contains(where: { key.elementsEqual($0) }) { parameter = value }
                return type == nil || parameter == nil
            }
        }
        if let type {
            if type.elementsEqual("probabilistic".utf8), let probability = number(parameter), probability > 0 {
                return .probability(probability)
            }
            if type.elementsEqual("lowerbound".utf8) { return .lowerBound }
            // Sampled by something that does not follow: a constant, a rate limit. It stands for itself.
            return .probability(1)
        }
        guard head.traceState.length > 0 else { return .none }
        let upstream = UpstreamSampling(traceState: batch.bytes(head.traceState))
        guard upstream.threshold != nil, upstream.probability > 0 else { return .none }
        return .probability(upstream.probability)
    }

    private static func number(_ value: RawAttributeValue?) -> Double? {
        switch value {
        case .double(let number): number
        case .int(let number): Double(number)
        case .string(let text): Double(String(decoding: text.prefix(32), as: UTF8.self))
        default: nil
        }
    }
}
