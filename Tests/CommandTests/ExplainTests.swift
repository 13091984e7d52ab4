import Foundation
import Pipeline
import Storage
import Testing
import TraceModel

/// `tailrace explain` over real stores.
struct ExplainTests {
    @Test("a kept trace is explained with everything the log knows")
    func keptTracesAreExplained() throws {
        let store = try TemporaryStore()
        let answer = try Command("explain", "aa0000000000000001", "--store", store.root)
        #expect(answer.code == 0, "\(answer.errors)")
        #expect(answer.output.contains("was kept"))
        #expect(answer.output.contains(#"policy "errors" matched; its window closed after the root span"#))
        #expect(answer.output.contains("errors, version 00000007"))
        #expect(answer.output.contains("4, 1 with an error, 1234 bytes, 80ms"))
        #expect(answer.output.contains("late spans    2, stored too"))
        #expect(answer.output.contains("otlp_spans/3, offsets 110 to 120, epoch 1"))
        #expect(answer.output.contains("segments/host-1/000000000001-0.seg"))
    }

    @Test("a dropped trace is explained, with its late spans")
    func droppedTracesAreExplained() throws {
        let store = try TemporaryStore()
        let answer = try Command("explain", "aa0000000000000002", "--store", store.root, "--format", "json")
        #expect(answer.code == 0, "\(answer.errors)")
        let json = try #require(
            JSONSerialization.jsonObject(with: Data(answer.output.utf8)) as? [String: Any])
        #expect(json["decision"] as? String == "drop")
        let decision = try #require((json["decisions"] as? [[String: Any]])?.first)
        #expect(decision["policy"] as? String == "")
        #expect(decision["probability"] as? Double == 0.1)
        #expect(decision["trigger"] as? String == "idle")
        #expect(decision["lateSpans"] as? Int == 5)
        #expect(decision["segments"] as? [String] == [])
        #expect(decision["sampler"] as? String == "sample")
    }

    @Test("a budget's decision is explained by tier, key, shape, threshold, tick and share")
    func budgetsAreExplained() throws {
        let store = try TemporaryStore()
        var record = TemporaryStore.record(TraceID(high: 0xaa, low: 9), isKept: false)
        record.policyIndex = 1
        record.probability = 0.25
        record.detail = DecisionDetail(.budget)
        record.detail.policyIndex = 1
        record.detail.tier = 5
        record.detail.rule = 0
        record.detail.key = 0xfeed
        record.detail.shape = 0x61c8_8646_80b5_83eb
        record.detail.threshold = DecisionDetail.threshold(probability: 0.25)
        record.detail.tick = 1_750_000_000
        record.detail.rate = 0.5
        func name(_ kind: DecisionName.Kind, _ value: UInt64) -> DecisionName {
            DecisionName(kind: kind, policyIndex: 1, policyVersion: 7, value: value)
        }
        _ = try store.publish(
            low: 150, high: 400,
            LaneDecisions(
                sampler: "sample", records: [record], policyNames: [7: ["errors", "rest"]],
                names: [name(.tier, 5): "rest", name(.rule, 0): "payments", name(.key, 0xfeed): "shop GET /"]))
        let text = try Command("explain", "aa0000000000000009", "--store", store.root).output
        for expected in [
            "was dropped", "probability   0.25", "tier          rest, rule payments", "key           shop GET /",
            "shape         61c8864680b583eb", "threshold     c", "tick          1750000000, with 0.5 of the budget",
        ] {
            #expect(text.contains(expected), "\(text)")
        }
        let answer = try Command("explain", "aa0000000000000009", "--store", store.root, "--format", "json")
        let json = try #require(JSONSerialization.jsonObject(with: Data(answer.output.utf8)) as? [String: Any])
        let budget = try #require((json["decisions"] as? [[String: Any]])?.first?["budget"] as? [String: Any])
        #expect(budget["tier"] as? String == "rest" && budget["rule"] as? String == "payments")
        #expect(budget["key"] as? String == "shop GET /" && budget["keyHash"] as? String == "000000000000feed")
        #expect(budget["shape"] as? String == "61c8864680b583eb" && budget["threshold"] as? String == "c")
        #expect(budget["tick"] as? Int == 1_750_000_000 && budget["share"] as? Double == 0.5)
        #expect(budget["oversize"] as? Bool == false && budget["dryRun"] as? Bool == false)
    }

    @Test("of a trace kept in outline it is said what is stored of it, and how likely the whole was")
    func outlinesAreExplained() throws {
        let store = try TemporaryStore()
        var record = TemporaryStore.record(TraceID(high: 0xaa, low: 9), isKept: true)
        record.probability = 0.5
        record.isOutline = true
        record.wholeProbability = 0.125
        _ = try store.publish(
            low: 150, high: 400,
            LaneDecisions(sampler: "sample", records: [record], policyNames: [7: ["errors", "rest"]]))
        let text = try Command("explain", "aa0000000000000009", "--store", store.root).output
        for expected in [
            "was kept in outline", "0.125 for the whole trace", "those with an error, those above them, and the root",
        ] {
            #expect(text.contains(expected), "\(text)")
        }
        let answer = try Command("explain", "aa0000000000000009", "--store", store.root, "--format", "json")
        let json = try #require(JSONSerialization.jsonObject(with: Data(answer.output.utf8)) as? [String: Any])
        let decision = try #require((json["decisions"] as? [[String: Any]])?.first)
        #expect(decision["outline"] as? Bool == true && decision["wholeProbability"] as? Double == 0.125)
    }

    @Test("a trace that was never seen is answered with what the log covers, and exit code 1")
    func unknownTracesAreSaidToBeUnknown() throws {
        let store = try TemporaryStore()
        let answer = try Command("explain", "77", "--store", store.root)
        #expect(answer.code == 1)
        #expect(answer.output.contains("Nothing is known of trace 00000000000000000000000000000077"))
        #expect(answer.output.contains("2025-06-15 15:06:40.000 UTC"))
        #expect(answer.output.contains("3 decisions in 1 files"))
        #expect(answer.output.contains("--server"))
        #expect(try Command("explain", "xyz", "--store", store.root).code == 2)
    }

    @Test("what a fenced owner decided does not count")
    func fencedDecisionsDoNotCount() throws {
        let store = try TemporaryStore()
        let stranger = TraceID(high: 0xaa, low: 9)
        // Written into the log in the moment before another owner takes over, and named by no manifest that counts.
        _ = try store.publish(
            low: 300, high: 400,
            LaneDecisions(sampler: "sample", records: [TemporaryStore.record(stranger, isKept: false)]))
        #expect(try Command("explain", "aa0000000000000009", "--store", store.root).code == 0)
        let newer = try FileDeliveryStore(layout: store.layout, incarnation: "host-2")
        _ = try newer.acquire(TemporaryStore.partition)
        let zombie = TraceID(high: 0xaa, low: 10)
        let published = try store.publish(
            low: 400, high: 500,
            LaneDecisions(sampler: "sample", records: [TemporaryStore.record(zombie, isKept: false)]))
        #expect(published.isEmpty)
        #expect(try Command("explain", "aa0000000000000009", "--store", store.root).code == 0)
        #expect(try Command("explain", "aa000000000000000a", "--store", store.root).code == 1)
    }

    @Test("a kept trace whose decisions are gone is explained by its segment")
    func segmentsExplainWhatTheLogForgot() throws {
        let store = try TemporaryStore()
        for file in store.files(".log") { try FileManager.default.removeItem(atPath: store.root + "/" + file) }
        let answer = try Command("explain", "aa0000000000000001", "--store", store.root)
        #expect(answer.code == 0, "\(answer.errors)")
        #expect(answer.output.contains("known from    segments/host-1/000000000001-0.seg"))
        #expect(try Command("explain", "aa0000000000000002", "--store", store.root).code == 1)
    }
}
