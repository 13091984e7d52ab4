import OTLP

/// The attribute conditions of a sampler, compiled: plain values by key and kind, so that testing an attribute counts no
/// references. Each is met by the values that `AttributeCondition.accepts` accepts.
///
/// Owned by one sampler, used by one thread.
final class AttributeTests {
    /// What is tested on the values of one key: positions in the arrays of each kind.
    private struct Tests {
        /// Conditions among 0 to 63.
        var mask: UInt64 = 0
        var numbers = 0..<0
        var booleans = 0..<0
        var texts = 0..<0
        /// The table of `memory` that knows the results of values seen before; -1 where testing takes no longer.
        var table = -1
    }

    private struct NumberTest {
        let bit: Int
        let range: NumberRange
    }

    private struct BooleanTest {
        let bit: Int
        let wanted: Bool
    }

    private struct TextTest {
        let bit: Int
        /// In `values`.
        let values: Range<Int>
        /// In `patterns`; -1 where there are values.
        let pattern: Int
    }

    let keys: AttributeKeyIndex
    private let ofKey: [Tests]
    private let numbers: [NumberTest]
    private let booleans: [BooleanTest]
    private let texts: [TextTest]
    private let values: TextList
    private let patterns: [StringTest]
    private var memory: ValueMemory

    /// More values than this are looked up in the memory rather than compared.
    private static let fewValues = 4
    /// Tests of a key whose results fit the memory's; more are made each time.
    private static let rememberedTests = ValueMemory.resultBits

    init(_ conditions: [(bit: Int, condition: AttributeCondition)]) {
        let byKey = Dictionary(grouping: conditions) { $0.condition.key }
        keys = AttributeKeyIndex(byKey.keys)
        var ofKey: [Tests] = []
        var numbers: [NumberTest] = []
        var booleans: [BooleanTest] = []
        var texts: [TextTest] = []
        var values = TextList()
        var patterns: [StringTest] = []
        var tables = 0
        for key in keys.keys {
            var tests = Tests()
            let first = (numbers: numbers.count, booleans: booleans.count, texts: texts.count)
            let (firstValue, firstPattern) = (values.count, patterns.count)
            for (bit, condition) in byKey[key] ?? [] {
                if bit < 64 { tests.mask |= 1 << UInt64(bit) }
                switch condition.test {
                case .number(let range): numbers.append(NumberTest(bit: bit, range: range))
                case .boolean(let wanted): booleans.append(BooleanTest(bit: bit, wanted: wanted))
                case .string(let test):
                    let start = values.count
                    for value in test.values { values.append(value) }
                    texts.append(
                        TextTest(
                            bit: bit, values: start..<values.count, pattern: test.hasPatterns ? patterns.count : -1))
                    if test.hasPatterns { patterns.append(test) }
                }
            }
            tests.numbers = first.numbers..<numbers.count
            tests.booleans = first.booleans..<booleans.count
            tests.texts = first.texts..<texts.count
            if patterns.count > firstPattern || values.count - firstValue > Self.fewValues {
                tests.table = tables
                tables += 1
            }
            ofKey.append(tests)
        }
        self.ofKey = ofKey
        self.numbers = numbers
        self.booleans = booleans
        self.texts = texts
        self.values = values
        self.patterns = patterns
        memory = ValueMemory(tables: tables)
    }

    /// Tests an attribute of a span.
    @inline(__always)
    func test(_ attribute: RawAttribute, _ met: inout MetConditions) {
        guard let key = keys.find(attribute.key) else { return }
        if !met.hasHigh, met.low & ofKey[key].mask == ofKey[key].mask { return }
        switch attribute.value {
        case .string(let text): if !text.isEmpty { test(text, ofKey: key, &met) }
        case let value: testOther(value, ofKey: key, &met)
        }
    }

    /// Tests an attribute of a resource, of which an empty text is a value.
    func test(ofResource attribute: RawAttribute, _ met: inout MetConditions) {
        guard let key = keys.find(attribute.key) else { return }
        switch attribute.value {
        case .string(let text): test(text, ByteEnds(text), tests: ofKey[key].texts, &met)
        case let value: testOther(value, ofKey: key, &met)
        }
    }

