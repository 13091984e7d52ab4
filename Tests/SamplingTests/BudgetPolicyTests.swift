import OTLP
import Pipeline
import Testing

@testable import Sampling

struct BudgetPolicyTests {
    private static let yaml = """
        policies:
          - { name: rest, type: budget, rate: 20 spans/s, key: [resource.service.name, name] }
        """

    /// Drives a sampler with `perSecond` traces of three spans in every second.
    private static func run(
        _ yaml: String, seconds: Int64 = 20, perSecond: UInt64 = 40, service: (UInt64) -> String = { _ in "shop" }
    ) throws -> SamplerDriver {
        let (_, policies) = try TestPipeline.sampler(yaml)
        let driver = SamplerDriver(.only(max: 2000), policies: policies, wantsDropped: true)
        for second in 0..<seconds {
            for number in 0..<perSecond {
                let trace = (UInt64(second) * perSecond + number) &* 0x9e37_79b9_7f4a_7c15
                let isError = number == 7
                try driver.send(
                    [
                        SentSpan(trace: trace, id: 1, parent: 0, service: service(number)),
                        SentSpan(trace: trace, id: 2, parent: 1, isError: isError, service: service(number)),
                        SentSpan(trace: trace, id: 3, parent: 1, service: service(number)),
                    ], at: second * 1000 + Int64(number) * 10)
            }
        }
        driver.closeAll()
        return driver
    }

    @Test("a budget policy in a pipeline keeps its rate and every error, and explains itself")
    func pipeline() throws {
        let driver = try Self.run(Self.yaml)
        #expect(driver.decisions.count == 800)
        let keptSpans = driver.kept.reduce(0) { $0 + $1.summary.spanCount }
        // 20 spans per second over 20 seconds; a trace has three.
        #expect(abs(keptSpans - 400) <= 13, "\(keptSpans)")
        #expect(driver.kept.filter { $0.summary.errorCount > 0 }.count == 20)
        let reasons = driver.kept.map(\.decision.reason)
        #expect(reasons.contains { $0.contains("tier coverage") && $0.contains("key shop op-1") && $0.contains("p 1") })
        #expect(reasons.contains { $0.contains("tier rest") && $0.contains("th ") && $0.contains("tick ") })
        #expect(reasons.contains { $0.contains("tier error") })
        #expect(driver.droppedTraces.allSatisfy { $0.decision.reason.contains("dropped, tier rest") })
        let weighted = driver.kept.reduce(0) { $0 + 1 / $1.decision.probability }
        #expect(abs(weighted / 800 - 1) < 0.25)
        #expect(driver.open.isEmpty && driver.wrongRefs.isEmpty)
    }

    @Test("what a budget says of a trace has been scrubbed")
    func saysScrubbedValues() throws {
        let (_, policies) = try TestPipeline.sampler(Self.yaml)
        let driver = SamplerDriver(
            .only(max: 2000), policies: policies, wantsDropped: true, scrubbers: [ResourceRemover()])
        try driver.send([SentSpan(trace: 1, id: 1, parent: 0, service: "secret")], at: 0)
        driver.closeAll()
        let reason = try #require(driver.kept.first).decision.reason
        #expect(reason.contains("key - op-1"), "\(reason)")
        #expect(!reason.contains("secret"))
    }

    private static let dynamic = """
        policies:
          - { name: rates, type: dynamic, SampleRate: 2, FieldList: [service.name, root.name, http.route] }
        """

    @Test("the decision log gets what the key of a dynamic policy says, scrubbed", arguments: [false, true])
    func dynamicKeyTexts(isScrubbed: Bool) throws {
        let (_, policies) = try TestPipeline.sampler(Self.dynamic)
        let driver = SamplerDriver(
            .only(max: 2000), policies: policies, wantsDropped: true,
            scrubbers: isScrubbed ? [ResourceRemover()] : [])
        for trace in UInt64(1)...20 {
            try driver.send(
                [
                    SentSpan(trace: trace, id: 1, parent: 0, service: "secret"),
                    SentSpan(trace: trace, id: 2, parent: 1, service: "secret"),
                ], at: 0)
        }
        driver.closeAll()
        #expect(driver.decisions.count == 20)
        for record in driver.decisions {
            let names = DecisionName.all(in: record)
            #expect(names.count == 1)
            let text = names.first.flatMap { driver.sampler.text(of: $0) }
            #expect(text == (isScrubbed ? "- op-1 -" : "secret op-1 -"))
        }
    }

