import Foundation
import Testing

/// `tailrace import`, as a user runs it.
@Suite("tailrace import")
struct ImportTests {
    private static let policies = """
            decision_wait: 10s
            policies:
              - { name: errors, type: status_code, status_code: { status_codes: [ERROR] } }
              - { name: slow, type: latency, latency: { threshold_ms: 500 } }
              - { name: half, type: probabilistic, probabilistic: { sampling_percentage: 50 } }
        """

    private static let collector = """
        receivers: { kafka: { traces: { topics: [spans] } } }
        processors:
          memory_limiter: { limit_mib: 512 }
          tail_sampling:
        \(policies.split(separator: "\n").map { "    " + $0 }.joined(separator: "\n"))
        exporters: { file: { path: out.jsonl }, otlp: { endpoint: "tempo:4317" } }
        service:
          pipelines:
            traces: { receivers: [kafka], processors: [memory_limiter, tail_sampling], exporters: [file, otlp] }
        """

    private static let pasted = """
        pipeline: pasted
        stages:
          spans: { kind: kafka, topic: spans }
          sample:
            kind: tail_sampler
            from: spans
        \(policies)
          out: { kind: discard, from: sample }
        """

    private func inFolder(_ body: (URL) throws -> Void) throws {
        let folder = URL(fileURLWithPath: "/tmp/tailrace-import-\(UInt64.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(folder)
    }

    /// Traces that fail, are slow, or neither.
    private var recording: String {
        (0..<60).map { index in
            let id = String(repeating: "0", count: 28) + String(1000 + index)
            let milliseconds = index % 3 == 1 ? 900 : 20
            let code = index % 5 == 0 ? 2 : 0
            return """
                {"arrival_ms":\(index * 200),"resourceSpans":[{"resource":{},"scopeSpans":[{"scope":{},"spans":[{"traceId":"\(id)",\
                "spanId":"00000000000000\(10 + index % 80)","name":"op","startTimeUnixNano":"1700000000000000000",\
                "endTimeUnixNano":"\(1_700_000_000_000_000_000 + milliseconds * 1_000_000)","status":{"code":\(code)}}]}]}]}
                """
        }.joined(separator: "\n") + "\n"
    }

    @Test("the imported sampler decides as the pasted one")
    func sameDecisions() throws {
        try inFolder { folder in
            func path(_ name: String) -> String { folder.appendingPathComponent(name).path }
            try Self.collector.write(toFile: path("otelcol.yaml"), atomically: true, encoding: .utf8)
            try Self.pasted.write(toFile: path("pasted.yaml"), atomically: true, encoding: .utf8)
            try recording.write(toFile: path("spans.jsonl"), atomically: true, encoding: .utf8)
            let done = try Command("import", path("otelcol.yaml"), "--output", path("imported.yaml"))
            #expect(done.code == 0 && done.output.isEmpty, "\(done.errors)")
            let imported = try Command("decide", path("imported.yaml"), "--input", path("spans.jsonl"))
            let pasted = try Command("decide", path("pasted.yaml"), "--input", path("spans.jsonl"))
            #expect(imported.code == 0, "\(imported.errors)")
            #expect(imported.output == pasted.output)
            #expect(imported.output.split(separator: "\n").count == 60)
            #expect(imported.output.contains("\"drop\"") && imported.output.contains("\"keep\""))
        }
    }

    @Test("the exit code says whether something is left to do only with --strict")
    func strict() throws {
        try inFolder { folder in
            let file = folder.appendingPathComponent("otelcol.yaml").path
            try Self.collector.write(toFile: file, atomically: true, encoding: .utf8)
            let plain = try Command("import", file)
            #expect(plain.code == 0)
            #expect(plain.output.hasPrefix("# Made by `tailrace import` of otelcol.yaml"))
            #expect(
                plain.errors.contains(
                    "otelcol.yaml:10:41: attention: exporters::otlp: nothing is sent to it (tempo:4317)"))
            let strict = try Command("import", file, "--strict")
            #expect(strict.code == 1)
            #expect(strict.output == plain.output)
            let withoutOTLP = Self.collector.replacingOccurrences(of: ", otlp]", with: "]")
                .replacingOccurrences(of: #", otlp: { endpoint: "tempo:4317" }"#, with: "")
            try withoutOTLP.write(toFile: file, atomically: true, encoding: .utf8)
            #expect(try Command("import", file, "--strict").code == 0)
        }
    }

    @Test("refuses what is neither, and to write over its input")
    func refusals() throws {
        try inFolder { folder in
            let file = folder.appendingPathComponent("pasted.yaml").path
            try Self.pasted.write(toFile: file, atomically: true, encoding: .utf8)
            let neither = try Command("import", file)
            #expect(neither.code == 1)
            #expect(neither.errors.contains("is neither an OpenTelemetry Collector configuration nor"))
            try Self.collector.write(toFile: file, atomically: true, encoding: .utf8)
            let over = try Command("import", file, "--output", file)
            #expect(over.code == 1)
            #expect(over.errors.contains("is the file to read"))
            #expect(try String(contentsOfFile: file, encoding: .utf8) == Self.collector)
            #expect(try Command("import", file, "--format", "nonsense").code == 2)
            #expect(try Command("import", folder.appendingPathComponent("absent").path).code == 1)
        }
    }
}
