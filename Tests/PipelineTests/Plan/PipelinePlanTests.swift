import Pipeline
import Testing

@Suite("A plan is what the file says")
struct PipelinePlanTests {
    private func plan(_ text: String, environment: [String: String] = [:]) throws -> PipelinePlan {
        let (plan, diagnostics) = load(text, environment: environment)
        #expect(diagnostics.all.isEmpty)
        return try #require(plan)
    }

    private func names(_ plan: PipelinePlan, _ indices: [Int]) -> [String] { indices.map { plan.stages[$0].name } }

    @Test func theExampleOfTheDesignIsAccepted() throws {
        let plan = try plan(designExample)
        #expect(plan.name == "checkout")
        #expect(plan.stages.map(\.name) == ["spans", "limits", "scrub", "sample", "index", "store", "rejects"])
        #expect(names(plan, plan.sources) == ["spans"])
        #expect(names(plan, plan.samplers) == ["sample"])
        #expect(names(plan, plan.sinks) == ["store", "rejects"])
        #expect(plan.stage(named: "sample")?.settings.object("window").duration("settle") == 10_000)
        #expect(plan.stage(named: "sample")?.settings.object("window").size("max_bytes") == 2 << 30)
        #expect(plan.stage(named: "limits")?.settings.integer("max_attributes") == 100)
        #expect(plan.stage(named: "nobody") == nil)
    }

    @Test func edgesAreSeenFromBothEnds() throws {
        let plan = try plan(designExample)
        let rejects = try #require(plan.index(of: "rejects"))
        let inputs = plan.stages[rejects].inputs
        #expect(
            inputs.map { "\(plan.stages[$0.stage].name).\(plan.port(of: $0).name)" } == [
                "spans.rejected", "limits.rejected",
            ])
        #expect(inputs.map(\.location.description) == ["p.yaml:16:40", "p.yaml:16:56"])
        #expect(plan.inputTypes(of: rejects) == [.rejects])
        #expect(plan.stages[0].consumers == [[1], [rejects]])
        #expect(plan.stage(named: "sample")?.consumers == [[4], []])
    }

    @Test func stagesStandAfterWhatTheyRead() throws {
        let plan = try plan(
            """
            pipeline: p
            stages:
              store: { kind: segments, from: sample, path: d }
              sample: { kind: tail_sampler, from: [b, a] }
              b: { kind: validate, from: in }
              a: { kind: filter, from: in, where: x }
              in: { kind: kafka, topic: t }
            """)
        #expect(plan.stages.map(\.name) == ["in", "b", "a", "sample", "store"])
        #expect(plan.stages[0].consumers == [[1, 2], []])
    }

    @Test func scrubbersAreKnownInTheOrderTheyApply() throws {
        let plan = try plan(
            """
            pipeline: p
            stages:
              in: { kind: kafka, topic: t }
              first: { kind: scrub, from: in }
              check: { kind: validate, from: first }
              second: { kind: scrub, from: check }
              sample: { kind: tail_sampler, from: second }
              store: { kind: segments, from: sample, path: d }
              rejects: { kind: discard, from: [check.rejected, in.rejected] }
            """)
        func scrubbers(_ name: String) throws -> [String] {
            names(plan, plan.scrubbers(before: try #require(plan.index(of: name))))
        }
        #expect(try scrubbers("in") == [])
        #expect(try scrubbers("first") == [])
        #expect(try scrubbers("check") == ["first"])
        #expect(try scrubbers("sample") == ["first", "second"])
        #expect(try scrubbers("store") == ["first", "second"])
        // Dead letters are raw, wherever they come from.
        #expect(try scrubbers("rejects") == [])
    }

    @Test func theHashFollowsTheMeaningNotTheWriting() throws {
        let plain = try plan(
            """
            pipeline: p
            stages:
              in: { kind: kafka, topic: t, group: g }
              sample: { kind: tail_sampler, from: in, window: { max: 30s, idle: 5s } }
              store: { kind: segments, from: sample, path: d }
            """)
        let rewritten = try plan(
            """
            # The same.
            stages:
              store:
                path: "d"
                from: [sample.kept]
                kind: segments
              sample: { from: in.spans, kind: tail_sampler, window: { idle: ${IDLE}, max: '30s' } }
              in: { kind: kafka, group: g, topic: t }
            pipeline: p
            """, environment: ["IDLE": "5s"])
        #expect(plain.configurationHash == rewritten.configurationHash)
        // A value written down: a hash that differs between releases would make every upgrade a new configuration.
        #expect(plain.configurationHash == 2_231_880_096)
        #expect(plain.configurationHash(of: 1) == 3_537_931_153)
    }

    @Test func theHashOfAStageIsItsOwn() throws {
        func hashes(_ window: String, group: String = "g", name: String = "sample") throws -> (UInt32, UInt32) {
            let plan = try plan(
                """
                pipeline: p
                stages:
                  in: { kind: kafka, topic: t, group: \(group) }
                  \(name): { kind: tail_sampler, from: in, window: { \(window) } }
                  store: { kind: segments, from: \(name), path: d }
                """)
            return (plan.configurationHash, plan.configurationHash(of: plan.samplers[0]))
        }
        let base = try hashes("max: 30s")
        let changed = try hashes("max: 31s")
        #expect(changed.0 != base.0 && changed.1 != base.1)
        let elsewhere = try hashes("max: 30s", group: "h")
        #expect(elsewhere.0 != base.0 && elsewhere.1 == base.1)
        let renamed = try hashes("max: 30s", name: "other")
        #expect(renamed.0 != base.0 && renamed.1 == base.1)
    }

    @Test func testsAreKept() throws {
        let text =
            designExample + "tests:\n  - { name: errors are kept, steps: [{ expect: { outputs: { store: 0 } } }] }\n"
        #expect(try plan(text).tests.map(\.name) == ["errors are kept"])
    }
}
