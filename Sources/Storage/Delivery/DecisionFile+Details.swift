import Pipeline

/// The part of a block that says what adaptive policies have to say of their decisions. Not there where none did, and in files
/// of version 2.
///
/// Columns again: names once per block, positions in tables of keys, shapes and ticks, of which there are few.
extension DecisionFile {
    private static let kindMask: UInt8 = 0x03
    private static let oversizeFlag: UInt8 = 0x04
    private static let dryRunFlag: UInt8 = 0x08
    /// The threshold is not the one that follows from the probability.
    private static let thresholdFlag: UInt8 = 0x10
    /// Another policy than the one that decided.
    private static let policyFlag: UInt8 = 0x20

    /// A tick and the part of the budget in it; or a sample rate.
    private struct TickAndRate: Hashable {
        var tick: Int64
        /// Bit pattern.
        var rate: UInt64
    }

    /// Values in the order of their first use, and the position of each record's.
    private struct Column<Value: Hashable> {
        var positions: [Value: Int] = [:]
        var values: [Value] = []
        var column: [Int] = []

        mutating func append(_ value: Value) {
            let position = positions[value] ?? values.count
            if position == values.count {
                positions[value] = position
                values.append(value)
            }
            column.append(position)
        }
    }

    /// Nil where no record has details.
    static func encodeDetails(of block: DecisionBlock) -> [UInt8]? {
        let detailed = block.records.filter { $0.detail.kind != .none }
        if detailed.isEmpty { return nil }
        var encoder = ByteEncoder()
        encodeNames(block.names, into: &encoder)
        for record in block.records { encoder.fixed(flags(of: record)) }
        for record in detailed { encoder.fixed(record.detail.tier) }
        for record in detailed { encoder.fixed(record.detail.rule) }
        var keys = Column<UInt64>()
        var shapes = Column<UInt64>()
        var ticks = Column<TickAndRate>()
        for record in detailed {
            keys.append(record.detail.key)
            shapes.append(record.detail.shape)
            ticks.append(TickAndRate(tick: record.detail.tick, rate: record.detail.rate.bitPattern))
        }
        for column in [keys, shapes] {
            encoder.varint(UInt64(column.values.count))
            for value in column.values { encoder.fixed(value) }
        }
        encoder.varint(UInt64(ticks.values.count))
        var tick: Int64 = 0
        for value in ticks.values {
            encoder.signed(value.tick &- tick)
            encoder.fixed(value.rate)
            tick = value.tick
        }
        for column in [keys.column, shapes.column, ticks.column] {
            for position in column { encoder.varint(UInt64(position)) }
        }
        for record in detailed where flags(of: record) & policyFlag != 0 { encoder.fixed(record.detail.policyIndex) }
        for record in detailed where flags(of: record) & thresholdFlag != 0 { encoder.fixed(record.detail.threshold) }
        return encoder.bytes
    }

    private static func encodeNames(_ names: [DecisionName: String], into encoder: inout ByteEncoder) {
        // Sorted, so that the same decisions give the same bytes.
        let sorted = names.sorted { left, right in
            let (one, other) = (left.key, right.key)
            return (one.policyVersion, one.policyIndex, one.kind.rawValue, one.value)
                < (other.policyVersion, other.policyIndex, other.kind.rawValue, other.value)
        }
        encoder.varint(UInt64(sorted.count))
        for (name, text) in sorted {
            encoder.fixed(name.kind.rawValue)
            encoder.fixed(name.policyVersion)
            encoder.fixed(name.policyIndex)
            encoder.fixed(name.value)
            encoder.string(text)
        }
    }

    private static func flags(of record: DecisionRecord) -> UInt8 {
        let detail = record.detail
        guard detail.kind != .none else { return 0 }
        var flags = detail.kind.rawValue
        if detail.isOversize { flags |= oversizeFlag }
        if detail.isDryRun { flags |= dryRunFlag }
        if detail.threshold != DecisionDetail.threshold(probability: record.probability) { flags |= thresholdFlag }
        if detail.policyIndex != record.policyIndex { flags |= policyFlag }
        return flags
    }

    static func decodeDetails(_ bytes: [UInt8], into block: inout DecisionBlock) throws(StoreError) {
        var decoder = ByteDecoder(bytes)
        for _ in 0..<(try decoder.count(minimumSize: 16)) {
            guard let kind = DecisionName.Kind(rawValue: try decoder.fixed()) else {
                throw .damaged("a name is of no known kind")
            }
            let version = try decoder.fixed(UInt32.self)
            let policy = try decoder.fixed(UInt16.self)
            let name = DecisionName(
                kind: kind, policyIndex: policy, policyVersion: version, value: try decoder.fixed())
            block.names[name] = try decoder.string()
        }
        var flags: [UInt8] = []
        flags.reserveCapacity(block.records.count)
        for _ in block.records { flags.append(try decoder.fixed()) }
        let detailed = flags.indices.filter { flags[$0] != 0 }
        for index in detailed {
            guard let kind = DecisionDetail.Kind(rawValue: flags[index] & kindMask) else {
                throw .damaged("a decision's detail is of no known kind")
            }
            var detail = DecisionDetail(kind)
            detail.isOversize = flags[index] & oversizeFlag != 0
            detail.isDryRun = flags[index] & dryRunFlag != 0
            detail.policyIndex = block.records[index].policyIndex
            detail.threshold = DecisionDetail.threshold(probability: block.records[index].probability)
            block.records[index].detail = detail
        }
        for index in detailed { block.records[index].detail.tier = try decoder.fixed() }
        for index in detailed { block.records[index].detail.rule = try decoder.fixed() }
        try decodeTables(detailed, &decoder, into: &block)
        for index in detailed where flags[index] & policyFlag != 0 {
            block.records[index].detail.policyIndex = try decoder.fixed()
        }
        for index in detailed where flags[index] & thresholdFlag != 0 {
            block.records[index].detail.threshold = try decoder.fixed()
        }
        guard decoder.isAtEnd else { throw .damaged("a block's details are longer than their contents") }
    }

    private static func decodeTables(
        _ detailed: [Int], _ decoder: inout ByteDecoder, into block: inout DecisionBlock
    ) throws(StoreError) {
        var tables: [[UInt64]] = [[], []]
        for table in tables.indices {
            for _ in 0..<(try decoder.count(minimumSize: 8)) { tables[table].append(try decoder.fixed()) }
        }
        var ticks: [(tick: Int64, rate: Double)] = []
        var tick: Int64 = 0
        for _ in 0..<(try decoder.count(minimumSize: 9)) {
            tick = tick &+ (try decoder.signed())
            ticks.append((tick, Double(bitPattern: try decoder.fixed())))
        }
        for index in detailed { block.records[index].detail.key = try decoder.value(of: tables[0]) }
        for index in detailed { block.records[index].detail.shape = try decoder.value(of: tables[1]) }
        for index in detailed {
            let value = try decoder.value(of: ticks)
            block.records[index].detail.tick = value.tick
            block.records[index].detail.rate = value.rate
        }
    }
}

extension ByteDecoder {
    /// The value at the position that comes next.
    fileprivate mutating func value<Value>(of table: [Value]) throws(StoreError) -> Value {
        let position = try varint()
        guard position < UInt64(table.count) else { throw .damaged("a position is out of range") }
        return table[Int(position)]
    }
}
