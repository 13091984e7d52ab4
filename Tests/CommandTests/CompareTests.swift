import Foundation
import Kafka
import OTLP
import Pipeline
import Storage
import Testing
import TraceModel

/// `tailrace compare` and `tailrace decide --summary` through the real program.
struct CompareTests {
    /// The same traces as a file, in a topic and in a store, and two pipelines to compare on them.
    private final class Fixture {
        static let traceCount = 240
        let folder = "/tmp/tailrace-compare-\(UInt64.random(in: 0 ... .max))"
        var file: String { folder + "/spans.jsonl.gz" }
        var old: String { folder + "/old.yaml" }
        var new: String { folder + "/new.yaml" }

        init() throws {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try pipeline(
                ["status_code: { status_codes: [ERROR] }", "probabilistic: { sampling_percentage: 30 }"], to: old)
            try pipeline(
                ["latency: { threshold_ms: 700 }", "probabilistic: { sampling_percentage: 5 }"], to: new)
            let writer = try SpanFileWriter(path: file)
            for number in 0..<Self.traceCount {
                try writer.append(protobuf: Self.payload(number), arrivalMilliseconds: Int64(number) * 100)
            }
            try writer.close()
        }

        deinit { try? FileManager.default.removeItem(atPath: folder) }

        /// The policies' names are their types.
        private func pipeline(_ policies: [String], to path: String) throws {
            let list = policies.map { policy in
                let type = policy.prefix { $0 != ":" }
                return "{ name: \(type), type: \(type), \(policy) }"
            }
            let text = """
                pipeline: shop
                stages:
                  spans: { kind: kafka, topic: otlp_spans, brokers: "${TEST_BROKERS:-localhost:1}" }
                  sample: { kind: tail_sampler, from: spans, policies: [\(list.joined(separator: ", "))] }
                  out: { kind: discard, from: sample }
                """
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        }

        static func id(_ number: Int) -> TraceID {
            TraceID(high: 7, low: UInt64(number + 1) &* 0x9e37_79b9_7f4a_7c15)
        }

        /// Two spans; every twelfth trace has an error, every tenth is slow.
        static func payload(_ number: Int) -> [UInt8] {
            let start = 1_750_000_000_000_000_000 + UInt64(number) * 100_000_000
            let duration: UInt64 = number % 10 == 0 ? 800_000_000 : 30_000_000
            let root = Span(
                traceID: id(number), spanID: SpanID(UInt64(number * 2 + 1)), name: "GET /\(number % 4)",
                startTime: start, endTime: start + duration)
            let child = Span(
                traceID: id(number), spanID: SpanID(UInt64(number * 2 + 2)), parentSpanID: root.spanID, name: "query",
                startTime: start, endTime: start + 1_000_000,
                status: SpanStatus(code: number % 12 == 0 ? .error : .unset))
            return OTLPEncoder.encode([
                ResourceSpans(
                    resource: Resource(attributes: [Attribute("service.name", .string("shop"))]),
                    scopeSpans: [ScopeSpans(scope: InstrumentationScope(), spans: [root, child])])
            ])
        }

        /// Stored in two flushes.
        func makeStore() throws -> String {
            let layout = StoreLayout(root: folder + "/store")
            let store = try FileDeliveryStore(layout: layout, incarnation: "host-1")
            let sink = SegmentSink(layout: layout, incarnation: "host-1", thread: 0)
            let partition = PartitionID(cluster: "c", topic: "otlp_spans", partition: 0)
            _ = try store.acquire(partition)
            for half in [0..<Self.traceCount / 2, Self.traceCount / 2..<Self.traceCount] {
                for number in half {
                    sink.write(
                        KeptTrace(
                            partition: partition,
                            summary: TraceSummary(
                                traceID: Self.id(number), startTime: 1, endTime: 2, spanCount: 2, errorCount: 0,
                                byteCount: 100, rootService: "shop", rootName: "GET /", hasRoot: true),
                            decision: Decision(
                                isKept: true, policy: "all", probability: 1, policyVersion: 1, trigger: .root,
                                decidedAt: 1_750_000_000_000 + Int64(number) * 100, reason: "because"),
                            payload: Self.payload(number), isLate: false))
                }
                let entry = TaskEntry(
                    partition: partition, epoch: 1, low: Int64(half.upperBound), high: Int64(half.upperBound),
                    lanes: [], streamTime: 1, streamTimeAtLow: 1, decisionFiles: [])
                _ = try store.publish(
                    CommitGroup(
                        tasks: [.init(entry: entry, decisions: [])], flushes: [sink.seal()].compactMap { $0 }),
                    writer: 0)
            }
            return layout.root
        }

