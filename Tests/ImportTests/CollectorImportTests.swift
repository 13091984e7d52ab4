import Import
import Pipeline
import Testing

@Suite("A Collector configuration")
struct CollectorImportTests {
    @Test("becomes a pipeline that validates", arguments: Fixture.allCases)
    func validates(fixture: Fixture) throws {
        let imported = try #require(Imported(try fixture.text))
        #expect(!imported.diagnostics.hasErrors, "\(imported.diagnostics.rendered())\n\(imported.text)")
    }

    @Test("loses no component: each is a stage's origin or has a note", arguments: Fixture.allCases)
    func nothingIsLost(fixture: Fixture) throws {
        let imported = try #require(Imported(try fixture.text))
        let document = ImportDocument.load(text: try fixture.text, file: "otelcol.yaml")
        for section in ["receivers", "processors", "exporters", "connectors", "extensions"] {
            for component in document.value?[section]?.entries ?? [] {
                let subject = "\(section)::\(component.key)"
                #expect(imported.text.contains(subject), "\(subject) is not in the file")
            }
        }
        // What people read on the terminal is in the file, too.
        let words = imported.text.split(whereSeparator: { " #\n".contains($0) }).joined(separator: " ")
        for note in imported.notes where note.kind == .attention {
            let message = note.message.split(separator: " ").joined(separator: " ")
            #expect(words.contains(message), "\(note.subject): \(note.message)")
        }
    }

    @Test("never ends the program, whatever line is missing or doubled", arguments: Fixture.allCases)
    func damage(fixture: Fixture) throws {
        let lines = try fixture.text.split(separator: "\n", omittingEmptySubsequences: false)
        // Every fourth line: each import checks all policies.
        for index in stride(from: 0, to: lines.count, by: 4) {
            var changed = lines
            if index % 8 == 0 { changed.remove(at: index) } else { changed.insert(lines[index], at: index) }
            guard let imported = Imported(changed.joined(separator: "\n")) else { continue }
            let errors = YAMLLoader.load(text: imported.text, file: "x", environment: nil).diagnostics
            #expect(!errors.hasErrors, "line \(index + 1): \(errors.rendered())")
        }
    }

    @Test("keeps variables as they are, and says which must be set")
    func variables() throws {
        let imported = try #require(Imported(try Fixture.gateway.text))
        #expect(imported.option("kafka", "group") == .text("${env:GROUP:-collectors}"))
        #expect(imported.option("kafka", "brokers") == .text("${env:KAFKA_1:-localhost:9092},kafka-2:9092"))
        #expect(imported.text.contains("# Variables that must be set: KAFKA_USER, PERCENT."))
        // A reference that only the Collector resolves stays visible and does not break the file.
        #expect(imported.text.contains("$${file:/run/secret}"))
        #expect(imported.notes.contains { $0.message.contains("${file:/run/secret}") && $0.kind == .attention })
    }

    @Test("has a source for each topic, with login and encryption")
    func kafkaReceiver() throws {
        let imported = try #require(Imported(try Fixture.gateway.text))
        #expect(imported.option("kafka", "topic") == .text("spans-a"))
        #expect(imported.option("kafka-spans-b", "topic") == .text("spans-b"))
        #expect(imported.option("kafka", "start") == .text("latest"))
        #expect(imported.option("kafka", "session_timeout") == .text("6s"))
        let client = try #require(imported.option("kafka", "options"))
        #expect(client["security.protocol"] == .text("SASL_SSL"))
        #expect(client["sasl.mechanism"] == .text("SCRAM-SHA-512"))
        #expect(client["ssl.ca.location"] == .text("/etc/ssl/ca.pem"))
        #expect(
            imported.notes("receivers::kafka/2").contains { $0.kind == .attention && $0.message.contains("^other-.*") })
    }

    @Test("fans in and out: shared receivers and exporters are one stage, spans and traces go to sinks of their own")
    func fans() throws {
        let imported = try #require(Imported(try Fixture.gateway.text))
        let sampler = try #require(imported.draft.stages.first { $0.kind == "tail_sampler" })
        #expect(imported.stage("attributes-after")?.from == ["otlp", "kafka", "kafka-spans-b", "kafka-2"])
        #expect(sampler.from == ["attributes-after"])
        let files = imported.draft.stages.filter { $0.kind == "file_sink" }
        #expect(files.map(\.from) == [["tail_sampling-errors"], ["kafka", "kafka-spans-b"]])
        #expect(Set(files.map { "\($0.options[0].value)" }).count == 2)
        // Through the forward connector.
        #expect(imported.stage("index")?.from == ["tail_sampling-errors"])
    }

    @Test("without pipelines is one pipeline of all its components")
    func snippet() throws {
        let imported = try #require(Imported(try Fixture.filter.text))
        #expect(
            imported.draft.stages.map(\.name).starts(with: ["spans", "filter-ottl", "filter-older", "filter-inferred"]))
        #expect(imported.notes("service").contains { $0.kind == .changed })
    }

    @Test("is found inside a Kubernetes object, with the lines of the file")
    func envelope() throws {
        let imported = try #require(Imported(try Fixture.operator.text))
        #expect(imported.option("tail_sampling", "decision_wait") == .text("30s"))
        #expect(imported.notes("receivers::otlp").first?.location.line == 13)
    }

    @Test("without traces is refused with the reason")
    func metricsOnly() throws {
        let document = ImportDocument.load(
            text: "service: { pipelines: { metrics: { receivers: [a], exporters: [b] } } }", file: "x.yaml")
        let (pipeline, diagnostics) = PipelineImport.read(document, as: .collector, options: ImportOptions())
        #expect(pipeline == nil)
        #expect(diagnostics.sorted.first?.message.contains("no pipeline of traces, only of metrics") == true)
    }

    @Test("that writes the topic it reads is told of the loop")
    func loop() throws {
        let imported = try #require(
            Imported(
                """
                receivers: { kafka: {} }
                exporters: { kafka: {} }
                service: { pipelines: { traces: { receivers: [kafka], exporters: [kafka] } } }
                """))
        #expect(imported.notes.contains { $0.kind == .attention && $0.message.contains("round without end") })
    }

    @Test("whose branches are scrubbed differently has a store for each")
    func scrubbedBranches() throws {
        let imported = try #require(
            Imported(
                """
                receivers: { kafka: {} }
                processors: { attributes: { actions: [ { key: a, action: delete } ] } }
                exporters: { otlp: {} }
                service:
                  pipelines:
                    traces/1: { receivers: [kafka], processors: [attributes], exporters: [otlp] }
                    traces/2: { receivers: [kafka], exporters: [otlp] }
                """))
        #expect(!imported.diagnostics.hasErrors, "\(imported.diagnostics.rendered())")
        #expect(imported.draft.stages.filter { $0.kind == "segments" }.count == 2)
    }
}
