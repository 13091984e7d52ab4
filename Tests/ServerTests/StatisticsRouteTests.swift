import Foundation
import Hummingbird
import HummingbirdTesting
import Query
import Testing

@testable import Server

struct StatisticsRouteTests {
    private func get(
        _ paths: [String],
        sampling: (@Sendable (String) -> [UInt8]?)? = { service in
            service == "shop" ? Array(#"{"strategyType":"PROBABILISTIC"}"#.utf8) : nil
        }
    ) async throws -> [(status: Int, text: String)] {
        let fixture = try ServerFixture()
        let server = TailraceServer(
            configuration: .init(port: 0), store: fixture.store, metrics: { "" }, health: { HealthReport(ready: true) },
            sampling: sampling)
        return try await server.application().test(.router) { client in
            var answers: [(Int, String)] = []
            for path in paths {
                let response = try await client.executeRequest(uri: path, method: .get, headers: [:], body: nil)
                answers.append((Int(response.status.code), String(buffer: response.body)))
            }
            return answers
        }
    }

    @Test("statistics have an estimate with its interval, and say why there are no exact counts")
    func statistics() async throws {
        let answer = try await get(["/v1/stats?by=operation&start_time=1700000000"])[0]
        #expect(answer.status == 200)
        let json = try #require(try JSONSerialization.jsonObject(with: Data(answer.text.utf8)) as? [String: Any])
        #expect(json["confidence"] as? Double == 0.95)
        #expect(json["startTimeUnixNano"] as? String == "1700000000000000000")
        #expect((json["exactMissing"] as? String)?.contains("sample.dropped") == true)
        let groups = try #require(json["groups"] as? [[String: Any]])
        #expect(groups.map { $0["service"] as? String } == ["cart", "checkout"])
        #expect(groups[0]["exact"] is NSNull)
        // Two traces, each kept with a probability of one in four.
        let traces = (groups[0]["estimate"] as? [String: Any])?["traces"] as? [String: Any]
        #expect(traces?["value"] as? Double == 8)
        #expect((traces?["lower"] as? Double).map { $0 >= 2 && $0 < 8 } == true)
        #expect((traces?["upper"] as? Double).map { $0 > 8 } == true)
        let durations = (groups[0]["estimate"] as? [String: Any])?["durationMs"] as? [String: Any]
        #expect(durations?.keys.sorted() == ["p50", "p90", "p95", "p99"])
        // One slow trace of two, unsampled ones unknown: no upper end.
        #expect((durations?["p99"] as? [String: Any])?["upper"] is NSNull)
        let total = try #require(json["total"] as? [String: Any])
        #expect((total["sample"] as? [String: Any])?["traces"] as? Int == 3)
    }

    @Test("a malformed question is answered with what would be right")
    func malformed() async throws {
        let answers = try await get([
            "/v1/stats?by=servce", "/v1/stats?grop=service", "/v1/stats?limit=0", "/v1/stats?limit=many",
            "/v1/stats?start_time=yesterday", "/v1/stats?start_time=200&end_time=100",
            "/v1/stats?time_range=5", "/v1/stats?time_range=5m&start_time=100", "/v1/stats?service=a&service_name=b",
            "/v1/stats?service=%zz", "/v1/stats?by=service&by=operation",
        ])
        #expect(answers.map(\.status) == Array(repeating: 400, count: answers.count))
        #expect(answers[0].text.contains("'by' must be service or operation, not 'servce'"))
        #expect(answers[1].text.contains("known are service, service_name, operation, by"))
        #expect(answers[2].text.contains("'limit' must be a number from 1 to 1000, not '0'"))
        #expect(answers[4].text.contains("'start_time' must be"))
        #expect(answers[10].text.contains("give it once"))
    }

    @Test("a service's strategy is answered on Jaeger's paths, and what is missing is said")
    func sampling() async throws {
        let answers = try await get([
            "/sampling?service=shop", "/api/sampling?service=shop", "/sampling", "/sampling?service=",
            "/sampling?servce=shop", "/sampling?service=other", "/sampling?service=a&service=b",
        ])
        #expect(answers.map(\.status) == [200, 200, 400, 400, 400, 404, 400])
        #expect(answers[0].text == #"{"strategyType":"PROBABILISTIC"}"#)
        #expect(answers[2].text.contains("'service' must be given once"))
        #expect(answers[4].text.contains("did you mean 'service'?"))
        #expect(answers[5].text.contains("a stage of kind remote_sampling"))
    }

    @Test("a process that sees no traffic says whom to ask for a strategy")
    func noSampling() async throws {
        let answers = try await get(["/sampling?service=shop", "/api/sampling?service=shop"], sampling: nil)
        #expect(answers.map(\.status) == [404, 404])
        for answer in answers {
            #expect(answer.text.contains(#""code":"no_remote_sampling""#))
            #expect(answer.text.contains("ask a worker, 'tailrace run'"))
        }
    }
}
