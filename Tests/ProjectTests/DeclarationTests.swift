import Foundation
import Pipeline
import Sampling
import Tailrace
import Testing

/// The declarations of stages and policies against what is made of them.
@Suite("The declarations")
struct DeclarationTests {
    init() throws { try Project.enter() }

    @Test(
        "is what the declarations say",
        arguments: [
            ("docs/pipeline.schema.json", PipelineSchema().text), ("docs/reference.md", PipelineReference().text),
        ])
    func upToDate(file: String, generated: String) throws {
        let found = try? Project.text(file)
        let isUpToDate = found == generated
        #expect(
            isUpToDate,
            """
            \(file) differs from the declarations\(Self.firstDifference(found ?? "", generated)).
            Write it anew with `make reference`, and commit it.
            """)
    }

    private static func firstDifference(_ old: String, _ new: String) -> String {
        let (old, new) = (old.components(separatedBy: "\n"), new.components(separatedBy: "\n"))
        guard
            let line = (0..<max(old.count, new.count)).first(where: { index in
                (index < old.count ? old[index] : nil) != (index < new.count ? new[index] : nil)
            })
        else { return "" }
        return " from line \(line + 1): the file has\n  \(line < old.count ? old[line] : "(nothing)")\n"
            + "where they say\n  \(line < new.count ? new[line] : "(nothing)")\n"
    }

    @Test("leaves no value undescribed that the parser checks")
    func nothingUnchecked() throws {
        var unchecked: [String] = []
        for kind in StageRegistry.builtIn.kinds {
            unchecked += Self.undescribed(StageRegistry.builtIn[kind]?.options ?? [], "kind \(kind)")
        }
        for policy in BuiltInPolicies.all {
            unchecked += Self.undescribed(policy.options, "policy type \(policy.type)")
        }
        #expect(
            unchecked.isEmpty,
            """
            Declared as .any, so that no editor can check it: \(unchecked). Say what it holds: .list(.form(.subpolicy)) for \
            a list of policies, .form(.subpolicy) for one, .list(.object([...])) for a list of maps, .text(TextForm(...)) for \
            a text with a form of its own.
            """)
        let tests = try #require(PipelineFileKeys.file.first { $0.name == "tests" })
        let files = try Project.files(in: "pipelines", ending: ".yaml").filter {
            try Project.text($0).contains("\ntests:")
        }
        if case .any = tests.type {
            #expect(
                files.isEmpty,
                """
                \(files) have a block "tests", whose form is not declared: in \
                Sources/Pipeline/Plan/PipelineFileKeys.swift give "tests" the options that its parser reads, \
                .list(.object([StageOption(...)])), and let the parser check them with OptionChecker.
                """)
        }
    }

    private static func undescribed(_ options: [StageOption], _ owner: String) -> [String] {
        options.flatMap { option -> [String] in
            switch option.type {
            case .any, .list(.any), .map(.any): ["\(owner): \(option.name)"]
            case .object(let nested), .list(.object(let nested)): undescribed(nested, "\(owner): \(option.name)")
            default: []
            }
        }
    }

    #if DEBUG
        /// Options that the stage itself does not read, and who does.
        static let readElsewhere = [
            "kafka.encoding": "the runner",
            "kafka.max_record_bytes": "the runner",
            "file.max_record_bytes": "the runner",
            "segments.path": "the worker",
            "segments.flush_interval": "the worker",
            "segments.flush_bytes": "the worker",
        ]

        @Test("declares what a stage reads, as it is read, and nothing else", arguments: StageRegistry.builtIn.kinds)
        func stageReads(kind: String) throws {
            let definition = try #require(StageRegistry.builtIn[kind])
            let reads = Self.reads { samples in
                let settings = StageSettings(
                    name: "s", value: samples.map(definition.options, named: kind), definition: definition.options)
                var diagnostics = Diagnostics()
                definition.check(settings, &diagnostics)
                _ = definition.attributeKeysRead(settings)
                _ = definition.expansion(settings)
                Self.make(definition, settings)
                if kind == TailSamplerStage.definition.kind { _ = TailSamplerStage.memoryBudget(settings) }
            }
            Self.compare(
                reads, definition.options, path: kind, owner: "StageDefinition(kind: \"\(kind)\")")
        }

        @Test(
            "declares what a policy reads, as it is read, and nothing else", arguments: BuiltInPolicies.all.map(\.type))
        func policyReads(type: String) throws {
            let definition = try #require(BuiltInPolicies[type])
            let reads = Self.reads { samples in
                let settings = StageSettings(
                    name: "p", value: samples.map(definition.options, named: type), definition: definition.options)
                var diagnostics = Diagnostics()
                definition.check(settings, PolicyPlace(topLevel: "p", at: settings.value.location), &diagnostics)
                _ = definition.make("p", settings)
            }
            Self.compare(
                reads, definition.options, path: type,
                owner: "PolicyDefinition(type: \"\(type)\") in Sources/Sampling/Stage/BuiltInPolicies*.swift")
        }

        private static func reads(_ body: (OptionSamples) -> Void) -> Set<ConfigReadRecorder.Read> {
            let recorder = ConfigReadRecorder()
            // Some options count only beside certain values of others.
            for variant in 0..<8 {
                let samples = OptionSamples(variant: variant)
                ConfigReads.$recorder.withValue(recorder) { body(samples) }
            }
            return recorder.reads
        }

        private static func make(_ definition: StageDefinition, _ settings: StageSettings) {
            let folder = FileManager.default.temporaryDirectory.path
            let environment = StageEnvironment(
                workingDirectory: folder, storeDirectory: folder, incarnation: "test", pipelineName: "test")
            // A sample file does not exist: what is read before that shows is read.
            switch definition.make {
            case .source(let make): _ = try? make(settings, environment)
            case .filter(let make): _ = try? make(settings, environment)
            case .scrubber(let make): _ = try? make(settings, environment)
            case .sampler(let make):
                let context = SamplerContext(
                    environment: environment, partition: PartitionID(cluster: "c", topic: "t", partition: 0),
                    scrubbers: [], policyVersion: 0)
                _ = try? make(settings, context)
            case .trace(let make): _ = try? make(settings, environment)
            case .sink(let make): _ = try? make(settings, environment)
            }
        }

        private static func compare(
            _ reads: Set<ConfigReadRecorder.Read>, _ options: [StageOption], path: String, owner: String
        ) {
            let here = reads.filter { $0.map == path }
            let undeclared = here.filter { read in !options.contains { $0.name == read.key } }
            for (key, reads) in Dictionary(grouping: undeclared, by: \.key).sorted(by: { $0.key < $1.key }) {
                Issue.record(
                    """
                    \(path) reads "\(key)", which is not declared, so that no file may have it: add \
                    StageOption("\(key)", \(form(reads.compactMap(\.form).first)), summary: "…") to the options of \
                    \(owner).
                    """)
            }
            for option in options {
                let name = "\(path).\(option.name)"
                let found = here.filter { $0.key == option.name }
                for case let form? in found.map(\.form) where !fits(option.type, form) {
                    Issue.record(
                        "\(name) is declared as \(option.type), but read as \(Self.form(form)): change one, in \(owner)"
                    )
                }
                let isRead = !found.isEmpty
                if option.isInert {
                    #expect(!isRead, "\(name) is declared with isInert: true, but is read: remove it in \(owner)")
                    continue
                }
                #expect(
                    isRead || readElsewhere[name] != nil,
                    """
                    \(name) is declared but never read by check or make: read it, remove it from \(owner), declare it with \
                    isInert: true if it is only accepted, or say who reads it in readElsewhere of DeclarationTests.swift.
                    """)
                switch option.type {
                case .object(let nested): compare(reads, nested, path: name, owner: owner)
                case .list(.object(let nested)): compare(reads, nested, path: name + "[]", owner: owner)
                default: break
                }
            }
        }

        private static func fits(_ type: OptionType, _ form: ReadForm) -> Bool {
            switch (form, type) {
            // A number's text has digits that a `Double` loses.
            case (.string, .string), (.string, .enumeration), (.string, .text), (.string, .number),
                (.boolean, .boolean),
                (.integer, .integer), (.number, .number), (.duration, .duration), (.size, .size), (.object, .object),
                (.strings, .list(.string)), (.strings, .list(.enumeration)), (.strings, .list(.text)):
                true
            default: false
            }
        }

        private static func form(_ form: ReadForm?) -> String {
            switch form {
            case nil, .string: ".string"
            case .boolean: ".boolean"
            case .integer: ".integer(0...1_000_000)"
            case .number: ".number(0...1)"
            case .duration: ".duration"
            case .size: ".size"
            case .strings: ".list(.string)"
            case .object: ".object([...])"
            }
        }
    #endif
}
