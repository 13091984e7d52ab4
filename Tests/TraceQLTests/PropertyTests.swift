import OTLP
import Testing
import TraceModel

@testable import TraceQL

@Suite("What holds for all queries, traces and bytes")
struct PropertyTests {
    @Test("parsing the formatted text gives the query back", arguments: [1, 2, 3] as [UInt64])
    func roundTrip(_ seed: UInt64) throws {
        var generator = QueryGenerator(seed: seed)
        for _ in 0..<1500 {
            let query = generator.anyQuery()
            let text = query.description
            let parsed: TraceQLQuery
            do {
                parsed = try QueryParser.parse(text)
            } catch let problem {
                Issue.record("seed \(seed): \(problem.rendered(in: text))")
                return
            }
            if parsed != query || parsed.description != text {
                Issue.record("seed \(seed): \(text)\nbecame \(parsed)")
                return
            }
        }
    }

    @Test("whole-trace evaluation agrees with the reference", arguments: [11, 12, 13, 14] as [UInt64])
    func wholeTrace(_ seed: UInt64) throws {
        var generator = QueryGenerator(seed: seed)
        var matches = 0
        var accepted = 0
        for _ in 0..<600 {
            let query = generator.fullQuery()
            let text = query.description
            // Constants that meet no span, like `1 = "x"`, are not generated on purpose but happen.
            guard case .success = TraceQLQuery.checked(text) else { continue }
            accepted += 1
            let evaluator = QueryEvaluator(query)
            for _ in 0..<3 {
                let resourceSpans = generator.trace()
                let expected = ReferenceEvaluator(resourceSpans).evaluate(query)
                let found = evaluator.evaluate(QueryTrace(resourceSpans)).spansets.map(\.spans)
                if found != expected {
                    Issue.record("seed \(seed): \(text)\nfound \(found), expected \(expected)\n\(resourceSpans)")
                    return
                }
                if !found.isEmpty { matches += 1 }
            }
        }
        // The test is worth something only while both answers are frequent.
        #expect(accepted > 300)
        #expect(matches > accepted / 3 && matches < accepted * 5 / 2, "\(matches) of \(3 * accepted)")
    }

    @Test(
        "a filter in place on scanned bytes finds what the whole-trace evaluator finds",
        arguments: [21, 22, 23] as [UInt64])
    func perSpan(_ seed: UInt64) throws {
        var generator = QueryGenerator(seed: seed)
        generator.isSpanOnly = true
        var scanner = OTLPScanner()
        let batch = SpanBatch()
        var matches = 0
        for _ in 0..<1000 {
            let condition = generator.condition(3)
            let query = TraceQLQuery(stages: [.spansets(SpansetExpression(.filter(condition)))])
            let predicate = SpanPredicate(condition)
            let evaluator = QueryEvaluator(query)
            let resourceSpans = generator.trace()
            let bytes = OTLPEncoder.encode(resourceSpans)
            try bytes.withUnsafeBytes { record in
                try scanner.scan(record, into: batch)
                let inPlace = batch.heads.indices.filter { predicate.matches(batch.heads[$0], in: batch) }
                let trace = QueryTrace()
                for head in batch.heads { trace.add(head, in: batch) }
                let whole = evaluator.evaluate(trace).spansets.first?.spans ?? []
                let decoded = evaluator.evaluate(QueryTrace(resourceSpans)).spansets.first?.spans ?? []
                let reference = ReferenceEvaluator(resourceSpans)
                let expected = reference.entries.indices.filter { reference.isTrue(condition, $0) }
                #expect(inPlace == whole && inPlace == decoded && inPlace == expected, "seed \(seed): \(query)")
                matches += inPlace.count
            }
        }
        #expect(matches > 300)
    }

