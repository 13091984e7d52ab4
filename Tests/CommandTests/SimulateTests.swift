import Foundation
import Testing

/// `tailrace simulate`, as a user runs it.
@Suite("tailrace simulate")
struct SimulateTests {
    private static func pipeline(_ rate: String) -> String {
        """
        pipeline: p
        stages:
          spans: { kind: kafka, topic: spans }
          sample:
            kind: tail_sampler
            from: spans
            policies: [{ name: budget, type: budget, rate: \(rate), key: [service, operation] }]
          out: { kind: discard, from: sample }
        """
    }

    /// Files by name, in a folder of their own.
    private func inFolder(_ files: [String: String], _ body: (_ path: (String) -> String) throws -> Void) throws {
        let folder = URL(fileURLWithPath: "/tmp/tailrace-simulate-\(UInt64.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = { (name: String) in folder.appendingPathComponent(name).path }
        for (name, text) in files { try text.write(toFile: path(name), atomically: true, encoding: .utf8) }
        try body(path)
    }

    /// Traces of two spans, none of which fails.
    private static let recording =
        (0..<200).map { index in
            let id = String(repeating: "0", count: 28) + String(1000 + index)
            let spans = (1...2).map {
                """
                {"traceId":"\(id)","spanId":"000000000000000\($0)","parentSpanId":"\($0 == 1 ? "" : "0000000000000001")",\
                "name":"op\(index % 3)","startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000000020000000"}
                """
            }.joined(separator: ",")
            return """
                {"arrival_ms":\(index * 100),"resourceSpans":[{"resource":{},"scopeSpans":[{"scope":{},"spans":[\(spans)]}]}]}
                """
        }.joined(separator: "\n") + "\n"

    @Test(
        "a file without spans is refused, instead of a table of a hundred percents of nothing",
        arguments: ["", "\n\n", "{\"resourceSpans\":[]}\n", "no spans\n", "{\"hello\":1}\n"])
    func withoutSpans(text: String) throws {
        try inFolder(["p.yaml": Self.pipeline("100 spans/s"), "r.jsonl": text]) { path in
            let result = try Command("simulate", path("p.yaml"), "--scenario", "recorded", path("r.jsonl"))
            #expect(result.code == 1)
            #expect(result.output.isEmpty)
            #expect(result.errors.contains("has no spans"), "\(result.errors)")
        }
    }

    @Test(
        "a sampler alone is tried too: its policies, or one policy",
        arguments: [
            "type: budget\nrate: 10 spans/s\n", "policies: [{ name: budget, type: budget, rate: 10 spans/s }]\n",
            "kind: tail_sampler\nwindow: { max: 20s }\npolicies:\n  - { name: x, type: budget, rate: 10 spans/s }\n",
        ])
    func samplerAlone(text: String) throws {
        try inFolder(["s.yaml": text, "p.yaml": Self.pipeline("10 spans/s"), "r.jsonl": Self.recording]) { path in
            let result = try Command("simulate", path("s.yaml"), "--scenario", "recorded", path("r.jsonl"))
            #expect(result.code == 0, "\(result.errors)")
            let pipeline = try Command("simulate", path("p.yaml"), "--scenario", "recorded", path("r.jsonl"))
            #expect(result.output == pipeline.output)
        }
    }

    @Test("a mistake in a sampler alone is shown at its place in the file")
    func mistakeInSamplerAlone() throws {
        try inFolder(["s.yaml": "type: budget\nrate: 10 spam/s\n"]) { path in
            let result = try Command("simulate", path("s.yaml"))
            #expect(result.code == 1)
            #expect(result.errors.contains("s.yaml:2:7: error:"), "\(result.errors)")
            #expect(!result.errors.contains("stages"), "\(result.errors)")
        }
    }

    @Test("lines that cannot be read are named, and the command fails after the table")
    func unreadableLines() throws {
        try inFolder(["p.yaml": Self.pipeline("10 spans/s"), "r.jsonl": Self.recording + "broken\n"]) { path in
            let result = try Command("simulate", path("p.yaml"), "--scenario", "recorded", path("r.jsonl"))
            #expect(result.code == 1)
            #expect(result.output.contains("| budget "))
            #expect(result.errors.contains("r.jsonl:201:"), "\(result.errors)")
            #expect(result.errors.contains("1 lines of"), "\(result.errors)")
        }
    }

    @Test(
        "a speed that would stretch the recording over ages is refused", arguments: ["0", "-1", "1e-300", "inf", "nan"])
    func speeds(speed: String) throws {
        try inFolder(["p.yaml": Self.pipeline("10 spans/s"), "r.jsonl": Self.recording]) { path in
            let result = try Command(
                "simulate", path("p.yaml"), "--scenario", "recorded", path("r.jsonl"), "--speed=\(speed)")
            #expect(result.code == 1)
            #expect(result.errors.contains("--speed"), "\(result.errors)")
        }
    }

    @Test("a recording without errors has no share of errors kept")
    func withoutErrors() throws {
        try inFolder(["p.yaml": Self.pipeline("10 spans/s"), "r.jsonl": Self.recording]) { path in
            let result = try Command("simulate", path("p.yaml"), "--scenario", "recorded", path("r.jsonl"))
            #expect(result.code == 0, "\(result.errors)")
            let lines = result.output.split(separator: "\n").map { $0.split(separator: "|").map(String.init) }
            let column = try #require(lines.first?.firstIndex { $0.contains("errors kept") })
            for row in lines.dropFirst(2) {
                #expect(row[column].trimmingCharacters(in: .whitespaces) == "-", "\(row)")
            }
        }
    }

    @Test(
        "a budget whose traffic would take hours is refused with one that can be tried, which can be",
        arguments: [
            "step10x", "burst", "diurnal", "cardinality",
        ])
    func hugeBudgets(scenario: String) throws {
        try inFolder(["p.yaml": Self.pipeline("1e6 spans/s")]) { path in
            let result = try Command("simulate", path("p.yaml"), "--scenario", scenario)
            #expect(result.code == 1)
            #expect(result.errors.contains("--rate \""), "\(result.errors)")
            let small = try Command("simulate", path("p.yaml"), "--scenario", scenario, "--rate", "20 spans/s")
            #expect(small.code == 0, "\(small.errors)")
            #expect(small.output.contains("| budget "))
        }
    }
}
