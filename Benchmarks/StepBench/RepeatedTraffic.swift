import DemoTraffic
import OTLP
import TraceModel

/// Some seconds of demo traffic encoded once and sent again and again, each time with new trace ids and later times: a
/// producer that leaves the cores to what is measured.
struct RepeatedTraffic {
    private struct Template {
        var value: [UInt8]
        var traceID: TraceID
        /// Where the trace's id lies in `value`.
        var idOffsets: [Int]
        /// Where times lie in `value`, eight bytes each.
        var timeOffsets: [Int]
        var spanCount: Int
    }

    private var templates: [Template] = []
    /// Nanoseconds from one round to the next.
    private let period: UInt64
    private var position = 0
    private var round: UInt64 = 0

    /// - Parameters:
    ///   - spans: of one round, at least.
    ///   - startTime: of the first round, nanoseconds since the Unix epoch.
    init(seed: UInt64, tracesPerSecond: Double, spans: Int, startTime: UInt64) {
        var traffic = DemoTraffic(
            DemoTrafficConfiguration(seed: seed, tracesPerSecond: tracesPerSecond, startTime: startTime))
        var count = 0
        var last = startTime
        while count < spans {
            let record = traffic.next()
            let template = Self.template(record)
            count += template.spanCount
            last = max(last, record.emitTime)
            templates.append(template)
        }
        period = last - startTime + 1_000_000
    }

    /// The next record: its trace, its bytes and how many spans it has.
    mutating func next() -> (traceID: TraceID, value: [UInt8], spanCount: Int) {
        let template = templates[position]
        // A bijection on ids, another in each round.
        let change = round &* 0x9e37_79b9_7f4a_7c15
        let traceID = TraceID(high: template.traceID.high ^ change, low: template.traceID.low)
        var value = template.value
        value.withUnsafeMutableBytes { bytes in
            for offset in template.idOffsets {
                bytes.storeBytes(of: traceID.high.bigEndian, toByteOffset: offset, as: UInt64.self)
            }
            for offset in template.timeOffsets {
                let time = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
                bytes.storeBytes(of: (time + round * period).littleEndian, toByteOffset: offset, as: UInt64.self)
            }
        }
        position += 1
        if position == templates.count { (position, round) = (0, round + 1) }
        return (traceID, value, template.spanCount)
    }

    private static func template(_ record: DemoRecord) -> Template {
        var template = Template(
            value: OTLPEncoder.encode(record.resourceSpans), traceID: record.traceID, idOffsets: [], timeOffsets: [],
            spanCount: 0)
        var times: Set<UInt64> = []
        for span in record.resourceSpans.flatMap(\.scopeSpans).flatMap(\.spans) {
            template.spanCount += 1
            times.formUnion([span.startTime, span.endTime])
            times.formUnion(span.events.map(\.time))
        }
        template.value.withUnsafeBytes { bytes in
            for offset in 0..<max(0, bytes.count - 15) {
                let high = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
                if high == record.traceID.high,
                    UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self))
                        == record.traceID.low
                {
                    template.idOffsets.append(offset)
                }
            }
            for offset in 0..<max(0, bytes.count - 7)
            where times.contains(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))) {
                template.timeOffsets.append(offset)
            }
        }
        return template
    }
}
