import Import
import Pipeline
import Sampling
import Tailrace
import Testing

struct RefineryImportTests {
    private static func read(
        _ text: String, targets: RefineryTarget = .environment
    ) throws -> (pipeline: ImportedPipeline, diagnostics: Diagnostics) {
        let document = YAMLLoader.load(text: text, file: "rules.yaml", environment: nil)
        let root = try #require(document.value, "\(document.diagnostics.sorted)")
        let format = try #require(ImportFormat.detect(root))
        var options = ImportOptions()
        options.refineryTargets = targets
        let (pipeline, diagnostics) = PipelineImport.read(document, as: format, options: options)
        return (try #require(pipeline, "\(diagnostics.sorted)"), diagnostics)
    }

    /// The pipeline, loaded as a worker does; and what it says about it.
    private static func load(_ draft: PipelineDraft) -> (plan: PipelinePlan?, messages: [String]) {
        let (plan, diagnostics) = PipelinePlan.load(
            text: draft.text, file: "pipeline.yaml", registry: .builtIn, environment: [:])
        return (plan, diagnostics.sorted.map(\.description))
    }

    private static func policy(_ pipeline: ImportedPipeline) throws -> DraftValue {
        let sampler = try #require(pipeline.draft.stages.first { $0.kind == "tail_sampler" })
        let policies = try #require(sampler.options.first { $0.key == "policies" }?.value)
        guard case .list(let elements) = policies, elements.count == 1 else {
            throw StageError("expected one policy, found \(policies)")
        }
        return elements[0].value
    }

    private static func rules(_ policy: DraftValue) -> [DraftValue] {
        guard case .list(let rules)? = policy["Rules"] else { return [] }
        return rules.map(\.value)
    }

    private static func names(_ policy: DraftValue) -> [String] {
        rules(policy).map { rule in
            guard case .scalar(let name, _)? = rule["Name"] else { return "" }
            return name
        }
    }

    @Test(
        "what is imported loads",
        arguments: [
            RefineryFixtures.complete, RefineryFixtures.course, RefineryFixtures.careless,
            RefineryFixtures.configuration,
        ])
    func loads(text: String) throws {
        for targets in RefineryTarget.allCases {
            let imported = try Self.read(text, targets: targets).pipeline
            let (plan, messages) = Self.load(imported.draft)
            #expect(plan != nil, "\(messages)\n\(imported.draft.text)")
            #expect(messages.allSatisfy { $0.contains("keeps nothing") || $0.contains("warning") }, "\(messages)")
        }
    }

    @Test("every target of Refinery's own example becomes rules that compare its name, the default ones come last")
    func targets() throws {
        let policy = try Self.policy(Self.read(RefineryFixtures.complete).pipeline)
        let names = Self.names(policy)
        #expect(names.count == 12)
        #expect(names.first == "env1" && names.last == "__default__")
        #expect(names[3] == "env4: drop healthchecks" && names[9] == "env4: default rule")
        for (name, rule) in zip(names, Self.rules(policy)) {
            guard case .list(let conditions)? = rule["Conditions"] else {
                #expect(name == "__default__")
                continue
            }
            let environment = String(name.prefix { $0 != ":" })
            #expect(conditions.first?.value["Value"] == .scalar(environment, isQuoted: true))
        }
        let byService = try Self.policy(Self.read(RefineryFixtures.complete, targets: .dataset).pipeline)
        guard case .list(let conditions)? = Self.rules(byService)[0]["Conditions"] else {
            throw StageError("no conditions")
        }
        #expect(conditions[0].value["Fields"] == .texts(["root.service.name", "service.name"]))
    }

    @Test("a single sampler keeps its form, and a target whose rules may all fail ends with one that keeps everything")
    func forms() throws {
        let course = try Self.policy(Self.read(RefineryFixtures.course).pipeline)
        #expect(Self.names(course).count == 6)
        #expect(course["type"] == .text("rules"))
        let single = try Self.policy(
            Self.read(
                "RulesVersion: 2\nSamplers: { __default__: { EMADynamicSampler: { GoalSampleRate: 7, FieldList: [a] } } }"
            )
            .pipeline)
        #expect(single["type"] == .text("ema_dynamic") && single["GoalSampleRate"] == .text("7"))
        let careless = try Self.policy(Self.read(RefineryFixtures.careless).pipeline)
        #expect(Self.names(careless).contains("checkout service: no rule matched"))
    }

    @Test("what changes, or cannot be carried over, is noted with its place")
    func notes() throws {
        let imported = try Self.read(RefineryFixtures.careless).pipeline
        let notes = imported.notes
        func has(_ kind: ImportNote.Kind, _ subject: String, _ part: String) -> Bool {
            notes.contains { $0.kind == kind && $0.subject.contains(subject) && $0.message.contains(part) }
        }
        #expect(has(.changed, "quiet", "keeps nothing"))
        #expect(has(.info, "quiet", "Scope: span"))
        #expect(has(.changed, "odd", "has-root-span"))
        #expect(has(.changed, "odd", "Datatype"))
        #expect(has(.attention, "odd", "meta.refinery.reason"))
        #expect(has(.attention, "odd", "Summary"))
        #expect(has(.attention, "broken", "pattern"))
        #expect(has(.attention, "broken", "left out"))
        #expect(has(.info, "sampler and rate", "SampleRate"))
        #expect(has(.changed, "sampler and rate", "FieldList"))
        #expect(has(.changed, "sampler and rate", "number of partitions"))
        #expect(has(.changed, "sampler and rate", "meta.span_count"))
        #expect(has(.changed, "web", "seconds"))
        #expect(has(.attention, "web", "KeyField"))
        #expect(has(.changed, "Samplers", "no __default__"))
        #expect(has(.changed, "Samplers", "deployment.environment"))
        #expect(notes.allSatisfy { $0.location.line > 1 })
        #expect(imported.draft.text.contains("--refinery-targets dataset"))
    }

    @Test("a rule with a form that Refinery refuses is left out as a whole, and catches no other traces")
    func malformedRules() throws {
        let forms = [
            "{ Name: bad, SampleRate: 5, Conditions: { Field: x, Operator: exists } }",
            "{ Name: bad, Scope: spans, SampleRate: 5, Conditions: [{ Field: x, Operator: exists }] }",
            "{ Name: bad, SampleRate: often }",
            "{ Name: bad, Drop: perhaps }",
            "{ Name: bad, SampleRate: 5, Conditions: [{ Field: x, Operator: '=', Value: { a: 1 } }] }",
            "{ Name: bad, SampleRate: 5, Conditions: [{ Field: x, Operator: '=', Value: [1, 2] }] }",
            "{ Name: bad, SampleRate: 5, Conditions: [{ Field: x, Operator: in, Value: [[1]] }] }",
            "{ Name: bad, SampleRate: 5, Conditions: [{ Operator: has-root-span, Value: perhaps }] }",
            "just a text",
        ]
        for form in forms {
            let imported = try Self.read(
                "RulesVersion: 2\nSamplers: { __default__: { RulesBasedSampler: { Rules: [\(form), { Name: good, SampleRate: 1_000 }] } } }"
            ).pipeline
            let rules = try Self.rules(Self.policy(imported))
            #expect(rules.map { $0["Name"] } == [.text("good")], "\(form)")
            #expect(rules.first?["SampleRate"] == .text("1000"))
            #expect(imported.notes.contains { $0.kind == .attention && $0.message.contains("left out") }, "\(form)")
            #expect(Self.load(imported.draft).plan != nil)
        }
        let noList = try Self.read(
            "RulesVersion: 2\nSamplers: { __default__: { RulesBasedSampler: { Rules: 3 } } }"
        ).pipeline
        #expect(noList.notes.contains { $0.kind == .attention && $0.message.contains("no list") })
    }

    @Test("virtual fields keep their name")
    func virtualFields() throws {
        let imported = try Self.read(
            """
            RulesVersion: 2
            Samplers:
              __default__:
                RulesBasedSampler:
                  Rules: [{ Name: large, SampleRate: 2, Conditions: [{ Field: "?.NUM_DESCENDANTS", Operator: '>', Value: 9 }] }]
            """
        ).pipeline
        let (plan, messages) = Self.load(imported.draft)
        #expect(plan != nil, "\(messages)\n\(imported.draft.text)")
        #expect(imported.draft.text.contains("'?.NUM_DESCENDANTS'"))
    }

    @Test("the main configuration gives its times and memory, and says what to do about the rest")
    func configuration() throws {
        let imported = try Self.read(RefineryFixtures.configuration).pipeline
        let text = imported.draft.text
        #expect(text.contains("max: 90s, settle: 5s") && text.contains("max_bytes: 3072MiB"))
        #expect(text.contains("max_spans_per_trace: 2500"))
        let subjects = Set(imported.notes.map(\.subject))
        #expect(
            subjects.isSuperset(of: ["Network", "RedisPeerManagement", "SampleCache", "Debugging.DryRun", "Samplers"]))
        #expect(imported.notes.contains { $0.kind == .attention && $0.message.contains("tailrace import rules.yaml") })
    }

