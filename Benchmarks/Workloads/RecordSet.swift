import DemoTraffic
import OTLP
import TraceModel

/// Demo traffic as encoded records, one behind the other in memory, as in a fetched batch of Kafka.
public final class RecordSet {
    /// Spans in all records.
    public let spanCount: Int
    /// Bytes of all records.
    public let byteCount: Int
    private let memory: UnsafeMutableRawBufferPointer
    private var ends: [Int] = []
    /// Milliseconds.
    private var times: [Int64] = []
    /// Where the trace ids are, to change them.
    private var traceIDs: [Int] = []

    /// - Parameter spans: the records end with the first that reaches this many spans.
    public init(spans wanted: Int) throws {
        var traffic = DemoTraffic(
            DemoTrafficConfiguration(seed: 7, tracesPerSecond: 2000, startTime: 1_750_000_000_000_000_000))
        var bytes: [UInt8] = []
        bytes.reserveCapacity(wanted * 640)
        var spans = 0
        while spans < wanted {
            let record = traffic.next()
            for resource in record.resourceSpans {
                for scope in resource.scopeSpans { spans += scope.spans.count }
            }
            bytes += OTLPEncoder.encode(record.resourceSpans)
            ends.append(bytes.count)
            times.append(Int64(record.emitTime / 1_000_000))
        }
        memory = .allocate(byteCount: bytes.count, alignment: 64)
        memory.copyBytes(from: bytes)
        spanCount = spans
        byteCount = bytes.count
        var scanner = OTLPScanner()
        let batch = SpanBatch()
        for index in ends.indices {
            let start = index == 0 ? 0 : ends[index - 1]
            try scanner.scan(record(index), into: batch)
            // The id is the first field that the encoder writes: its tag and length come before it.
            for head in batch.heads { traceIDs.append(start + head.message.start + 2) }
        }
    }

    deinit { memory.deallocate() }

    /// How many records there are.
    public var count: Int { ends.count }

    /// The bytes of a record; valid while the set lives.
    public func record(_ index: Int) -> UnsafeRawBufferPointer {
        let start = index == 0 ? 0 : ends[index - 1]
        return UnsafeRawBufferPointer(rebasing: memory[start..<ends[index]])
    }

    /// When a record arrives, in milliseconds.
    public func time(_ index: Int) -> Int64 { times[index] }

    /// Gives every trace another id, so that the same traffic is new traffic.
    public func renewTraceIDs(round: UInt32) {
        for place in traceIDs {
            var old = memory.loadUnaligned(fromByteOffset: place, as: UInt64.self)
            // Not the last bytes: the probabilistic policy looks at them, and the share kept should not vary.
            old &+= UInt64(round) &* 0x9e37_79b9
            memory.storeBytes(of: old, toByteOffset: place, as: UInt64.self)
        }
    }
}