    @Test("bits set as spans arrive decide as the whole trace does", arguments: [31, 32, 33] as [UInt64])
    func plan(_ seed: UInt64) throws {
        var generator = QueryGenerator(seed: seed)
        generator.isSpanOnly = true
        var planned = 0
        var matches = 0
        for _ in 0..<1000 {
            let query = generator.simpleQuery()
            guard case .perSpan(let predicates, let verdict) = QueryPlan(query) else { continue }
            planned += 1
            let compiled = predicates.map { SpanPredicate($0) }
            let evaluator = QueryEvaluator(query)
            for _ in 0..<3 {
                let trace = QueryTrace(generator.trace())
                var bits: UInt64 = 0
                for span in trace.spans {
                    for (index, predicate) in compiled.enumerated() where predicate.matches(span) {
                        bits |= 1 << UInt64(index)
                    }
                }
                #expect(verdict.holds(bits) == evaluator.matches(trace), "seed \(seed): \(query)")
                if verdict.holds(bits) { matches += 1 }
            }
        }
        #expect(planned > 700)
        #expect(matches > planned / 2 && matches < planned * 5 / 2)
    }

    @Test("random text is parsed or refused with a place, and nothing else", arguments: [41, 42] as [UInt64])
    func randomText(_ seed: UInt64) {
        var generator = QueryGenerator(seed: seed)
        let pieces = [
            "{", "}", "(", ")", "|", "&&", "||", ">", ">>", "!", "!~", "=~", "=", "-", "+", ".a", "span.b", "name",
            "count()",
            "by(", "1", "2s", "\"x\"", "`", "\"", "\\", "nil", " ", "\n", "é", "\u{0}", "avg(", "with(", "rate()", ",",
            "/*",
            "parent.", "trace:", "~", "<", "&>>", "5h3", "%", "^", ".", "//",
        ]
        for round in 0..<6000 {
            var text = ""
            if round % 2 == 0 {
                for _ in 0..<Int.random(in: 1...20, using: &generator.random) { text += generator.pick(pieces) }
            } else {
                // A valid query with a few bytes changed.
                var bytes = Array(generator.anyQuery().description.utf8)
                for _ in 0..<3 {
                    bytes[Int.random(in: 0..<bytes.count, using: &generator.random)] = UInt8.random(
                        in: 0...255, using: &generator.random)
                }
                text = String(decoding: bytes, as: UTF8.self)
            }
            switch TraceQLQuery.checked(text) {
            case .success(let query): #expect(TraceQLQuery.checked(query.description) == .success(query), "\(text)")
            case .failure(let problems):
                #expect(problems.all.allSatisfy { $0.range.upperBound <= text.utf8.count }, "\(text)")
                #expect(!problems.rendered(in: text).isEmpty)
            }
        }
    }

