import HTTPTypes
import Hummingbird
import HummingbirdTesting
import OTLP
import Pipeline
import Query
import Testing
import TraceModel

@testable import Server

struct RouteTests {
    private struct Answer: Sendable {
        var status: Int
        var text: String
        var headers: HTTPFields
    }

    private func get(_ paths: [String], isReady: Bool = true, withStore: Bool = true) async throws -> [Answer] {
        let fixture = try ServerFixture()
        let server = TailraceServer(
            configuration: .init(port: 0), store: withStore ? fixture.store : nil,
            metrics: { "tailrace_spans_total 5\n" },
            health: {
                HealthReport(
                    ready: isReady, dependencies: [.init(name: "kafka", state: isReady ? "ok" : "down", detail: "d")])
            })
        return try await server.application().test(.router) { client in
            var answers: [Answer] = []
            for path in paths {
                let response = try await client.executeRequest(uri: path, method: .get, headers: [:], body: nil)
                answers.append(
                    Answer(
                        status: Int(response.status.code), text: String(buffer: response.body),
                        headers: response.headers))
            }
            return answers
        }
    }

    private func get(_ path: String) async throws -> Answer { try await get([path])[0] }

    @Test("a decision is explained by a worker and by a query server, and what is unknown says how far the log reaches")
    func decisionsAreExplained() async throws {
        let fixture = try ServerFixture()
        let waiting = WaitingTrace(
            partition: PartitionID(cluster: "c", topic: "t", partition: 5), sampler: "sample", streamTime: 9000,
            trace: OpenTrace(
                spanCount: 3, errorCount: 1, byteCount: 700, hasRoot: true, firstSeen: 1000, lastSeen: 8000,
                closesAt: 18_000))
        let open = TraceID(high: 0, low: 0x99)
        let explainer = fixture.explainer { $0 == open ? [waiting] : [] }
        let server = TailraceServer(
            configuration: .init(port: 0), store: nil, explain: { try explainer.explain($0) }, metrics: { "" },
            health: { HealthReport(ready: true) })
        try await server.application().test(.router) { client in
            func get(_ id: String) async throws -> (Int, String) {
                let answer = try await client.executeRequest(
                    uri: "/v1/decisions/\(id)", method: .get, headers: [:], body: nil)
                return (Int(answer.status.code), String(buffer: answer.body))
            }
            let (keptCode, kept) = try await get("abc0000000000000001")
            #expect(keptCode == 200)
            #expect(
                kept.contains(#""decision":"keep","decisions":[{"decision":"keep","policy":"errors","policyVersion":3"#)
            )
            #expect(kept.contains(#""segments":["segments/w/000000000001-0.seg"]"#))
            let (openCode, undecided) = try await get("99")
            #expect(openCode == 200)
            #expect(undecided.contains(#""decision":"undecided""#))
            #expect(undecided.contains(#""closesAtUnixMilli":18000,"streamTimeUnixMilli":9000"#))
            let (unknownCode, unknown) = try await get("77")
            #expect(unknownCode == 404)
            #expect(unknown.contains(#""decision":"unknown""#))
            #expect(
                unknown.contains(#""log":{"earliestUnixMilli":null,"latestUnixMilli":null,"decisions":0,"files":0}"#))
            #expect(try await get("xyz").0 == 400)
        }
    }

    @Test(arguments: ["/v1/traces/", "/trace/"]) func aTraceIsAnsweredAsOTLPWithItsDecision(prefix: String) async throws
    {
        let answer = try await get(prefix + "abc0000000000000001")
        #expect(answer.status == 200)
        #expect(answer.headers[.contentType] == "application/json")
        #expect(answer.headers[.xContentTypeOptions] == "nosniff")
        #expect(answer.text.contains(#""traceId":"0000000000000abc0000000000000001""#))
        #expect(answer.text.contains(#""spanId":"0000000000000001""#))
        #expect(answer.text.contains(#""startTimeUnixNano":"1700000000000000000""#))
        #expect(
            answer.text.contains(
                #""decision":{"decision":"keep","policy":"errors","probability":0.25,"policyVersion":3,"trigger":"idle","#
            ))
        #expect(answer.text.contains(#""reason":"says \"why\"""#))
        // Readers of OTLP/JSON take it as it is.
        let decoded = try OTLPDecoder.decode(OTLPJSONDecoder.decode(Array(answer.text.utf8)).protobuf)
        #expect(decoded.first?.scopeSpans.first?.spans.first?.traceID == ServerFixture.failed)
    }

    @Test func aTraceThatIsNotThereIsA404() async throws {
        let answer = try await get("/v1/traces/77")
        #expect(answer.status == 404)
        #expect(
            answer.text.hasPrefix(#"{"error":{"code":"not_found","message":"no trace 00000000000000000000000000000077"#)
        )
    }

    @Test(arguments: ["xyz", "0", "123456789012345678901234567890123", "12%2034"])
    func aMalformedIDIsA400(id: String) async throws {
        let answer = try await get("/v1/traces/" + id)
        #expect(answer.status == 400)
        #expect(answer.text.contains(#""code":"bad_trace_id""#))
    }

    @Test(arguments: [
        ("", 3), ("service=checkout", 1), ("service_name=cart", 2), ("service=cart&operation=GET+%2F", 2),
        ("error=true", 1),
        ("error=false", 2), ("tag=error:true", 1), ("tag=error=true", 1), ("min_duration=1s", 1),
        ("max_duration=79.9ms", 1),
        ("tag=http.url%3Dhttp://cart:80/?a%3Db%26c%3Dd", 2), ("tag=http.url:http://cart:80/?a%3Db%26c%3Dd", 2),
        ("start_time=2023-11-14T22:13:21Z", 1), ("start_time=1700000001", 1), ("end_time=1699999999999", 0),
        ("time_range=5m", 0),
        ("end_time=1700000060&time_range=5m", 3), ("limit=2", 2), ("service=&operation=&limit=3", 3),
        ("service=cart&error=true", 0),
    ])
    func aSearchFindsWhatItAsksFor(query: String, count: Int) async throws {
        for answer in try await get(["/v1/traces?" + query, "/search?" + query]) {
            #expect(answer.status == 200, "\(answer.text)")
            #expect(answer.text.components(of: #""traceID":"#) == count, "\(query): \(answer.text)")
        }
    }