    @Test("what another policy keeps costs the budget nothing, and what one drops is dropped")
    func otherPolicies() throws {
        let driver = try Self.run(
            """
            policies:
              - { name: gold, type: root, service: [gold] }
              - { name: noise, type: drop, drop: { drop_sub_policy: [{ name: n, type: root, service: [noise] }] } }
              - { name: rest, type: budget, rate: 20 spans/s }
            """, service: { $0 % 4 == 0 ? "gold" : $0 % 4 == 1 ? "noise" : "shop" })
        let byService = Dictionary(grouping: driver.kept, by: \.summary.rootService)
        #expect(byService["gold"]?.count == 200)
        #expect(byService["noise"] == nil)
        let shop = byService["shop", default: []].reduce(0) { $0 + $1.summary.spanCount }
        #expect(abs(shop - 400) <= 13, "\(shop)")
        #expect(byService["shop"]?.allSatisfy { $0.decision.policy == "rest" } == true)
    }

    @Test("rules of a budget keep and drop by any policy")
    func rules() throws {
        let driver = try Self.run(
            """
            policies:
              - name: rest
                type: budget
                rate: 30 spans/s
                rules:
                  - { name: noise, action: drop, when: [{ name: n, type: root, service: [noise] }] }
                  - { name: gold, action: keep, when: [{ name: g, type: root, service: [gold] }] }
            """, service: { $0 % 8 == 0 ? "gold" : $0 % 4 == 1 ? "noise" : "shop" })
        let byService = Dictionary(grouping: driver.kept, by: \.summary.rootService)
        #expect(byService["gold"]?.count == 100)
        #expect(byService["noise"] == nil)
        #expect(driver.droppedTraces.contains { $0.decision.reason.contains("rule \"noise\"") })
    }

    @Test("what the decision log gets of a budget's decision is what the reason says, and its names have texts")
    func details() throws {
        let driver = try Self.run(Self.yaml)
        let reasons = Dictionary(
            uniqueKeysWithValues: driver.kept.map { ($0.summary.traceID, $0.decision) }
                + driver.droppedTraces.map { ($0.summary.traceID, $0.decision) })
        #expect(driver.decisions.count == 800)
        for record in driver.decisions {
            let detail = record.detail
            let reason = try #require(reasons[record.traceID]).reason
            #expect(detail.kind == .budget && detail.policyIndex == 0 && detail.rule == DecisionDetail.noRule)
            #expect(record.isKept == (Randomness.of(record.traceID) >= detail.threshold))
            #expect(detail.rate == 1 && reason.contains("tick \(detail.tick)"))
            let texts = DecisionName.all(in: record).map { driver.sampler.text(of: $0) }
            #expect(texts.count == 2 && !texts.contains(nil))
            for (name, text) in zip(DecisionName.all(in: record), texts) {
                #expect(reason.contains("\(name.kind) \(text ?? "?")"))
            }
        }
    }

    @Test("a sample rate by key goes into the decision log, also of a trace that is dropped")
    func rates() throws {
        let driver = try Self.run(
            """
            policies:
              - { name: errors, type: status_code, status_code: { status_codes: [ERROR] } }
              - { name: refinery, type: dynamic, SampleRate: 10, FieldList: [service.name] }
            """)
        let dropped = driver.decisions.filter { !$0.isKept }
        #expect(dropped.count > 300)
        #expect(dropped.allSatisfy { $0.detail.kind == .rate && $0.detail.policyIndex == 1 && $0.detail.rate > 1 })
        #expect(Set(dropped.map(\.detail.key)).count == 1)
        // What another policy kept was not kept for its rate.
        let errors = driver.decisions.filter { $0.policyIndex == 0 }
        #expect(errors.count == 20 && errors.allSatisfy { $0.detail.kind == .none })
    }