    @Test("random bytes as a span are evaluated without harm")
    func randomBytes() throws {
        var generator = QueryGenerator(seed: 51)
        generator.isSpanOnly = true
        let predicates = (0..<40).map { _ in SpanPredicate(generator.condition(3)) }
        var message = ProtobufWriter()
        OTLPEncoder.encode(span: Shop.frontend[1], into: &message)
        for _ in 0..<1500 {
            var bytes = message.bytes
            for _ in 0..<Int.random(in: 1...6, using: &generator.random) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator.random)] = UInt8.random(
                    in: 0...255, using: &generator.random)
            }
            bytes.removeLast(Int.random(in: 0..<bytes.count, using: &generator.random))
            bytes.withUnsafeBytes { buffer in
                let view = SpanView(message: buffer, resource: buffer, scope: buffer)
                for predicate in predicates { _ = predicate.matches(view) }
                let trace = QueryTrace()
                trace.add(message: buffer, resource: buffer, scope: buffer)
                #expect(trace.tree.left == [1])
            }
        }
    }

    @Test("attributes are found as a decoder finds them, in damaged bytes too")
    func attributeLookup() {
        var generator = QueryGenerator(seed: 61)
        var found = 0
        for _ in 0..<1500 {
            let spans = generator.trace().flatMap { $0.scopeSpans.flatMap(\.spans) }
            for span in spans {
                var writer = ProtobufWriter()
                OTLPEncoder.encode(span: span, into: &writer)
                var bytes = writer.bytes
                if generator.chance(50) {
                    bytes[Int.random(in: 0..<bytes.count, using: &generator.random)] = UInt8.random(
                        in: 0...255, using: &generator.random)
                }
                // The scanner refuses what a decoder would.
                guard let decoded = try? bytes.withUnsafeBytes({ try OTLPDecoder.decodeSpan($0) }) else { continue }
                for name in ["a", "b", "list", ""] {
                    let key = Array(name.utf8)
                    let expected = decoded.attributes.first { $0.key == name }?.value
                    bytes.withUnsafeBytes { buffer in
                        let value = key.withUnsafeBytes { AttributeFinder.value(of: $0, in: buffer, .span) }
                        let agrees: Bool
                        switch (value, expected) {
                        case (.absent, nil), (.absent, .empty?), (.array, .array?): agrees = true
                        case (.opaque, .map?), (.opaque, .bytes?): agrees = true
                        case (.string(let left), .string(let right)?): agrees = left.elementsEqual(right.utf8)
                        case (.bool(let left), .bool(let right)?): agrees = left == right
                        case (.int(let left), .int(let right)?): agrees = left == right
                        case (.double(let left), .double(let right)?): agrees = left.bitPattern == right.bitPattern
                        default: agrees = false
                        }
                        #expect(agrees, "\(value) \(String(describing: expected)) \(bytes)")
                        if !value.isAbsent { found += 1 }
                    }
                }
            }
        }
        #expect(found > 1000)
    }

    @Test(
        "a hostile query is refused, not run into the ground",
        arguments: [
            String(repeating: "(", count: 60000), "{ " + String(repeating: "!", count: 60000) + ".a }",
            "{ " + String(repeating: "-", count: 60000) + ".a = 1 }",
            "{ " + String(repeating: "(", count: 30000) + "true }",
            "{ " + String(repeating: "2 ^ ", count: 10000) + "2 = 1 }", String(repeating: "{}&&", count: 15000) + "{}",
            "{ " + String(repeating: ".a||", count: 15000) + ".a }",
            "avg(.a) > " + String(repeating: "1+", count: 30000) + "1",
            "{ .a =~ \"" + String(repeating: "(", count: 60000) + "\" }", "{ .a =~ \"(x{1000}){1000}\" }",
            "{ ." + String(repeating: "a", count: 70000) + " }", String(repeating: "{}|", count: 20000),
        ])
    func hostile(_ query: String) {
        guard case .failure(let problems) = TraceQLQuery.checked(query) else {
            Issue.record("accepted")
            return
        }
        #expect(problems.rendered(in: query).utf8.count < 100_000)
    }

    @Test("a long chain within the limits is evaluated")
    func longChain() throws {
        let conditions = (0..<400).map { ".missing = \($0)" }.joined(separator: " || ")
        #expect(try Shop.find("{ \(conditions) || name = \"charge\" }") == [["charge"]])
    }

    @Test("a deep trace needs no deep stack")
    func deepTrace() throws {
        let spans = (1...50_000).map { id in
            Span(
                traceID: Shop.traceID, spanID: SpanID(UInt64(id)), parentSpanID: SpanID(UInt64(id - 1)), name: "s\(id)",
                startTime: 1, endTime: 2)
        }
        let resourceSpans = [
            ResourceSpans(resource: Resource(), scopeSpans: [ScopeSpans(scope: InstrumentationScope(), spans: spans)])
        ]
        #expect(try Shop.find("{ name = \"s1\" } >> { name = \"s50000\" }", in: resourceSpans) == [["s50000"]])
        #expect(try Shop.find("{ } >> { } | count() = 49999", in: resourceSpans).count == 1)
    }
}