        /// In two partitions, each trace in one; the second half a day later.
        func fill(_ broker: EmbeddedBroker) throws {
            try broker.createTopic("otlp_spans", partitions: 2)
            let producer = try KafkaProducer(
                KafkaProducer.Configuration(client: KafkaClientOptions(brokers: broker.bootstrapServers)))
            let now = Int64(Date().timeIntervalSince1970 * 1000)
            for number in 0..<Self.traceCount {
                let isOld = number < Self.traceCount / 2
                try producer.send(
                    topic: "otlp_spans", partition: Int32(number % 2), key: nil, value: Self.payload(number),
                    timestampMs: now - (isOld ? 86_400_000 : 600_000) + Int64(number) * 100)
            }
            try producer.flush(timeoutMs: 20_000)
        }
    }

    private func json(_ arguments: [String]) throws -> [String: Any] {
        let answer = try Command(["compare"] + arguments + ["--format", "json"])
        #expect(answer.code == 0, "\(answer.errors)")
        return try #require(JSONSerialization.jsonObject(with: Data(answer.output.utf8)) as? [String: Any])
    }

    private func figures(_ json: [String: Any]) -> [String] {
        ["old", "new"].map { side in
            let kept = (json[side] as? [String: Any])?["kept"] as? [String: Any] ?? [:]
            return "\(kept["traces"] ?? 0) \(kept["spans"] ?? 0) \(kept["bytes"] ?? 0)"
        } + ["newly_kept", "newly_lost", "errors"].map { "\((json[$0] as? [String: Any])?["traces"] ?? -1)" }
    }

    @Test("a file, a topic and a store with the same traces give the same figures")
    func inputsAgree() throws {
        let fixture = try Fixture()
        let fromFile = try json([fixture.old, fixture.new, "--input", fixture.file])
        let figures = figures(fromFile)
        #expect((fromFile["input"] as? [String: Any])?["traces"] as? Int == Fixture.traceCount)
        #expect(figures[4] == "20")
        let store = try json([fixture.old, fixture.new, "--store", try fixture.makeStore()])
        #expect(self.figures(store) == figures)
        #expect((store["input"] as? [String: Any])?["sampled"] as? Bool == true)
        let broker = try EmbeddedBroker(defaultPartitions: 2)
        defer { broker.close() }
        try fixture.fill(broker)
        let brokers = ["--brokers", broker.bootstrapServers]
        #expect(self.figures(try json([fixture.old, fixture.new, "--topic", "otlp_spans"] + brokers)) == figures)
        // The last two hours hold the second half; the topic is the pipeline's.
        let recent = try json([fixture.old, fixture.new, "--from", "2h"] + brokers)
        #expect((recent["input"] as? [String: Any])?["traces"] as? Int == Fixture.traceCount / 2)
        // decide reads the same places.
        let decided = try Command(["decide", fixture.old, "--topic", "otlp_spans", "--from", "2h"] + brokers)
        #expect(decided.code == 0, "\(decided.errors)")
        #expect(decided.output.split(separator: "\n").count == Fixture.traceCount / 2)
    }

