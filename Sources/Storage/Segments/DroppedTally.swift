public import Pipeline

/// Dropped traces of one partition that started in one period, with the same root service and operation.
public struct DroppedTally: Sendable, Equatable {
    /// Length of a period, nanoseconds: traces are counted by the period in which they started.
    public static let period: UInt64 = 10_000_000_000

    public var partition: PartitionID
    /// Start of the period, nanoseconds since the Unix epoch; a multiple of `period`.
    public var start: UInt64
    /// Of the root span, or of the first span seen where the root is missing; scrubbed.
    public var service: String
    public var operation: String
    public var traceCount: UInt64 = 0
    /// Traces with a span that has an error.
    public var errorCount: UInt64 = 0
    public var spanCount: UInt64 = 0
    /// Bytes of the spans as received.
    public var byteCount: UInt64 = 0
    /// From the earliest start to the latest end.
    public var durations = DurationHistogram()

    public init(partition: PartitionID, start: UInt64, service: String, operation: String) {
        self.partition = partition
        self.start = start
        self.service = service
        self.operation = operation
    }

    mutating func add(_ summary: TraceSummary) {
        traceCount &+= 1
        if summary.errorCount > 0 { errorCount &+= 1 }
        spanCount &+= UInt64(max(0, summary.spanCount))
        byteCount &+= UInt64(max(0, summary.byteCount))
        durations.add(summary.duration)
    }
}

/// What was dropped since the last flush: counts, so that its size does not grow with the traffic. Beyond
/// `maximumTallies` different operations, the further ones are counted as one operation of their service, and beyond that
/// of one service.
struct DroppedTallies: Sendable {
    /// Stands for operations and services that were too many to be counted by themselves.
    static let others = "(others)"
    static let maximumTallies = 8192

    private struct Key: Hashable {
        var partition: PartitionID
        var start: UInt64
        var service: String
        var operation: String
    }

    private var byKey: [Key: DroppedTally] = [:]
    /// About what it holds in memory.
    private(set) var byteCount = 0

    var isEmpty: Bool { byKey.isEmpty }

    /// In an order that depends on the contents only: a flush that is repeated gives the same bytes.
    var tallies: [DroppedTally] {
        byKey.values.sorted {
            ($0.partition, $0.start, $0.service, $0.operation) < ($1.partition, $1.start, $1.service, $1.operation)
        }
    }

    mutating func add(_ trace: DroppedTrace) {
        let start = trace.summary.startTime / DroppedTally.period * DroppedTally.period
        var key = Key(
            partition: trace.partition, start: start, service: trace.summary.rootService,
            operation: trace.summary.rootName)
        if byKey[key] == nil, byKey.count >= Self.maximumTallies {
            key.operation = Self.others
            if byKey[key] == nil, byKey.count >= 2 * Self.maximumTallies {
                key.service = Self.others
                // Starts come from spans, and may be anything.
                if byKey[key] == nil, byKey.count >= 3 * Self.maximumTallies { key.start = 0 }
            }
        }
        if byKey[key] == nil { byteCount += 256 + key.service.utf8.count + key.operation.utf8.count }
        byKey[
            key,
            default: DroppedTally(
                partition: key.partition, start: key.start, service: key.service, operation: key.operation)
        ].add(trace.summary)
    }

    mutating func removeAll() {
        byKey.removeAll(keepingCapacity: true)
        byteCount = 0
    }
}

extension DroppedTally {
    /// The contents of a segment's section of dropped traces. docs/segment-format.md describes it.
    static func encode(_ tallies: [DroppedTally], partitions: [PartitionID]) -> [UInt8] {
        var ordinals: [PartitionID: Int] = [:]
        for (ordinal, partition) in partitions.enumerated() { ordinals[partition] = ordinal }
        var strings: [String] = []
        var positions: [String: Int] = [:]
        func position(_ string: String) -> Int {
            if let known = positions[string] { return known }
            positions[string] = strings.count
            strings.append(string)
            return strings.count - 1
        }
        var rows = SegmentByteWriter()
        rows.varint(tallies.count)
        for tally in tallies {
            rows.varint(ordinals[tally.partition] ?? 0)
            rows.varint(tally.start / period)
            rows.varint(position(tally.service))
            rows.varint(position(tally.operation))
            rows.varint(tally.traceCount)
            rows.varint(tally.errorCount)
            rows.varint(tally.spanCount)
            rows.varint(tally.byteCount)
            rows.varint(tally.durations.ranges.count)
            for (range, count) in tally.durations.ranges {
                rows.varint(UInt64(range))
                rows.varint(count)
            }
        }
        var writer = SegmentByteWriter()
        writer.varint(strings.count)
        for string in strings { writer.string(string) }
        writer.append(rows.bytes)
        return writer.bytes
    }

    static func decode(
        _ bytes: [UInt8], partitions: [PartitionID], path: String, offset: UInt64
    ) throws(SegmentError) -> [DroppedTally] {
        var reader = SegmentByteReader(bytes[...], path: path, baseOffset: offset)
        var strings: [String] = []
        for _ in 0..<(try reader.count(minimumSize: 1)) { strings.append(try reader.string()) }
        var tallies: [DroppedTally] = []
        for _ in 0..<(try reader.count(minimumSize: 9)) {
            let ordinal = try reader.varint()
            guard ordinal < UInt64(partitions.count) else {
                throw reader.malformed("names a partition that is not there")
            }
            let (start, overflow) = try reader.varint().multipliedReportingOverflow(by: period)
            if overflow { throw reader.malformed("a period of more than 64 bits") }
            let service = try reader.varint()
            let operation = try reader.varint()
            guard service < UInt64(strings.count), operation < UInt64(strings.count) else {
                throw reader.malformed("names a string that is not there")
            }
            var tally = DroppedTally(
                partition: partitions[Int(ordinal)], start: start, service: strings[Int(service)],
                operation: strings[Int(operation)])
            tally.traceCount = try reader.varint()
            tally.errorCount = try reader.varint()
            tally.spanCount = try reader.varint()
            tally.byteCount = try reader.varint()
            for _ in 0..<(try reader.count(minimumSize: 2)) {
                guard let range = UInt16(exactly: try reader.varint()), range <= DurationHistogram.lastRange else {
                    throw reader.malformed("a duration of more than 64 bits")
                }
                tally.durations.add(range: range, try reader.varint())
            }
            tallies.append(tally)
        }
        guard reader.isAtEnd else { throw reader.malformed("section of dropped traces is longer than its contents") }
        return tallies
    }
}
