import OTLP
import Testing
import TraceModel

@Suite("OTLP/JSON decoder")
struct OTLPJSONDecoderTests {
    private func span(_ members: String) throws(OTLPJSONError) -> Span? {
        try OTLPJSONDecoder.decodeModel(
            Array("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\(members)}]}]}]}".utf8)
        )
        .first?.scopeSpans.first?.spans.first
    }

    private func value(_ json: String) throws(OTLPJSONError) -> AttributeValue? {
        try span("\"attributes\":[{\"key\":\"k\",\"value\":\(json)}]")?.attributes["k"]
    }

    private func error(_ text: String) -> OTLPJSONError? {
        do {
            _ = try OTLPJSONDecoder.decode(Array(text.utf8))
            return nil
        } catch {
            return error
        }
    }

    @Test("The example of the OTLP specification decodes in full")
    func example() throws {
        let text = """
            {"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"my.service"}}]},
            "scopeSpans":[{"scope":{"name":"my.library","version":"1.0.0","attributes":[{"key":"my.scope.attribute",
            "value":{"stringValue":"some scope attribute"}}]},"spans":[{"traceId":"5B8EFFF798038103D269B633813FC60C",
            "spanId":"EEE19B7EC3C1B174","parentSpanId":"EEE19B7EC3C1B173","name":"I'm a server span",
            "startTimeUnixNano":"1544712660000000000","endTimeUnixNano":"1544712661000000000","kind":2,
            "attributes":[{"key":"my.span.attr","value":{"stringValue":"some value"}}]}]}]}]}
            """
        let decoded = try OTLPJSONDecoder.decodeModel(Array(text.utf8))
        let span = Span(
            traceID: TraceID(high: 0x5b8e_fff7_9803_8103, low: 0xd269_b633_813f_c60c),
            spanID: SpanID(0xeee1_9b7e_c3c1_b174),
            parentSpanID: SpanID(0xeee1_9b7e_c3c1_b173), name: "I'm a server span", kind: .server,
            startTime: 1_544_712_660_000_000_000, endTime: 1_544_712_661_000_000_000,
            attributes: [Attribute("my.span.attr", .string("some value"))])
        let scope = InstrumentationScope(
            name: "my.library", version: "1.0.0",
            attributes: [Attribute("my.scope.attribute", .string("some scope attribute"))])
        #expect(
            decoded == [
                ResourceSpans(
                    resource: Resource(attributes: [Attribute("service.name", .string("my.service"))]),
                    scopeSpans: [ScopeSpans(scope: scope, spans: [span])])
            ])
    }

    @Test(
        "Ids are read in hex of either case and in base64, padded or not",
        arguments: [
            "5b8efff798038103d269b633813fc60c", "5B8EFFF798038103D269B633813FC60C", "W47/95gDgQPSabYzgT/GDA==",
            "W47/95gDgQPSabYzgT/GDA", "W47_95gDgQPSabYzgT_GDA==", "W47\\/95gDgQPSabYzgT\\/GDA==",
        ])
    func ids(text: String) throws {
        let span = try span("\"traceId\":\"\(text)\",\"spanId\":\"7uGbfsPBsXQ=\",\"parentSpanId\":\"\"")
        #expect(span?.traceID.hex == "5b8efff798038103d269b633813fc60c")
        #expect(span?.spanID.hex == "eee19b7ec3c1b174")
        #expect(span?.parentSpanID.isZero == true)
    }

    @Test(
        "An id of the wrong length is an error that names it",
        arguments: ["5b8e", "5b8efff798038103d269b633813fc60", "5b8efff798038103d269b633813fc60cff", "zz", "=", "===="])
    func malformedIDs(text: String) {
        let error = error("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{},{\"traceId\":\"\(text)\"}]}]}]}")
        #expect(error?.text == "resourceSpans[0].scopeSpans[0].spans[1].traceId: expected a trace id of 32 hex digits")
    }

    @Test("64-bit integers are read from numbers, strings and whole decimals, exactly")
    func integers() throws {
        for text in ["18446744073709551615", "\"18446744073709551615\"", "1.8446744073709551615e19"] {
            #expect(try span("\"startTimeUnixNano\":\(text)")?.startTime == .max)
        }
        #expect(try span("\"startTimeUnixNano\":1.6749817295752201e18")?.startTime == 1_674_981_729_575_220_100)
        #expect(try span("\"startTimeUnixNano\":120e-1")?.startTime == 12)
        #expect(try span("\"startTimeUnixNano\":-0")?.startTime == 0)
        #expect(try value("{\"intValue\":\"-9223372036854775808\"}") == .int(.min))
        #expect(try value("{\"intValue\":-9223372036854775808}") == .int(.min))
        #expect(try value("{\"intValue\":\"9223372036854775807\"}") == .int(.max))
        #expect(try span("\"flags\":4294967295")?.flags == .max)
    }

    @Test(
        "A number that is out of range or none is an error, never a trap",
        arguments: [
            "18446744073709551616", "-1", "1.5", "1e20", "1e99999999999999999999", "1e-99999999999999999999", "\"\"",
            "\"x\"",
            "\"12", "01", "+1", ".5", "1.", "1e", "0x10", "true", "{}", "[]", "\"1\\u0030\"", "1e-1",
            "100000000000000000000000000000000000000000000000",
        ])
    func malformedIntegers(text: String) {
        #expect(throws: OTLPJSONError.self) { try span("\"startTimeUnixNano\":\(text)") }
        #expect(throws: OTLPJSONError.self) {
            try value("{\"intValue\":\(text == "-1" ? "9223372036854775808" : text)}")
        }
        #expect(throws: OTLPJSONError.self) { try span("\"flags\":\(text)") }
    }

    @Test("Doubles read back exactly, as numbers and as strings")
    func doubles() throws {
        let texts = [
            "0", "-0.0", "1", "0.1", "1e22", "1e23", "5e-324", "1.7976931348623157e308",
            "123456789012345678901234567890",
            "9007199254740993", "2.2250738585072011e-308", "1E+2", "-1.5e-7",
        ]
        for text in texts {
            let expected = try #require(Double(text))
            for written in [text, "\"\(text)\""] {
                guard case .double(let double)? = try value("{\"doubleValue\":\(written)}") else {
                    Issue.record("no double for \(written)")
                    continue
                }
                #expect(double.bitPattern == expected.bitPattern, "\(written)")
            }
        }
        #expect(try value("{\"doubleValue\":\"-Infinity\"}") == .double(-.infinity))
        #expect(throws: OTLPJSONError.self) { try value("{\"doubleValue\":1e999}") }
        #expect(throws: OTLPJSONError.self) { try value("{\"doubleValue\":\"nan\"}") }
    }

    @Test("Enums are read as numbers, proto names and the names people write")
    func enums() throws {
        for text in ["2", "\"SPAN_KIND_SERVER\"", "\"SERVER\"", "\"server\""] {
            #expect(try span("\"kind\":\(text)")?.kind == .server)
        }
        for text in ["2", "\"STATUS_CODE_ERROR\"", "\"error\""] {
            #expect(try span("\"status\":{\"code\":\(text)}")?.status.code == .error)
        }
        #expect(try span("\"kind\":99")?.kind == .unspecified)
        #expect(throws: OTLPJSONError.self) { try span("\"kind\":\"SPAN_KIND_SERVANT\"") }
        #expect(throws: OTLPJSONError.self) { try span("\"kind\":4294967298") }
    }

    @Test("snake_case names mean the same as lowerCamelCase ones")
    func snakeCase() throws {
        let camel = """
            {"resourceSpans":[{"schemaUrl":"u","scopeSpans":[{"spans":[{"traceState":"a=b","startTimeUnixNano":"5",
            "droppedEventsCount":3,"attributes":[{"key":"k","value":{"arrayValue":{"values":[{"intValue":1}]}}}]}]}]}]}
            """
        let snake = """
            {"resource_spans":[{"schema_url":"u","scope_spans":[{"spans":[{"trace_state":"a=b",
            "start_time_unix_nano":"5",
            "dropped_events_count":3,
            "attributes":[{"key":"k","value":{"array_value":{"values":[{"int_value":1}]}}}]}]}]}]}
            """
        #expect(try OTLPJSONDecoder.decode(Array(camel.utf8)) == OTLPJSONDecoder.decode(Array(snake.utf8)))
    }

    @Test("Strings are unescaped, and half a surrogate pair becomes U+FFFD")
    func strings() throws {
        #expect(try span(#""name":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00""#)?.name == "\"\\/\u{8}\u{c}\n\r\té😀")
        #expect(try span(#""name":"a\ud83dz""#)?.name == "a\u{fffd}z")
        #expect(try span(#""name":"\ude00\ud83d""#)?.name == "\u{fffd}\u{fffd}")
        #expect(try span(#""n\u0061me":"escaped key""#)?.name == "escaped key")
        for text in [#""\x""#, #""\u12g4""#, #""\u12"#, "\"a\nb\"", "\"unclosed", "\"\\"] {
            #expect(throws: OTLPJSONError.self, "\(text)") { try span("\"name\":\(text)") }
        }
        let invalid = Array("{\"x\":\"".utf8) + [0xc3, 0x28] + Array("\"}".utf8)
        #expect(throws: OTLPJSONError(message: "string is not valid UTF-8", path: "x", offset: 6)) {
            try OTLPJSONDecoder.decode(invalid)
        }
    }

    @Test("Attribute values of every type decode, and defaults stay what they are")
    func values() throws {
        #expect(try value("{\"stringValue\":\"\"}") == .string(""))
        #expect(try value("{\"boolValue\":false}") == .bool(false))
        #expect(try value("{\"intValue\":0}") == .int(0))
        #expect(try value("{\"bytesValue\":\"AAH/\"}") == .bytes([0, 1, 255]))
        #expect(try value("{\"bytesValue\":\"\"}") == .bytes([]))
        #expect(try value("{}") == .empty)
        #expect(try value("null") == .empty)
        #expect(try value("{\"stringValue\":null}") == .empty)
        #expect(try value("{\"arrayValue\":{}}") == .array([]))
        #expect(
            try value(
                #"{"kvlistValue":{"values":[{"key":"a","value":{"arrayValue":{"values":[{},{"boolValue":true}]}}}]}}"#
            )
                == .map([Attribute("a", .array([.empty, .bool(true)]))]))
        #expect(throws: OTLPJSONError.self) { try value("{\"stringValue\":\"a\",\"intValue\":1}") }
        #expect(throws: OTLPJSONError.self) { try value("{\"bytesValue\":\"A\"}") }
    }

    @Test("Unknown members and nulls are ignored at every level")
    func unknown() throws {
        let text = """
            {"x":[1,{"y":[[],{}]}],"resourceSpans":[null,{"z":null,"resource":null,
            "scopeSpans":[{"scope":{"q":"\\u0000"},
            "spans":[{"name":"a","kind":null,"events":null,"later":{"deep":[true,false,null,-1.5e3]}}]}]}]}
            """
        let decoded = try OTLPJSONDecoder.decodeModel(Array(text.utf8))
        #expect(decoded.first?.scopeSpans.first?.spans.map(\.name) == ["a"])
        #expect(try OTLPJSONDecoder.decode(Array("{}".utf8)).protobuf == [])
        #expect(try OTLPJSONDecoder.decode(Array(" \t\r\n{ } \n".utf8)).protobuf == [])
    }

    @Test("The retired instrumentationLibrarySpans are read, but not beside scopeSpans")
    func retired() throws {
        let retired =
            #""instrumentationLibrarySpans":[{"instrumentationLibrary":{"name":"l"},"spans":[{"name":"old"}]}]"#
        let current = #""scopeSpans":[{"scope":{"name":"l"},"spans":[{"name":"new"}]}]"#
        for (members, name) in [
            (retired, "old"), (current, "new"), ("\(retired),\(current)", "new"), ("\(current),\(retired)", "new"),
        ] {
            let decoded = try OTLPJSONDecoder.decodeModel(Array("{\"resourceSpans\":[{\(members)}]}".utf8))
            #expect(decoded.flatMap(\.scopeSpans).map(\.scope.name) == ["l"])
            #expect(decoded.flatMap { $0.scopeSpans.flatMap(\.spans) }.map(\.name) == [name])
        }
    }

    @Test("A member that appears twice is an error")
    func duplicates() {
        let found = error(#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"a","name":"b"}]}]}]}"#)
        #expect(found?.text == "resourceSpans[0].scopeSpans[0].spans[0].name: member appears twice")
    }

    @Test("Errors carry the path and the byte offset")
    func errors() {
        let text = #"{"resourceSpans":[{},{"scopeSpans":[{"spans":[{"a,\"b":1,"startTimeUnixNano":"soon"}]}]}]}"#
        let found = error(text)
        #expect(found?.path == "resourceSpans[1].scopeSpans[0].spans[0].startTimeUnixNano")
        #expect(found?.message == "expected an unsigned 64-bit integer")
        #expect(found?.offset == text.utf8.count - "\"soon\"}]}]}]}".utf8.count)
        #expect(error("")?.description == "expected an object (byte 0)")
        #expect(error("[]")?.description == "expected an object (byte 0)")
        #expect(error("{} x")?.description == "unexpected text after the JSON value (byte 3)")
        #expect(error("{\"resourceSpans\":[{\"resource\":")?.path == "resourceSpans[0].resource")
        for text in [
            "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,}", "{,}", "{\"a\":[1,]}", "{\"a\":[1 2]}", "{a:1}", "nul",
        ] {
            #expect(error(text) != nil, "\(text)")
        }
    }

    @Test("arrival_ms is rounded, and refused where it is no number")
    func arrival() throws {
        for (text, expected) in [("12", 12), ("12.5", 13), ("\"12\"", 12), ("-3", -3), ("1e3", 1000)] {
            let request = try OTLPJSONDecoder.decode(Array("{\"arrival_ms\":\(text)}".utf8))
            #expect(request.arrivalMilliseconds == Int64(expected))
        }
        #expect(try OTLPJSONDecoder.decode(Array("{\"arrival_ms\":null}".utf8)).arrivalMilliseconds == nil)
        #expect(error("{\"arrival_ms\":1e300}")?.text == "arrival_ms: expected milliseconds")
        #expect(error("{\"arrival_ms\":\"NaN\"}") != nil)
    }
}
