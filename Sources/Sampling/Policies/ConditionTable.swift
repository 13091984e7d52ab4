import Glibc
import OTLP

/// All span conditions of a sampler, compiled: one pass over a span's attributes tests every attribute condition, and what
/// depends on a resource alone is worked out once per resource.
///
/// Owned by one sampler, used by one thread.
final class ConditionTable {
    /// Conditions, of all policies.
    let count: Int
    /// 64-bit words that a trace needs beyond the first.
    let extraWords: Int

    /// The attribute keys that some condition asks for.
    private let keys: AttributeKeyIndex
    /// Per key the positions in `attributeConditions`.
    private let conditionsOfKey: [Range<Int>]
    /// Per key its conditions among 0 to 63.
    private let masksOfKey: [UInt64]
    private let attributeConditions: [(bit: Int, condition: AttributeCondition)]
    private let otherConditions: [(bit: Int, condition: any SpanCondition)]
    /// Conditions 0 to 63 that are attribute conditions; those beyond are counted apart.
    private let attributeMask: UInt64
    private let allMask: UInt64
    /// What the resource of a unit meets, `1 + extraWords` words per unit; filled when a unit is first seen.
    private var unitBits: [UInt64] = []
    private var isUnitKnown: [Bool] = []

    /// The bit behind the policies' conditions: some span says how it was sampled before.
    private let upstreamBit: Int

    init(_ conditions: [any SpanCondition]) {
        count = conditions.count
        upstreamBit = conditions.count
        extraWords = conditions.count / 64
        var byKey: [[UInt8]: [(bit: Int, condition: AttributeCondition)]] = [:]
        var others: [(bit: Int, condition: any SpanCondition)] = []
        var masks: (attributes: UInt64, all: UInt64) = (0, 0)
        for (bit, condition) in conditions.enumerated() {
            if bit < 64 { masks.all |= 1 << UInt64(bit) }
            if let attribute = condition as? AttributeCondition {
                byKey[attribute.key, default: []].append((bit, attribute))
                if bit < 64 { masks.attributes |= 1 << UInt64(bit) }
            } else {
                others.append((bit, condition))
            }
        }
        otherConditions = others
        (attributeMask, allMask) = masks
        keys = AttributeKeyIndex(byKey.keys)
        let ofKeys = keys.keys.map { byKey[$0] ?? [] }
        attributeConditions = ofKeys.flatMap { $0 }
        var first = 0
        conditionsOfKey = ofKeys.map { conditions in
            defer { first += conditions.count }
            return first..<first + conditions.count
        }
        masksOfKey = ofKeys.map { conditions in
            conditions.reduce(0) { $1.bit < 64 ? $0 | 1 << UInt64($1.bit) : $0 }
        }
    }

    /// Whether some span of the trace says how it was sampled before.
    func hasUpstream(_ bits: ConditionBits) -> Bool { bits[upstreamBit] }

    // MARK: - Spans

    /// Tests the conditions that no span of the trace has met yet.
    ///
    /// - Parameters:
    ///   - unit: the sampler's number for the span's resource and scope.
    ///   - low: conditions 0 to 63 that are met already.
    ///   - high: the words of the others; nil where there are none.
    /// - Returns: conditions 0 to 63 that are met now.
    @inline(__always)
    func observe(
        _ span: borrowing SpanHead, in batch: SpanBatch, unit: UInt32, low: UInt64, high: UnsafeMutablePointer<UInt64>?
    ) -> UInt64 {
        var low = low
        if span.traceState.length != 0, !Self.isSet(upstreamBit, low, high), UpstreamCondition.isMet(span, in: batch) {
            Self.set(upstreamBit, &low, high)
        }
        if low & allMask == allMask, high == nil { return low }
        if !keys.isEmpty, low & attributeMask != attributeMask || high != nil {
            addUnit(unit, span, batch, &low, high)
            if low & attributeMask != attributeMask || high != nil { scan(span, batch, &low, high) }
        }
        for (bit, condition) in otherConditions where !Self.isSet(bit, low, high) {
            if condition.matches(span, in: batch) { Self.set(bit, &low, high) }
        }
        return low
    }

    /// Forgets units whose numbers will be given to others.
    func forget(_ units: [UInt32]) {
        for unit in units where Int(unit) < isUnitKnown.count { isUnitKnown[Int(unit)] = false }
    }

    @inline(__always)
    private func addUnit(
        _ unit: UInt32, _ span: borrowing SpanHead, _ batch: SpanBatch, _ low: inout UInt64,
        _ high: UnsafeMutablePointer<UInt64>?
    ) {
        let stride = 1 &+ extraWords
        let index = Int(unit)
        if index >= isUnitKnown.count || !isUnitKnown[index] { learn(index, span, batch) }
        low |= unitBits[index &* stride]
        guard let high else { return }
        for word in 0..<extraWords { high[word] |= unitBits[index &* stride &+ 1 &+ word] }
    }

