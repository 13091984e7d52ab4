import OTLP
import Sampling
import TraceModel

/// A recording as traffic for the workbench: every trace is decided in the tick after its last span came.
///
/// Pauses longer than ten seconds are cut to ten, since a budget per second means nothing while nobody works. The traces are
/// held in memory, about 100 bytes each.
package struct RecordedSimulation: SimulatedTraffic {
    package let tick: Int64
    private var batches: [[SimulatedTrace]]
    private var position = 0
    /// Names of the operations, by their number.
    package let operations: [String]
    /// Mean spans per second.
    package private(set) var spansPerSecond: Double
    /// Means of the recording; 0 where it has no spans.
    package let bytesPerSpan: Double
    package let spansPerTrace: Double

    private struct Gathered {
        var traceID: TraceID
        var last: Double = 0
        var bytes: UInt64 = 0
        var spans: [(id: SpanID, parent: SpanID, operation: UInt64, isError: Bool)] = []
        var root: (operation: UInt64, name: String, start: UInt64, end: UInt64)?
        var start = UInt64.max
        var end: UInt64 = 0
    }

    /// - Parameters:
    ///   - speed: how many times faster than recorded.
    ///   - onMalformed: what is told of each request that cannot be read; it is left out.
    /// - Throws: `SpanFileError` where the file cannot be read.
    package init(
        path: String, tick: Int64, speed: Double = 1, onMalformed: (String) -> Void = { _ in }
    ) throws {
        self.tick = tick
        let reader = try SpanFileReader(path: path)
        var traces: [TraceID: Gathered] = [:]
        var clock = 0.0
        var lastArrival: Int64?
        while let item = try reader.next() {
            guard case .request(let record) = item else {
                if case .malformed(let error) = item { onMalformed("\(error)") }
                continue
            }
            let arrival = record.arrivalMilliseconds ?? 0
            if let lastArrival { clock += Double(min(max(0, arrival - lastArrival), 10_000)) / speed }
            lastArrival = arrival
            let resources = (try? OTLPDecoder.decode(record.protobuf)) ?? []
            let spans = resources.reduce(0) { $0 + $1.scopeSpans.reduce(0) { $0 + $1.spans.count } }
            // Each span's even part of its request: exact enough for a mean, and nothing is encoded anew.
            let bytes = UInt64(record.protobuf.count / max(1, spans))
            for resource in resources {
                let service = resource.resource.serviceName
                for span in resource.scopeSpans.flatMap(\.spans) { Self.add(span, service, bytes, clock, to: &traces) }
            }
        }
        var names: [String: Int] = [:]
        var order: [String] = []
        var batches: [[SimulatedTrace]] = []
        var spanCount = 0
        for trace in traces.values.sorted(by: { $0.last == $1.last ? $0.traceID < $1.traceID : $0.last < $1.last }) {
            let name = trace.root?.name ?? "(no root)"
            let operation = names[name] ?? order.count
            if names[name] == nil {
                names[name] = operation
                order.append(name)
            }
            let batch = Int(trace.last / Double(tick))
            while batches.count <= batch { batches.append([]) }
            spanCount += trace.spans.count
            batches[batch].append(
                SimulatedTrace(
                    trace: Self.facts(trace), offset: trace.last - Double(batch) * Double(tick), operation: operation,
                    isRare: false))
        }
        self.batches = batches
        operations = order
        spansPerSecond = Double(spanCount) / max(1, Double(batches.count) * Double(tick) / 1000)
        spansPerTrace = Double(spanCount) / Double(max(1, traces.count))
        bytesPerSpan = Double(traces.values.reduce(0) { $0 &+ $1.bytes }) / Double(max(1, spanCount))
    }

    /// The same traces, so many times as fast.
    package func faster(_ factor: Double) -> RecordedSimulation {
        var faster = self
        faster.batches = []
        faster.position = 0
        for (number, batch) in batches.enumerated() {
            for var item in batch {
                let time = (Double(number) * Double(tick) + item.offset) / factor
                let place = Int(time / Double(tick))
                while faster.batches.count <= place { faster.batches.append([]) }
                item.offset = time - Double(place) * Double(tick)
                faster.batches[place].append(item)
            }
        }
        faster.spansPerSecond = spansPerSecond * Double(batches.count) / Double(max(1, faster.batches.count))
        return faster
    }

    package mutating func next() -> [SimulatedTrace]? {
        guard position < batches.count else { return nil }
        position += 1
        return batches[position - 1]
    }

    private static func add(
        _ span: Span, _ service: String, _ bytes: UInt64, _ clock: Double, to traces: inout [TraceID: Gathered]
    ) {
        let operation = hash("\(service)\u{0}\(span.name)")
        var trace = traces[span.traceID] ?? Gathered(traceID: span.traceID)
        trace.last = clock
        trace.bytes &+= bytes
        trace.start = min(trace.start, span.startTime)
        trace.end = max(trace.end, span.endTime)
        trace.spans.append((span.spanID, span.parentSpanID, operation, span.status.code == .error))
        if span.parentSpanID.isZero || trace.root == nil {
            trace.root = (operation, "\(service) \(span.name)", span.startTime, span.endTime)
        }
        traces[span.traceID] = trace
    }

    private static func facts(_ trace: Gathered) -> BudgetTrace {
        let byID = Dictionary(trace.spans.map { ($0.id, $0.operation) }, uniquingKeysWith: { first, _ in first })
        let edges = Set(
            trace.spans.map { span in
                mix(byID[span.parent] ?? 0, span.operation) &+ (span.isError ? 1 : 0)
            })
        var facts = BudgetTrace(
            traceID: trace.traceID, spanCount: UInt32(clamping: trace.spans.count), byteCount: trace.bytes,
            key: trace.root?.operation ?? 0, shape: edges.sorted().reduce(UInt64(edges.count)) { mix($0, $1) },
            hasError: trace.spans.contains(where: \.isError),
            duration: trace.end > trace.start ? trace.end - trace.start : 0)
        guard facts.hasError else { return facts }
        var outline = TraceOutline()
        for span in trace.spans { outline.add(span.id, parent: span.parent, isError: span.isError) }
        outline.find()
        facts.outlineSpanCount = UInt32(clamping: outline.isIn.count(where: \.self))
        facts.outlineByteCount = facts.byteCount / UInt64(max(1, facts.spanCount)) &* UInt64(facts.outlineSpanCount)
        return facts
    }

    private static func hash(_ text: String) -> UInt64 {
        text.utf8.reduce(FNV1a.offsetBasis) { FNV1a.add($1, to: $0) }
    }

    private static func mix(_ left: UInt64, _ right: UInt64) -> UInt64 {
        var generator = SeededGenerator(seed: left &* 31 ^ right)
        return generator.next()
    }
}

extension Resource {
    fileprivate var serviceName: String {
        for attribute in attributes where attribute.key == "service.name" {
            if case .string(let name) = attribute.value { return name }
        }
        return ""
    }
}
