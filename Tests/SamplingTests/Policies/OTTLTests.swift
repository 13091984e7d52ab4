import Pipeline
import Testing
import TraceModel

@testable import Sampling

struct OTTLTests {
    /// A span with something in every field.
    private func run(_ conditions: String) throws -> Bool {
        let run = try PolicyRun(policy: "{ name: o, type: ottl_condition, ottl_condition: { \(conditions) } }")
        try run.send(
            1,
            [
                Attribute("k", .string("v")), Attribute("n", .int(42)), Attribute("d", .double(1.5)),
                Attribute("t", .bool(true)), Attribute("empty", .string("")), Attribute("b", .bytes([1, 255])),
                Attribute("list", .array([.string("a"), .int(7)])),
                Attribute("map", .map([Attribute("x", .map([Attribute("y", .string("deep"))]))])),
            ], parent: 7, name: "GET /cart", kind: .server,
            resource: [Attribute("service.name", .string("shop")), Attribute("host.cpus", .int(8))],
            scope: InstrumentationScope(name: "lib", version: "1.2", attributes: [Attribute("s", .string("sv"))]),
            milliseconds: 250, state: "vendor=x,ot=th:8", flags: 1,
            events: [
                SpanEvent(time: 5, name: "start"),
                SpanEvent(
                    time: 9, name: "exception", attributes: [Attribute("exception.type", .string("IOError"))]),
            ], status: SpanStatus(code: .error, message: "disk full"))
        return run.keeps(1)
    }

    static let holding = [
        #"attributes["k"] == "v""#, #"span.attributes["k"] == "v""#, #"attributes["n"] == 42"#,
        #"attributes["n"] > 41.5"#, #"attributes["d"] <= 1.5"#, #"attributes["t"] == true"#,
        #"attributes["missing"] == nil"#, #"attributes["k"] != nil"#, #"attributes["missing"] != "v""#,
        #"attributes["k"] != 1"#, #"not (attributes["k"] == 1)"#, #"attributes["k"] < "w""#,
        #"attributes["b"] == 0x01ff"#, #"attributes["list"][0] == "a""#, #"attributes["list"][1] == 7"#,
        #"attributes["map"]["x"]["y"] == "deep""#, #"attributes["map"]["z"] == nil"#,
        #"resource.attributes["service.name"] == "shop""#, #"resource.attributes["host.cpus"] >= 8"#,
        #"scope.name == "lib""#, #"instrumentation_scope.version == "1.2""#, #"scope.attributes["s"] == "sv""#,
        #"name == "GET /cart""#, #"kind == SPAN_KIND_SERVER"#, #"kind.string == "Server""#,
        #"kind.deprecated_string == "SPAN_KIND_SERVER""#, #"status.code == STATUS_CODE_ERROR"#,
        #"status.message == "disk full""#, #"trace_state["vendor"] == "x""#, #"trace_state == "vendor=x,ot=th:8""#,
        #"parent_span_id == SpanID(0x0000000000000007)"#, #"parent_span_id.string == "0000000000000007""#,
        #"trace_id.string == "0102030405060709" or true"#, #"span_id != SpanID(0x0000000000000007)"#,
        #"end_time_unix_nano - start_time_unix_nano == 250000000"#,
        #"end_time_unix_nano - start_time_unix_nano > Duration("200ms")"#, #"flags == 1"#,
        #"IsMatch(name, "^GET ")"#, #"IsMatch(attributes["n"], "^4")"#, #"IsMatch(attributes["t"], "true")"#,
        #"not IsMatch(attributes["missing"], ".*")"#, #"not IsRootSpan()"#, #"IsString(attributes["k"])"#,
        #"IsInt(attributes["n"])"#, #"IsDouble(attributes["d"])"#, #"IsBool(attributes["t"])"#,
        #"IsMap(attributes["map"])"#, #"IsList(attributes["list"])"#, #"HasPrefix(name, "GET")"#,
        #"HasSuffix(name, "cart")"#, #"ContainsValue(attributes["list"], 7)"#, #"Len(attributes["k"]) == 1"#,
        #"Len(attributes["list"]) == 2"#, #"Int("7") == 7"#, #"Double(attributes["n"]) == 42.0"#,
        #"String(attributes["n"]) == "42""#, #"ToUpperCase(attributes["k"]) == "V""#, #"1 + 2 * 3 == 7"#,
        #"(1 + 2) * 3 == 9"#, #"7 / 2 == 3"#, #"7 / 2.0 == 3.5"#, #"-3 < attributes["n"] - 44"#,
        #"false or attributes["k"] == "v" and true"#, #"(attributes["k"] == "x" or attributes["n"] == 42) and true"#,
        #"dropped_attributes_count == 0"#, #"attributes["t"] != false"#,
        #"name == "a" or name == "b" or name == "GET /cart""#,
    ]

    @Test("a condition that OTTL calls true holds", arguments: holding)
    func holds(condition: String) throws {
        #expect(try run("span: ['\(condition)']"))
    }