    @Test("the report comes as text, and as a page beside it")
    func formats() throws {
        let fixture = try Fixture()
        let page = fixture.folder + "/report.html"
        let answer = try Command("compare", fixture.old, fixture.new, "--input", fixture.file, "--html", page)
        #expect(answer.code == 0, "\(answer.errors)")
        #expect(answer.output.contains("240 traces"))
        #expect(answer.output.contains("newly lost:"))
        #expect(answer.errors.contains("480 spans read"))
        #expect(try String(contentsOfFile: page, encoding: .utf8).hasSuffix("</body></html>\n"))
        let none = try Command(
            "compare", fixture.old, fixture.old, "--input", fixture.file, "--slower-than", "500ms", "--examples", "0")
        #expect(none.output.contains("newly kept: none") && none.output.contains("newly lost: none"))
        #expect(none.output.contains("longer than 500ms"))
    }

    @Test("wrong use ends with 2, what cannot be read with 1 after the rest was compared")
    func mistakes() throws {
        let fixture = try Fixture()
        for wrong in [
            [], ["--input", "a", "--store", "b"], ["--input", "a", "--from", "2h"], ["--topic", "t", "--from", "x"],
            ["--store", "s", "--brokers", "b"], ["--input", "a", "--slower-than", "5"],
            ["--input", "a", "--examples", "-1"], ["--input", "a", "--format", "xml"],
        ] {
            let answer = try Command(["compare", fixture.old, fixture.new] + wrong)
            #expect(answer.code == 2, "\(wrong): \(answer.errors)")
            #expect(answer.output.isEmpty)
        }
        let missing = try Command("compare", fixture.old, fixture.folder + "/no.yaml", "--input", fixture.file)
        #expect(missing.code == 1 && missing.errors.contains("no.yaml"))
        let stage = try Command("compare", fixture.old, fixture.new, "--input", fixture.file, "--stage", "x")
        #expect(stage.code == 1 && stage.errors.contains(#"no sampler "x"; it has sample"#))
        let store = try Command("compare", fixture.old, fixture.new, "--store", fixture.folder)
        #expect(store.code == 1 && store.errors.contains("holds no store"))
        let broken = fixture.folder + "/broken.jsonl"
        let writer = try SpanFileWriter(path: broken)
        try writer.append(protobuf: Fixture.payload(1), arrivalMilliseconds: 0)
        try writer.close()
        let text = try String(contentsOfFile: broken, encoding: .utf8) + "{\"resourceSpans\": 3}\n"
        try Data(text.utf8).write(to: URL(fileURLWithPath: broken))
        let partly = try Command("compare", fixture.old, fixture.new, "--input", broken)
        #expect(partly.code == 1 && partly.errors.contains("1 lines of"))
        #expect(partly.output.contains(": 2 spans"))
    }

    @Test("decide --summary puts estimates with their intervals beside exact figures")
    func summary() throws {
        let fixture = try Fixture()
        let file = fixture.folder + "/summary.json"
        let answer = try Command(
            "decide", fixture.old, "--input", fixture.file, "--summary", "--by", "service", "--summary-json", file)
        #expect(answer.code == 0, "\(answer.errors)")
        #expect(answer.output.split(separator: "\n").count == Fixture.traceCount)
        #expect(answer.errors.contains("kept by status_code 20"))
        #expect(answer.errors.contains("(all)"))
        let json = try #require(
            JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: file))) as? [String: Any])
        let rows = try #require(json["groups"] as? [[String: Any]])
        #expect(rows.map { $0["service"] as? String } == ["shop"])
        let exact = try #require(rows[0]["exact"] as? [String: Any])
        let estimate = try #require(rows[0]["estimate"] as? [String: Any])
        #expect(exact["traces"] as? Int == Fixture.traceCount && exact["errorTraces"] as? Int == 20)
        #expect((exact["durationMs"] as? [String: Any])?["p99"] as? Double == 800)
        let kept = try #require((rows[0]["sample"] as? [String: Any])?["traces"] as? Int)
        // Errors have weight 1, the others 1/0.3.
        let traces = try #require(estimate["traces"] as? [String: Any])
        let value = try #require(traces["value"] as? Double)
        #expect(abs(value - (20 + Double(kept - 20) / 0.3)) < 1e-6)
        #expect((traces["lower"] as? Double ?? 0) < value && (traces["upper"] as? Double ?? 0) > value)
        #expect(try Command("decide", fixture.old, "--input", fixture.file, "--by", "pod").code == 2)
    }
}
