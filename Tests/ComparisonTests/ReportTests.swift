import Comparison
import Foundation
import Testing
import TraceModel

struct ReportTests {
    private func report(_ spans: [TestSpan] = Fixtures.traffic(400)) throws -> ComparisonReport {
        let old = try Fixtures.pipeline([Fixtures.errors, Fixtures.slow(800), Fixtures.share(20)], path: "old.yaml")
        let new = try Fixtures.pipeline([Fixtures.slow(500), Fixtures.share(2)], path: "new.yaml")
        return ComparisonReport(
            result: try Fixtures.compare(old, new, spans), source: "spans.jsonl", isSampled: false)
    }

    @Test("the JSON says what the result says")
    func json() throws {
        let report = try report()
        let json = try #require(
            JSONSerialization.jsonObject(with: Data(report.json)) as? [String: Any])
        func number(_ path: String...) -> Int? {
            var value: Any? = json
            for key in path { value = (value as? [String: Any])?[key] }
            return value as? Int
        }
        let result = report.result
        #expect(number("input", "traces") == 400 && number("input", "spans") == 800)
        #expect(number("old", "kept", "spans") == result.sides.old.kept.spans)
        #expect(number("new", "kept", "bytes") == result.sides.new.kept.bytes)
        #expect(number("difference", "traces") == result.keptDifference.traces)
        #expect(number("newly_lost", "traces") == result.lost.cost.traces)
        #expect(number("errors", "new", "missed") == result.errors.missed.new)
        #expect(number("slow", "old", "kept") == result.slow.traces - result.slow.missed.old)
        let policies = try #require(json["policies"] as? [[String: Any]])
        #expect(policies.map { $0["policy"] as? String } == ["errors", "slow", "rest"])
        #expect(policies[0]["new"] is NSNull)
        let lost = try #require((json["newly_lost"] as? [String: Any])?["examples"] as? [[String: Any]])
        #expect(lost.first?["trace_id"] as? String == result.lost.examples.first?.traceID.hex)
        #expect(lost.allSatisfy { $0["new"] is NSNull })
    }

    @Test("the text names what is lost, and the totals")
    func text() throws {
        let report = try report()
        let text = report.text
        #expect(text.contains("old  old.yaml  pipeline shop, sampler sample"))
        #expect(text.contains("spans.jsonl: 800 spans"))
        #expect(text.contains(try #require(report.result.lost.examples.first).traceID.hex))
        #expect(text.contains("errors → not kept"))
        #expect(text.contains("slow: longer than the p99 of their root operation"))
        #expect(text.hasSuffix("\n") && !text.contains("\u{1b}"))
    }

    @Test("the page needs no network and takes no names for HTML")
    func html() throws {
        var spans = Fixtures.traffic(300)
        let evil = "<script>alert(1)</script>\"'&"
        for index in spans.indices where index % 4 == 0 { spans[index].name = evil }
        let page = try report(spans).html
        #expect(!page.contains("<script") && page.contains("&lt;script&gt;"))
        for word in ["http://", "https://", "src=", "href=", "@import", "url("] {
            #expect(!page.contains(word), "\(word)")
        }
        #expect(page.contains("<svg") && page.contains("</html>"))
        // Well formed where it is drawn: every shape closed, no figure that is none.
        #expect(page.components(separatedBy: "<svg").count == page.components(separatedBy: "</svg>").count)
        #expect(!page.contains("nan") && !page.contains("inf\""))
    }

    @Test("control characters in names do not reach the terminal")
    func controlCharacters() throws {
        var spans = Fixtures.traffic(100)
        for index in spans.indices {
            spans[index].service = "a\u{1b}[31m"
            spans[index].name = "b\u{7}\n"
        }
        let text = try report(spans).text
        #expect(!text.contains("\u{1b}") && !text.contains("\u{7}"))
    }

    @Test("nothing recorded gives a report of nothing")
    func empty() throws {
        let report = try report([])
        #expect(report.text.contains("0 traces"))
        #expect(report.html.contains("</html>"))
        #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(report.json)) }
    }

    @Test("a recording of kept traces says that dropped ones are missing")
    func sampledRecording() throws {
        let result = try report().result
        let report = ComparisonReport(result: result, source: "./data", isSampled: true)
        #expect(report.text.contains("traces that it dropped are missing here"))
        #expect(report.html.contains("traces that it dropped are missing here"))
    }
}