    @inline(__always)
    private func testOther(_ value: RawAttributeValue, ofKey key: Int, _ met: inout MetConditions) {
        switch value {
        case .int(let number):
            for index in ofKey[key].numbers where numbers[index].range.contains(number) {
                met.insert(numbers[index].bit)
            }
        case .double(let number):
            for index in ofKey[key].numbers where numbers[index].range.contains(number) {
                met.insert(numbers[index].bit)
            }
        case .bool(let flag):
            for index in ofKey[key].booleans where booleans[index].wanted == flag { met.insert(booleans[index].bit) }
        case .string, .bytes, .composite, .empty: break
        }
    }

    @inline(__always)
    private func test(_ text: UnsafeRawBufferPointer, ofKey key: Int, _ met: inout MetConditions) {
        let tests = ofKey[key].texts
        if tests.isEmpty { return }
        let ends = ByteEnds(text)
        let table = ofKey[key].table
        guard table >= 0, text.count <= ValueMemory.longestValue else {
            return test(text, ends, tests: tests, &met)
        }
        var results = memory.results(of: text, ends, table: table) ?? learn(text, ends, tests, table)
        while results != 0 {
            met.insert(texts[tests.lowerBound &+ results.trailingZeroBitCount].bit)
            results &= results &- 1
        }
        if tests.count > Self.rememberedTests {
            test(text, ends, tests: tests.dropFirst(Self.rememberedTests), &met)
        }
    }

    /// Makes the tests that are remembered: bit by bit which are met.
    @inline(never)
    private func learn(
        _ text: UnsafeRawBufferPointer, _ ends: ByteEnds, _ tests: Range<Int>, _ table: Int
    ) -> UInt64 {
        var results: UInt64 = 0
        for (position, index) in tests.prefix(Self.rememberedTests).enumerated() where isMet(index, text, ends) {
            results |= 1 << UInt64(position)
        }
        memory.remember(text, ends, table: table, results)
        return results
    }

    private func test(
        _ text: UnsafeRawBufferPointer, _ ends: ByteEnds, tests: Range<Int>, _ met: inout MetConditions
    ) {
        for index in tests where !met.contains(texts[index].bit) && isMet(index, text, ends) {
            met.insert(texts[index].bit)
        }
    }

    @inline(__always)
    private func isMet(_ index: Int, _ text: UnsafeRawBufferPointer, _ ends: ByteEnds) -> Bool {
        if texts[index].pattern >= 0 { return patterns[texts[index].pattern].accepts(text) }
        for value in texts[index].values where values.isEqual(value, text, ends) { return true }
        return false
    }
}

/// The conditions that some span of a trace has met, while they are tested.
struct MetConditions {
    /// Conditions 0 to 63.
    var low: UInt64
    /// Conditions from 64 on; nil where a sampler has no more.
    private let high: UnsafeMutablePointer<UInt64>?

    @inline(__always)
    init(low: UInt64, high: UnsafeMutablePointer<UInt64>?) {
        self.low = low
        self.high = high
    }

    @inline(__always)
    var hasHigh: Bool { high != nil }

    @inline(__always)
    func contains(_ bit: Int) -> Bool {
        if bit < 64 { return low &>> UInt64(bit) & 1 != 0 }
        guard let high else { return false }
        return high[(bit &- 64) &>> 6] &>> UInt64(bit & 63) & 1 != 0
    }

    @inline(__always)
    mutating func insert(_ bit: Int) {
        if bit < 64 {
            low |= 1 &<< UInt64(bit)
        } else if let high {
            high[(bit &- 64) &>> 6] |= 1 &<< UInt64(bit & 63)
        }
    }

    /// Adds what a unit meets, given as words.
    @inline(__always)
    mutating func formUnion(_ words: ArraySlice<UInt64>) {
        low |= words[words.startIndex]
        guard let high else { return }
        for (index, word) in words.dropFirst().enumerated() { high[index] |= word }
    }
}