    @Test func aSearchResultSaysWhatTheListShows() async throws {
        let answer = try await get("/v1/traces?service=checkout")
        let expected =
            #"{"traces":[{"traceID":"0000000000000abc0000000000000001","rootServiceName":"checkout","rootTraceName":"GET /","#
            + #""hasRoot":true,"startTimeUnixNano":"1700000000000000000","durationNanos":"80000000","durationMs":80.0,"#
            + #""spanCount":1,"leftOutSpanCount":0,"errorCount":1,"services":["checkout"],"policy":"errors","probability":0.25,"#
            + #""reason":"says \"why\""}],"nextCursor":null}"#
        #expect(answer.text == expected)
    }

    @Test func theCursorLeadsToTheNextPage() async throws {
        let first = try await get("/v1/traces?limit=2").text
        let cursor = try #require(first.split(separator: #""nextCursor":""#).last?.split(separator: "\"").first)
        let second = try await get("/v1/traces?limit=2&cursor=\(cursor)").text
        #expect(second.components(of: #""traceID":"#) == 1)
        #expect(second.contains(#""nextCursor":null"#))
    }

    @Test(arguments: [
        ("limit=0", "limit"), ("limit=1501", "limit"), ("limit=x", "limit"), ("error=maybe", "error"),
        ("min_duration=5", "min_duration"), ("max_duration=fast", "max_duration"),
        ("min_duration=2s&max_duration=1s", "max_duration"), ("tag=novalue", "tag"), ("tag=%3Dx", "tag"),
        ("start_time=noon", "start_time"), ("end_time=noon", "end_time"),
        ("start_time=1700000001&end_time=1700000000", "end_time"),
        ("start_time=1&time_range=5m", "time_range"), ("cursor=zzz", "cursor"), ("service=a&service=b", "service"),
        ("service=a&service_name=b", "service_name"), ("error=false&tag=error:true", "tag"), ("service=%zz", "service"),
        ("limt=5", "limt"), ("q=%7B%7D", "q"),
    ])
    func aBadParameterIsA400ThatNamesIt(query: String, parameter: String) async throws {
        let answer = try await get("/v1/traces?" + query)
        #expect(answer.status == 400)
        #expect(answer.text.contains("\"parameter\":\"\(parameter)\""), "\(answer.text)")
    }

    @Test func aMisspeltParameterIsAnsweredWithTheNearestName() async throws {
        let answer = try await get("/v1/traces?min_durration=1s")
        #expect(answer.text.contains(#""code":"unknown_parameter""#))
        #expect(answer.text.contains("did you mean 'min_duration'?"))
        #expect(answer.text.contains("known are service, service_name, operation"))
    }

    @Test func servicesAndOperationsAreListed() async throws {
        let answers = try await get([
            "/v1/services", "/v1/operations?service=cart", "/v1/operations", "/v1/services?x=1",
        ])
        #expect(answers[0].text == #"{"services":["cart","checkout"]}"#)
        #expect(answers[1].text == #"{"operations":[{"name":"GET /","spanKind":"server"}]}"#)
        #expect(answers[2].status == 400)
        #expect(answers[3].status == 400)
    }

    @Test func healthAndMetricsAreServedWithoutAStoreToo() async throws {
        let answers = try await get(["/healthz", "/readyz", "/metrics", "/v1/services", "/"], withStore: false)
        #expect(answers.map(\.status) == [200, 200, 200, 404, 404])
        #expect(answers[2].headers[.contentType] == "text/plain; version=0.0.4; charset=utf-8")
        #expect(answers[2].text == "tailrace_spans_total 5\n")
        #expect(answers[3].text.contains(#""code":"not_found""#))
    }

    @Test func notReadyIsA503WithTheReason() async throws {
        let answers = try await get(["/readyz", "/healthz"], isReady: false)
        #expect(answers[0].status == 503)
        #expect(answers[0].text == #"{"ready":false,"dependencies":[{"name":"kafka","state":"down","detail":"d"}]}"#)
        #expect(answers[1].status == 200)
    }

    @Test func thePageRunsItsOwnScriptsOnly() async throws {
        let answers = try await get(["/", "/?trace=abc"])
        let page = answers[0]
        #expect(page.status == 200)
        #expect(page.headers[.contentType] == "text/html; charset=utf-8")
        let policy = try #require(page.headers[.contentSecurityPolicy])
        #expect(policy.hasPrefix("default-src 'none'; script-src 'nonce-"))
        let nonce = try #require(policy.split(separator: "'nonce-").dropFirst().first?.split(separator: "'").first)
        #expect(page.text.components(of: "nonce=\"\(nonce)\"") == 2)
        #expect(policy != answers[1].headers[.contentSecurityPolicy])
        // Works offline, and puts no text of a span into markup.
        for forbidden in ["http://", "https://", "innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval("]
        {
            #expect(!page.text.contains(forbidden), "\(forbidden)")
        }
    }
}

extension String {
    /// How often a text occurs.
    func components(of part: String) -> Int {
        var count = 0
        var rest = self[...]
        while let range = rest.firstRange(of: part) {
            count += 1
            rest = rest[range.upperBound...]
        }
        return count
    }
}
