import OTLP
import Testing
import TraceModel

@testable import Sampling

/// Conditions that are tested together against each of them by itself.
struct CompiledConditionTests {
    private static let keys = ["a", "k", "http.route", "http.request.method", "a key of more than sixteen bytes"]

    /// Texts that differ in their middle only, in their length only, or not at all where only ends are looked at.
    private static let texts: [String] = {
        let long = String(repeating: "m", count: 60)
        return ["", "x", "xy", "xyz", "xxx", "abcd", "abXd", "/cart", "/items", "12345678", "1234567812345678"]
            + ["begin-A-long-end", "begin-B-long-end", "beginning-A-and-end", "beginning-B-and-end", long, long + "y"]
            + (0..<40).map { "/route/\($0)" }
    }()

    private static func condition(_ random: inout SeededRandom) throws -> AttributeCondition {
        let key = keys.randomElement(using: &random) ?? ""
        func text() -> String { texts.randomElement(using: &random) ?? "" }
        switch Int.random(in: 0..<6, using: &random) {
        case 0:
            let lower = Int64.random(in: -5...5, using: &random)
            return AttributeCondition(
                key: key,
                .number(
                    NumberRange(
                        lower: NumberRange.Bound(number: Double(lower), whole: lower),
                        upper: NumberRange.Bound(number: Double(lower) + 2.5, whole: nil))))
        case 1: return AttributeCondition(key: key, .boolean(Bool.random(using: &random)))
        case 2:
            return AttributeCondition(
                key: key,
                .string(
                    try StringTest(patterns: ["^/route/[0-5]$", text().first.map { "\($0)$" } ?? "q"], cacheSize: 4)))
        default:
            let count = Int.random(in: 1...6, using: &random)
            return AttributeCondition(key: key, .string(StringTest(exact: (0..<count).map { _ in text() })))
        }
    }

    private static func value(_ random: inout SeededRandom) -> AttributeValue {
        switch Int.random(in: 0..<8, using: &random) {
        case 0: .int(Int64.random(in: -8...8, using: &random))
        case 1: .double(Double(Int.random(in: -16...16, using: &random)) / 2)
        case 2: .bool(Bool.random(using: &random))
        case 3: .array([.string("x")])
        default: .string(texts.randomElement(using: &random) ?? "")
        }
    }

    @Test("conditions that are tested together are met as each of them is by itself", arguments: [3, 20, 63, 64, 200])
    func together(count: Int) throws {
        var random = SeededRandom(seed: UInt64(count))
        let conditions = try (0..<count).map { _ in try Self.condition(&random) }
        let tests = AttributeTests(conditions.enumerated().map { (bit: $0.offset, condition: $0.element) })
        let words = 1 + (count - 1) / 64
        var met = 0
        for round in 0..<4000 {
            let isResource = round % 4 == 0
            let attribute = Attribute(Self.keys.randomElement(using: &random) ?? "", Self.value(&random))
            var writer = ProtobufWriter()
            OTLPEncoder.encode(attributes: [attribute], field: isResource ? 1 : 9, into: &writer)
            var found = [UInt64](repeating: 0, count: words)
            var expected = found
            writer.bytes.withUnsafeBytes { bytes in
                guard var cursor = AttributeCursor(bytes, isResource ? .resource : .span), let raw = cursor.next()
                else { return }
                for (bit, condition) in conditions.enumerated()
                where attribute.key.utf8.elementsEqual(condition.key)
                    && condition.accepts(raw.value, isResource: isResource)
                {
                    expected[bit / 64] |= 1 << UInt64(bit % 64)
                    met += 1
                }
                found.withUnsafeMutableBufferPointer { words in
                    guard let first = words.baseAddress else { return }
                    var result = MetConditions(low: 0, high: count > 64 ? first + 1 : nil)
                    if isResource { tests.test(ofResource: raw, &result) } else { tests.test(raw, &result) }
                    words[0] = result.low
                }
            }
            #expect(found == expected, "\(attribute), round \(round)")
        }
        #expect(met > count)
    }

    @Test("values that share a place in the memory of results are told apart")
    func memoryOfResults() throws {
        let condition = AttributeCondition(key: "k", .string(try StringTest(patterns: ["[02468]$"], cacheSize: 8)))
        let tests = AttributeTests([(bit: 0, condition: condition)])
        var random = SeededRandom(seed: 11)
        // Many more values than places, of all lengths that are kept and of some that are not.
        for _ in 0..<20_000 {
            let number = Int.random(in: 0..<2000, using: &random)
            let text = String(repeating: "-", count: number % 70) + "\(number)"
            var writer = ProtobufWriter()
            OTLPEncoder.encode(attributes: [Attribute("k", .string(text))], field: 9, into: &writer)
            var met = MetConditions(low: 0, high: nil)
            writer.bytes.withUnsafeBytes { bytes in
                guard var cursor = AttributeCursor(bytes, .span), let raw = cursor.next() else { return }
                tests.test(raw, &met)
            }
            #expect(met.contains(0) == (number % 2 == 0), "\(text)")
        }
    }

    @Test(
        "the memory of results says what was said of a value last, or nothing", arguments: 1...4 as ClosedRange<UInt64>)
    func memoryIsAModel(seed: UInt64) {
        struct Key: Hashable {
            var table: Int
            var text: [UInt8]
        }
        var random = SeededRandom(seed: seed)
        let tables = 3
        var memory = ValueMemory(tables: tables)
        var said: [Key: UInt64] = [:]
        var known = 0
        for _ in 0..<50_000 {
            // Few bytes, so that values are often equal, in each other, or different in one byte; ends that are often the same.
            let count = Int.random(in: 0...64, using: &random)
            var text = [UInt8](repeating: 0, count: count)
            if count > 0, Bool.random(using: &random) {
                text[.random(in: 0..<count, using: &random)] = .random(in: 0...3, using: &random)
            }
            let key = Key(table: .random(in: 0..<tables, using: &random), text: text)
            text.withUnsafeBytes { bytes in
                let ends = ByteEnds(bytes)
                if let results = memory.results(of: bytes, ends, table: key.table) {
                    #expect(results == said[key], "\(key), seed \(seed)")
                    known += 1
                }
                if Int.random(in: 0...2, using: &random) == 0 {
                    let results = random.next() >> (64 - UInt64(ValueMemory.resultBits))
                    memory.remember(bytes, ends, table: key.table, results)
                    said[key] = results
                    let isKept = bytes.count <= ValueMemory.longestValue
                    #expect(memory.results(of: bytes, ends, table: key.table) == (isKept ? results : nil))
                }
            }
        }
        #expect(known > 1000)
    }

    @Test("texts are equal where all of their bytes are")
    func textLists() {
        var random = SeededRandom(seed: 12)
        for length in 0...40 {
            let text = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
            var list = TextList()
            list.append([1, 2, 3])
            list.append(text)
            func isEqual(_ other: [UInt8]) -> Bool { other.withUnsafeBytes { list.isEqual(1, $0, ByteEnds($0)) } }
            #expect(isEqual(text))
            #expect(!isEqual(text + [0]))
            for index in text.indices {
                var other = text
                other[index] ^= 1 << UInt8.random(in: 0...7, using: &random)
                #expect(!isEqual(other), "length \(length), byte \(index)")
            }
            if length > 0 { #expect(!isEqual(Array(text.dropLast()))) }
        }
    }
}
