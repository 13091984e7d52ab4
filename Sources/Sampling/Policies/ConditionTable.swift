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

    private let attributes: AttributeTests
    private let keyLengths: UInt64
    /// The wanted keys as the scanner says which a span can have.
    private let attributeKeys: UInt64
    private let otherConditions: [(bit: Int, condition: any SpanCondition)]
    /// Conditions 0 to 63 that are attribute conditions, and those that are not; those beyond are counted apart.
    private let attributeMask: UInt64
    private let otherMask: UInt64
    private var units: UnitWords

    /// The bit behind the policies' conditions: some span says how it was sampled before.
    private let upstreamBit: Int

    init(_ conditions: [any SpanCondition]) {
        count = conditions.count
        upstreamBit = conditions.count
        extraWords = conditions.count / 64
        units = UnitWords(wordCount: 1 + extraWords)
        var attributes: [(bit: Int, condition: AttributeCondition)] = []
        var others: [(bit: Int, condition: any SpanCondition)] = []
        for (bit, condition) in conditions.enumerated() {
            if let attribute = condition as? AttributeCondition {
                attributes.append((bit, attribute))
            } else {
                others.append((bit, condition))
            }
        }
        attributeMask = Self.mask(attributes.map(\.bit))
        otherMask = Self.mask(others.map(\.bit))
        otherConditions = others
        self.attributes = AttributeTests(attributes)
        keyLengths = self.attributes.keys.lengths
        attributeKeys = self.attributes.keys.keys.reduce(0) { found, key in
            found | key.withUnsafeBytes { AttributeKeyFilter.bit(of: $0) }
        }
    }

    private static func mask(_ bits: [Int]) -> UInt64 { bits.reduce(0) { $1 < 64 ? $0 | 1 << UInt64($1) : $0 } }

    /// Whether some span of the trace says how it was sampled before.
    func hasUpstream(_ bits: ConditionBits) -> Bool { bits[upstreamBit] }

    // MARK: - Spans

    /// Tests the conditions that no span of the trace has met yet.
    ///
    /// - Parameters:
    ///   - unit: the sampler's number for the span's resource and scope.
    ///   - unitMet: conditions 0 to 63 that the unit meets, from `conditionsMet(byUnit:of:in:)`.
    ///   - low: conditions 0 to 63 that are met already.
    ///   - high: the words of the others; nil where there are none.
    /// - Returns: conditions 0 to 63 that are met now.
    @inline(__always)
    func observe(
        _ span: borrowing SpanHead, in batch: SpanBatch, _ record: UnsafeRawBufferPointer, unit: UInt32,
        unitMet: UInt64, low: UInt64, high: UnsafeMutablePointer<UInt64>?
    ) -> UInt64 {
        var met = MetConditions(low: low | unitMet, high: high)
        if high != nil, let words = units.all(of: Int(unit)) { met.formUnion(words) }
        if span.traceState.length != 0, !met.contains(upstreamBit), UpstreamCondition.isMet(span, in: batch) {
            met.insert(upstreamBit)
        }
        if met.low & attributeMask != attributeMask || high != nil, span.attributeKeys & attributeKeys != 0 {
            scan(span.attributes, record, &met)
        }
        if met.low & otherMask != otherMask || high != nil { testOthers(span, batch, &met) }
        return met.low
    }

    private func testOthers(_ span: borrowing SpanHead, _ batch: SpanBatch, _ met: inout MetConditions) {
        for index in otherConditions.indices where !met.contains(otherConditions[index].bit) {
            if otherConditions[index].condition.matches(span, in: batch) { met.insert(otherConditions[index].bit) }
        }
    }

    /// One pass over the span's attributes.
    private func scan(_ range: ByteRange, _ record: UnsafeRawBufferPointer, _ met: inout MetConditions) {
        guard range.end <= record.count,
            var cursor = AttributeCursor(UnsafeRawBufferPointer(rebasing: record[range.start..<range.end]), .span)
        else { return }
        // A copy: what is met stays in registers.
        var found = met
        while let attribute = cursor.next(keyLengths: keyLengths) { attributes.test(attribute, &found) }
        met = found
    }

    // MARK: - Units

    /// Conditions 0 to 63 that the resource of a unit meets.
    ///
    /// - Parameter span: one of the unit's spans.
    func conditionsMet(byUnit unit: UInt32, of span: borrowing SpanHead, in batch: SpanBatch) -> UInt64 {
        if attributes.keys.isEmpty { return 0 }
        if let low = units.low(of: Int(unit)) { return low }
        let words = wordsMet(by: batch.bytes(batch.units[Int(span.unit)].resource))
        units.set(words, of: Int(unit))
        return words[0]
    }

    /// Forgets units whose numbers will be given to others.
    func forget(_ units: [UInt32]) {
        for unit in units { self.units.forget(Int(unit)) }
    }

    private func wordsMet(by resource: UnsafeRawBufferPointer) -> [UInt64] {
        var words = [UInt64](repeating: 0, count: 1 + extraWords)
        words.withUnsafeMutableBufferPointer { words in
            guard let first = words.baseAddress, var cursor = AttributeCursor(resource, .resource) else { return }
            var met = MetConditions(low: 0, high: extraWords > 0 ? first + 1 : nil)
            while let attribute = cursor.next(keyLengths: keyLengths) { attributes.test(ofResource: attribute, &met) }
            words[0] = met.low
        }
        return words
    }
}

/// What the resources of units meet: words of conditions by unit, filled when a unit is first seen.
private struct UnitWords {
    /// Per unit a word that says whether the others are known, and those.
    private var words: [UInt64] = []
    private let stride: Int

    init(wordCount: Int) { stride = 1 + wordCount }

    @inline(__always)
    func low(of unit: Int) -> UInt64? {
        let first = unit &* stride
        return first < words.count && words[first] != 0 ? words[first &+ 1] : nil
    }

    /// All words; zeros for a unit that is not known.
    func all(of unit: Int) -> ArraySlice<UInt64>? {
        let first = unit * stride
        return first < words.count ? words[(first + 1)..<(first + stride)] : nil
    }

    mutating func set(_ conditions: [UInt64], of unit: Int) {
        let first = unit * stride
        if first >= words.count { words.append(contentsOf: repeatElement(0, count: first + stride - words.count)) }
        words.replaceSubrange(first..<first + stride, with: [1] + conditions)
    }

    mutating func forget(_ unit: Int) {
        if unit * stride < words.count { words[unit * stride] = 0 }
    }
}