    @Test(
        "an amount of memory that is none is noted, and never ends the program",
        arguments: ["inf", "nan", "1e30", "-1e30", "-5", "1e309", "much", "99999999999999999999Gi"])
    func impossibleMemory(text: String) throws {
        for key in ["AvailableMemory", "MaxAlloc"] {
            let imported = try Self.read(
                """
                General: { ConfigurationVersion: 2 }
                Collection: { \(key): \(text), MaxMemoryPercentage: 1e300 }
                """
            ).pipeline
            #expect(!imported.draft.text.contains("max_bytes:"))
            #expect(imported.notes.contains { $0.kind == .attention && $0.subject == "Collection.\(key)" })
            #expect(Self.load(imported.draft).plan != nil)
        }
    }

    @Test(
        "what is no rules file is refused with a reason",
        arguments: [
            ("RulesVersion: 3\nSamplers: { __default__: { DeterministicSampler: { SampleRate: 1 } } }", "version 2"),
            ("RulesVersion: 2", "Samplers is missing"), ("RulesVersion: 2\nSamplers: []", "Samplers is missing"),
            ("RulesVersion: 2\nSamplers: { __default__: { Deterministic: {} } }", "no sampler"),
        ])
    func refused(text: String, reason: String) throws {
        let document = YAMLLoader.load(text: text, file: "rules.yaml", environment: nil)
        let (pipeline, diagnostics) = PipelineImport.read(document, as: .refineryRules, options: ImportOptions())
        #expect(pipeline == nil)
        #expect(diagnostics.sorted.contains { $0.description.contains(reason) }, "\(diagnostics.sorted)")
    }

    @Test("files are told apart")
    func detection() {
        func detect(_ text: String) -> ImportFormat? {
            YAMLLoader.load(text: text, file: "x.yaml", environment: nil).value.flatMap(ImportFormat.detect)
        }
        #expect(
            detect("ConfigVersion: 2\nSamplers: { __default__: { DeterministicSampler: { SampleRate: 1 } } }")
                == .refineryRules)
        #expect(detect(RefineryFixtures.careless) == .refineryRules)
        #expect(detect(RefineryFixtures.configuration) == .refineryConfiguration)
        #expect(detect("config:\n  Network: { ListenAddr: x }\n  Traces: { SendDelay: 2s }") == .refineryConfiguration)
        #expect(detect("Logger: { Level: warn }") == nil)
    }
}