    @Test("a task's part of a budget is what it keeps, also after a reload, and debts are paid with half of it")
    func shares() throws {
        let yaml = """
            window: { max: 2s }
            policies:
              - { name: rest, type: budget, rate: 80 spans/s, key: [service], keep: { slower_than: none } }
            """
        let driver = SamplerDriver(.only(max: 2000), policies: try TestPipeline.sampler(yaml).policies)
        #expect(driver.sampler.budgets.map(\.share) == [1])
        driver.sampler.takeBudgetShare(0.5, policy: "rest")
        driver.sampler.takeBudgetShare(0.1, policy: "other")
        var keptByPhase: [Int] = []
        for phase in 0..<4 as Range<Int64> {
            if phase == 1 { driver.sampler.chargeBudget(seconds: 10, policy: "rest") }
            if phase == 3 { try Self.reload(driver, yaml.replacing("80", with: "160")) }
            let before = driver.kept.reduce(0) { $0 + $1.summary.spanCount }
            for second in phase * 20..<phase * 20 + 20 {
                for number in 0..<60 as Range<UInt64> {
                    let trace = (UInt64(second) * 60 + number) &* 0x9e37_79b9_7f4a_7c15
                    try driver.send(
                        [SentSpan(trace: trace, id: 1, parent: 0), SentSpan(trace: trace, id: 2, parent: 1)],
                        at: second * 1000 + Int64(number) * 10)
                }
            }
            keptByPhase.append(driver.kept.reduce(0) { $0 + $1.summary.spanCount } - before)
        }
        #expect(driver.sampler.budgets.map(\.share) == [0.5])
        // 40 spans per second. The first window closes after 2 s, and its tick a second later: 17 of 20 ticks.
        let expected = [17 * 40, 800 - 10 * 40, 800, 1600]
        for (kept, expected) in zip(keptByPhase, expected) { #expect(abs(kept - expected) <= 40, "\(keptByPhase)") }
    }

    private static func reload(_ driver: SamplerDriver, _ yaml: String) throws {
        let (plan, diagnostics) = TestPipeline.load(yaml)
        let stage = try #require(plan?.stage(named: "sample"), "\(diagnostics.sorted)")
        let environment = StageEnvironment(
            workingDirectory: ".", storeDirectory: ".", incarnation: "test", pipelineName: "test")
        let isTaken = try driver.sampler.reconfigure(
            stage.settings,
            SamplerContext(
                environment: environment, partition: SamplerDriver.partition, scrubbers: [], policyVersion: 8))
        #expect(isTaken)
    }

    @Test("the state of a budget is handed over")
    func state() throws {
        let driver = try Self.run(Self.yaml)
        let (_, policies) = try TestPipeline.sampler(Self.yaml)
        let next = SamplerDriver(.only(max: 2000), policies: policies)
        next.sampler.restore(state: driver.sampler.state)
        #expect(!driver.sampler.state.isEmpty)
        #expect(next.sampler.state == driver.sampler.state)
    }

    @Test(
        "mistakes in a budget are reported with what was expected",
        arguments: [
            ("rate: 2000", "expected a rate such as 2000 spans/s"),
            ("rate: 10 spans/s, keep: { up_to: 99% }", "at most 95%"),
            ("rate: 10 spans/s, keep: { slower_than: 99 }", "expected a percentile"),
            ("rate: 10 spans/s, cover: { intervall: 60s }", "intervall"),
            ("rate: 10 spans/s, fleet: { share: equal }", "demand"),
            ("rate: 10 spans/s, fleet: { interval: 10ms }", "fleet.interval: expected 100ms to 60s"),
            ("rate: 10 spans/s, fleet: { interval: 5s, stale_after: 10s }", "at least three intervals"),
            ("rate: 10 spans/s, fleet: { topic: 'bad topic' }", "expected a topic's name"),
            ("rate: 10 spans/s, rules: [{ name: a, when: [], action: drop }]", "when is empty"),
            ("rate: 10 spans/s, rules: [{ name: a, when: [{ name: x, type: nothing }] }]", "unknown type"),
            (
                "rate: 10 spans/s, rules: [{ name: a, when: [{ name: x, type: always_sample }], rate: 9 spans/s }]",
                "more than 80%"
            ),
            (
                "rate: 10 spans/s, rules: [{ name: a, when: [{ name: x, type: always_sample }], rate: 1MB/s }]",
                "rate is in bytes, the budget in spans"
            ),
        ])
    func mistakes(body: String, expected: String) {
        let messages = TestPipeline.messages("policies:\n  - { name: rest, type: budget, \(body) }")
        #expect(messages.contains { $0.contains(expected) }, "\(messages)")
    }

    @Test(
        "rates are read with their units",
        arguments: [
            ("2000 spans/s", 2000.0, BudgetUnit.spans), ("2MB/s", 2e6, .bytes), ("2 MB/s", 2e6, .bytes),
            ("50traces/s", 50, .traces), ("0.5 traces/s", 0.5, .traces),
        ])
    func rates(text: String, rate: Double, unit: BudgetUnit) throws {
        let read = try #require(BuiltInPolicies.budgetRate(text))
        #expect(read.rate == rate && read.unit == unit)
    }
}

/// Leaves nothing of resources.
private final class ResourceRemover: SpanScrubber {
    func canChange(attributeKey: String) -> Bool { true }
    var canChangeSpanName: Bool { false }
    func scrubSpan(_ message: UnsafeRawBufferPointer, into output: inout [UInt8]) throws(ScanError) {
        output += message
    }
    func scrubResource(_ message: UnsafeRawBufferPointer, into output: inout [UInt8]) throws(ScanError) {}
    func scrubScope(_ message: UnsafeRawBufferPointer, into output: inout [UInt8]) throws(ScanError) {
        output += message
    }
    func scrubName(_ name: String) -> String { name }
    var counts: [(rule: String, count: UInt64)] { [] }
}