    private func learn(_ index: Int, _ span: borrowing SpanHead, _ batch: SpanBatch) {
        let stride = 1 + extraWords
        if index >= isUnitKnown.count {
            isUnitKnown.append(contentsOf: repeatElement(false, count: index + 1 - isUnitKnown.count))
            unitBits.append(contentsOf: repeatElement(0, count: (index + 1) * stride - unitBits.count))
        }
        var words = [UInt64](repeating: 0, count: stride)
        AttributeLookup.forEach(in: batch.bytes(batch.units[Int(span.unit)].resource), .resource) { key, value in
            for (bit, condition) in conditions(for: key) where condition.accepts(value, isResource: true) {
                words[bit / 64] |= 1 << UInt64(bit % 64)
            }
            return true
        }
        for word in 0..<stride { unitBits[index * stride + word] = words[word] }
        isUnitKnown[index] = true
    }

    private func conditions(for key: UnsafeRawBufferPointer) -> ArraySlice<(bit: Int, condition: AttributeCondition)> {
        guard let index = keys.find(key) else { return [] }
        return attributeConditions[conditionsOfKey[index]]
    }

    /// One pass over the span's attributes.
    private func scan(
        _ span: borrowing SpanHead, _ batch: SpanBatch, _ low: inout UInt64, _ high: UnsafeMutablePointer<UInt64>?
    ) {
        let record = batch.record
        guard let base = record.baseAddress, span.attributes.end <= record.count else { return }
        var reader = WireReader(base: base.assumingMemoryBound(to: UInt8.self), range: span.attributes)
        let wanted = AttributeLookup.Message.span.rawValue << 3 | WireType.length
        do {
            while true {
                reader.skipAttributes(withoutKeyLengths: keys.lengths)
                if reader.isAtEnd { return }
                let start = reader.position
                let tag = try reader.tag()
                guard tag == wanted else {
                    try reader.skip(tag: tag)
                    continue
                }
                let range = try reader.lengthDelimited()
                var inner = WireReader(base: reader.base, range: range)
                // Every exporter writes the key first, and the value behind it; what is not like that is read in full.
                if !inner.isAtEnd, reader.base[range.start] == 0x0a {
                    _ = try inner.tag()
                    let key = try inner.lengthDelimited()
                    guard let index = keys.find(UnsafeRawBufferPointer(rebasing: record[key.start..<key.end])) else {
                        continue
                    }
                    if high == nil, low & masksOfKey[index] == masksOfKey[index] { continue }
                    if let value = AttributeLookup.value(behindKey: inner, in: record) {
                        test(value, ofKey: index, &low, high)
                        continue
                    }
                }
                test(UnsafeRawBufferPointer(rebasing: record[start..<range.end]), &low, high)
            }
        } catch {
            // The scanner has accepted the record, so this does not happen; a condition that cannot be read is not met.
        }
    }

    /// Tests one attribute, given with its tag.
    private func test(
        _ field: UnsafeRawBufferPointer, _ low: inout UInt64, _ high: UnsafeMutablePointer<UInt64>?
    ) {
        var met = low
        AttributeLookup.forEach(in: field, .span) { key, value in
            guard let index = keys.find(key) else { return true }
            test(value, ofKey: index, &met, high)
            return true
        }
        low = met
    }

    @inline(__always)
    private func test(
        _ value: RawAttributeValue, ofKey index: Int, _ low: inout UInt64, _ high: UnsafeMutablePointer<UInt64>?
    ) {
        for position in conditionsOfKey[index] {
            let bit = attributeConditions[position].bit
            if Self.isSet(bit, low, high) { continue }
            if attributeConditions[position].condition.accepts(value, isResource: false) { Self.set(bit, &low, high) }
        }
    }

    @inline(__always)
    private static func isSet(_ bit: Int, _ low: UInt64, _ high: UnsafeMutablePointer<UInt64>?) -> Bool {
        if bit < 64 { return low &>> UInt64(bit) & 1 != 0 }
        guard let high else { return false }
        return high[(bit &- 64) &>> 6] &>> UInt64(bit & 63) & 1 != 0
    }

    @inline(__always)
    private static func set(_ bit: Int, _ low: inout UInt64, _ high: UnsafeMutablePointer<UInt64>?) {
        if bit < 64 {
            low |= 1 &<< UInt64(bit)
        } else if let high {
            high[(bit &- 64) &>> 6] |= 1 &<< UInt64(bit & 63)
        }
    }
}