    @Test(
        "a condition that OTTL calls false does not hold",
        arguments: [
            #"attributes["k"] == "V""#, #"attributes["missing"] < 5"#, #"attributes["missing"] >= nil"#,
            #"attributes["k"] > 1"#, #"attributes["n"] == "42""#, #"attributes["t"] == 1"#, #"IsRootSpan()"#,
            #"attributes["list"][2] == "a""#, #"attributes["k"]["x"] == "v""#, #"1 / 0 == 0"#,
            #"9223372036854775807 + 1 < 0"#, #"IsMatch(attributes["list"], ".")"#, #"not true"#, #"false"#,
            #"true and false or false"#, #"Int("x") == 0"#, #"status.code == STATUS_CODE_OK"#,
            #"attributes["k"] + 1 == 2"#,
        ])
    func doesNotHold(condition: String) throws {
        #expect(try !run("span: ['\(condition)']"))
    }

    @Test(
        "an event condition is tested on each event, with its span in reach",
        arguments: [
            (#"name == "exception""#, true), (#"attributes["exception.type"] == "IOError""#, true),
            (#"name == "start" and attributes["exception.type"] == "IOError""#, false),
            (#"spanevent.name == "exception" and span.name == "GET /cart""#, true), (#"event_index == 2"#, false),
            (#"time_unix_nano == 9 and event_index == 1"#, true), (#"resource.attributes["host.cpus"] == 8"#, true),
        ])
    func events(condition: String, isHeld: Bool) throws {
        #expect(try run("spanevent: ['\(condition)']") == isHeld)
    }

    @Test("conditions of both lists are alternatives")
    func alternatives() throws {
        #expect(try run(#"error_mode: ignore, span: ['name == "x"', 'name == "y"'], spanevent: ['name == "start"']"#))
    }

    @Test(
        "a mistake is reported with its place and what was meant",
        arguments: [
            (
                #"attribute["k"] == "v""#,
                ":7:75: error: policy \"o\": span condition: unknown path \"attribute\". Did you mean \"attributes\"?"
            ),
            (#"name = "x""#, ":7:80: error: policy \"o\": span condition: unexpected \"=\"; compare with =="),
            (#"name == "x"#, ":7:83: error: policy \"o\": span condition: the text has no closing quote"),
            (#"name == "x" && true"#, ":7:87: error: policy \"o\": span condition: unexpected \"&\"; write and"),
            (#"IsMatsch(name, "x")"#, "unknown function \"IsMatsch\". Did you mean \"IsMatch\"?"),
            (#"IsMatch(name)"#, "IsMatch takes 2 arguments, not 1"),
            (#"IsMatch(name, "a(")"#, ":7:91: error: policy \"o\": span condition: pattern: missing )"),
            (#"IsMatch(name, name)"#, "the pattern of IsMatch is a text in double quotes"),
            (#"kind == SPAN_KIND_SEVER"#, "Did you mean \"SPAN_KIND_SERVER\"?"),
            (#"name"#, "\"name\" is no condition; compare it, for example with == true"),
            (#"attributes["k"] =="#, "expected a path, a value or a function, found the end of the condition"),
            (#"spanevent.name == "x""#, "a condition on spans cannot see events; write it under spanevent"),
            (#"name["x"] == "y""#, "name has no keys"), (#"(name == "x""#, "expected"),
            (#"name == "x" name"#, "expected and, or, or the end of the condition, found \"name\""),
            ("", "the condition is empty"), (#"Duration("1 parsec") > 1"#, "Duration takes a text"),
            (#"resource.name == "x""#, "unknown path \"resource.name\""),
        ])
    func mistakes(condition: String, message: String) {
        let messages = TestPipeline.messages(
            "policies: [{ name: o, type: ottl_condition, ottl_condition: { span: ['\(condition)'] } }]")
        #expect(messages.count == 1 && messages[0].contains(message), "\(messages)")
        #expect(messages.first?.contains("policy \"o\": span condition") == true)
    }

    @Test("nesting without end is an error, not a stack overflow")
    func deepNesting() {
        for condition in [
            String(repeating: "(", count: 5000) + "true", String(repeating: "not ", count: 5000) + "true",
            "1 == " + String(repeating: "(", count: 5000) + "1", String(repeating: "Len(", count: 5000),
        ] {
            _ = try? OTTLParser.parse(condition, .span)
        }
        #expect(throws: OTTLError.self) { try OTTLParser.parse(String(repeating: "(", count: 5000) + "true", .span) }
    }

    @Test("random words are a condition or an error, never a trap")
    func randomWords() {
        let words = [
            "attributes", "[", "\"k\"", "]", "==", "!=", "(", ")", "and", "or", "not", "1", "-", "1.5", "nil", "true",
            "IsMatch", ",", "IsRootSpan", "name", "+", "/", "0xff", "span.name", "<", "Len", "Int",
            "resource.attributes",
        ]
        var random = SeededRandom(seed: 41)
        var count = 0
        for _ in 0..<20_000 {
            let length = Int.random(in: 1..<12, using: &random)
            let text = (0..<length).map { _ in words.randomElement(using: &random) ?? "" }.joined(separator: " ")
            if (try? OTTLParser.parse(text, Bool.random(using: &random) ? .span : .event)) != nil { count += 1 }
        }
        #expect(count > 10)
    }
}
