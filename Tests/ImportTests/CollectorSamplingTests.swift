import Import
import Pipeline
import Testing

@Suite("The Collector's samplers")
struct CollectorSamplingTests {
    @Test("keep their policies, in order and with their options")
    func policies() throws {
        let imported = try #require(Imported(try Fixture.tailSampling.text))
        guard case .list(let policies)? = imported.option("tail_sampling", "policies") else {
            Issue.record("no policies")
            return
        }
        #expect(
            policies.map { $0.value["name"] }
                == [
                    "slow", "sized", "tenth", "failed", "exact", "pattern", "spans", "bytes", "middle", "state",
                    "flagged",
                    "condition", "both", "no-health", "shares", "everything",
                ].map { .text($0) })
        #expect(policies[7].value["bytes_limiting"]?["bytes_per_second"] == .text("1024000"))
        #expect(imported.option("tail_sampling", "decision_wait") == .text("10s"))
        #expect(
            imported.notes("processors::tail_sampling::policies::spans").contains { $0.message.contains("partition") })
    }

    @Test("a policy that is not understood is left out, shown as a comment, and listed")
    func refusedPolicy() throws {
        let imported = try #require(Imported(try Fixture.gateway.text))
        #expect(imported.text.contains("#   - { name: extension, type: my_extension, my_extension: { a: 1 } }"))
        let notes = imported.notes("processors::tail_sampling/errors::policies::extension")
        #expect(notes.map(\.kind) == [.attention])
        #expect(notes.first?.message.contains("unknown type \"my_extension\"") == true)
    }

    @Test("without any policy that can be carried over everything is kept")
    func noPolicies() throws {
        let imported = try #require(
            Imported(configuration("tail_sampling: { policies: [ { name: x, type: y } ] }", order: ["tail_sampling"])))
        #expect(imported.text.contains("{ name: everything, type: always_sample }"))
        #expect(imported.notes("processors::tail_sampling").contains { $0.message.contains("stands in") })
    }

    @Test("decision_wait without a unit is nanoseconds, as the Collector reads it")
    func waitWithoutUnit() throws {
        let imported = try #require(
            Imported(
                configuration(
                    "tail_sampling: { decision_wait: 10, policies: [ { name: x, type: always_sample } ] }",
                    order: ["tail_sampling"])))
        #expect(imported.option("tail_sampling", "decision_wait") == .text("1s"))
        #expect(imported.notes("processors::tail_sampling").contains { $0.message.contains("Write 10s") })
    }

    @Test("a memory limiter bounds the window, which closes at the same times")
    func memoryLimiter() throws {
        let imported = try #require(
            Imported(
                configuration(
                    """
                    memory_limiter: { limit_mib: 1000, spike_limit_mib: 200 }
                    tail_sampling: { decision_wait: 5s, tail_storage: x, policies: [ { name: x, type: always_sample } ] }
                    """, order: ["memory_limiter", "tail_sampling"])))
        #expect(
            imported.option("tail_sampling", "window")
                == .map([
                    DraftEntry("max", .text("5s")), DraftEntry("settle", .text("5s")), DraftEntry("idle", .text("5s")),
                    DraftEntry("max_bytes", .text("800MiB")), DraftEntry("buffer", .text("disk")),
                ]))
        #expect(!imported.diagnostics.hasErrors, "\(imported.diagnostics.rendered())")
    }

    @Test("a probabilistic sampler before a tail sampler drops what it would not let through")
    func gate() throws {
        let imported = try #require(Imported(try Fixture.gateway.text))
        guard case .list(let policies)? = imported.option("tail_sampling-errors", "policies") else {
            Issue.record("no policies")
            return
        }
        #expect(policies.first?.value["type"] == .text("drop"))
        #expect(imported.draft.stages.filter { $0.kind == "tail_sampler" }.count == 1)
    }

    @Test("a probabilistic sampler alone is a sampler with one policy")
    func probabilistic() throws {
        let imported = try #require(
            Imported(
                configuration(
                    "probabilistic_sampler: { mode: proportional, sampling_percentage: 150 }",
                    order: ["probabilistic_sampler"])))
        #expect(
            imported.option("probabilistic_sampler", "policies")
                == .list([
                    DraftElement(
                        .map([
                            DraftEntry("name", .text("probabilistic_sampler")),
                            DraftEntry("type", .text("probabilistic")),
                            DraftEntry(
                                "probabilistic",
                                .map([
                                    DraftEntry("sampling_percentage", .text("100")),
                                    DraftEntry("mode", .text("proportional")),
                                ])),
                        ]))
                ]))
    }
}
