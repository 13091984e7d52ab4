import Pipeline
import TraceModel

extension SegmentSummaries {
    /// Reads the columns of a decompressed summary section; ids, partitions and flags come from the trace table.
    init(
        decoding section: [UInt8], strings: [String], rowCount: Int, hasOutlines: Bool, path: String, offset: UInt64
    ) throws(SegmentError) {
        self.strings = strings
        var reader = SegmentByteReader(section[...], path: path, baseOffset: offset)
        guard try reader.varint() == UInt64(rowCount) else {
            throw reader.malformed("summaries and trace table disagree on the number of rows")
        }
        let rows = 0..<rowCount
        var previous: UInt64 = 0
        for _ in rows {
            previous &+= UInt64(bitPattern: try reader.zigzag())
            startTimes.append(previous)
        }
        for row in rows {
            let (end, overflow) = startTimes[row].addingReportingOverflow(try reader.varint())
            if overflow { throw reader.malformed("end time of more than 64 bits") }
            endTimes.append(end)
        }
        for _ in rows { spanCounts.append(try reader.varint32()) }
        for _ in rows { errorCounts.append(try reader.varint32()) }
        for _ in rows { byteCounts.append(try reader.varint()) }
        for _ in rows { rootServices.append(try stringPosition(&reader)) }
        for _ in rows { rootNames.append(try stringPosition(&reader)) }
        for _ in rows { policies.append(try stringPosition(&reader)) }
        for _ in rows { probabilities.append(Double(bitPattern: try reader.fixed(UInt64.self))) }
        for _ in rows { policyVersions.append(try reader.fixed(UInt32.self)) }
        for _ in rows { triggers.append(try reader.byte()) }
        var previousTime: Int64 = 0
        for _ in rows {
            previousTime &+= try reader.zigzag()
            decisionTimes.append(previousTime)
        }
        for _ in rows { reasons.append(try stringPosition(&reader)) }
        for _ in rows {
            for _ in 0..<(try reader.count(minimumSize: 3)) {
                operations.append(
                    OperationReference(
                        service: try stringPosition(&reader), operation: try stringPosition(&reader),
                        kind: SpanKind(rawValue: try reader.byte()) ?? .unspecified))
            }
            operationStarts.append(UInt32(truncatingIfNeeded: operations.count))
        }
        for _ in rows {
            for _ in 0..<(try reader.count(minimumSize: 2)) {
                attributes.append(
                    AttributeReference(key: try stringPosition(&reader), value: try stringPosition(&reader)))
            }
            attributeStarts.append(UInt32(truncatingIfNeeded: attributes.count))
        }
        if hasOutlines {
            for _ in rows { leftOutSpanCounts.append(try reader.varint32()) }
        }
        guard reader.isAtEnd else { throw reader.malformed("summary section is longer than its contents") }
    }

    private func stringPosition(_ reader: inout SegmentByteReader) throws(SegmentError) -> UInt32 {
        let position = try reader.varint32()
        guard Int(position) < strings.count else { throw reader.malformed("names a string that is not there") }
        return position
    }

    /// The columns of these traces, in their order, and the strings they use.
    static func encode(_ traces: [KeptTrace], withOutlines: Bool) -> (section: [UInt8], strings: [UInt8]) {
        var dictionary = StringDictionary()
        var writer = SegmentByteWriter()
        writer.varint(traces.count)
        var previous: UInt64 = 0
        for trace in traces {
            writer.zigzag(Int64(bitPattern: trace.summary.startTime &- previous))
            previous = trace.summary.startTime
        }
        for trace in traces { writer.varint(trace.summary.duration) }
        for trace in traces { writer.varint(UInt64(UInt32(clamping: trace.summary.spanCount))) }
        for trace in traces { writer.varint(UInt64(UInt32(clamping: trace.summary.errorCount))) }
        for trace in traces { writer.varint(trace.summary.byteCount) }
        for trace in traces { writer.varint(dictionary.position(of: trace.summary.rootService)) }
        for trace in traces { writer.varint(dictionary.position(of: trace.summary.rootName)) }
        for trace in traces { writer.varint(dictionary.position(of: trace.decision.policy)) }
        for trace in traces { writer.fixed(trace.decision.probability.bitPattern) }
        for trace in traces { writer.fixed(trace.decision.policyVersion) }
        for trace in traces { writer.byte(trace.decision.trigger.rawValue) }
        var previousTime: Int64 = 0
        for trace in traces {
            writer.zigzag(trace.decision.decidedAt &- previousTime)
            previousTime = trace.decision.decidedAt
        }
        for trace in traces { writer.varint(dictionary.position(of: trace.decision.reason)) }
        for trace in traces {
            writer.varint(trace.operations.count)
            for operation in trace.operations {
                writer.varint(dictionary.position(of: operation.service))
                writer.varint(dictionary.position(of: operation.operation))
                writer.byte(operation.kind.rawValue)
            }
        }
        for trace in traces {
            writer.varint(trace.attributes.count)
            for attribute in trace.attributes {
                writer.varint(dictionary.position(of: attribute.key))
                writer.varint(dictionary.position(of: attribute.value))
            }
        }
        if withOutlines {
            for trace in traces { writer.varint(UInt64(UInt32(clamping: trace.summary.leftOutSpanCount))) }
        }
        var strings = SegmentByteWriter()
        strings.varint(dictionary.strings.count)
        for string in dictionary.strings { strings.string(string) }
        return (writer.bytes, strings.bytes)
    }
}

/// Gives each distinct string a number, in order of first use.
private struct StringDictionary {
    private(set) var strings: [String] = []
    private var positions: [String: Int] = [:]

    mutating func position(of string: String) -> Int {
        if let known = positions[string] { return known }
        let position = strings.count
        positions[string] = position
        strings.append(string)
        return position
    }
}
