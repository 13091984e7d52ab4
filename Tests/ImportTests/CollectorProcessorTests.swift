import Import
import Pipeline
import Testing

@Suite("The Collector's processors")
struct CollectorProcessorTests {
    private func rules(_ imported: Imported, _ stage: String) -> [DraftValue] {
        guard case .list(let rules)? = imported.option(stage, "rules") else { return [] }
        return rules.map(\.value)
    }

    @Test("attributes: deletions, hashes and fixed values become rules, the rest is listed")
    func attributes() throws {
        let imported = try #require(Imported(try Fixture.attributes.text))
        let deletions = rules(imported, "attributes-delete")
        #expect(deletions.map { $0["action"] } == [.text("delete"), .text("delete")])
        #expect(deletions.first?["keys"] == .texts(["card", "duplicate"]))
        #expect(rules(imported, "attributes-hash").map { $0["action"] } == [.text("hash")])
        let updates = rules(imported, "attributes-update")
        #expect(updates.map { $0["action"] } == [.text("set")] && updates.map { $0["mode"] } == [.text("update")])
        #expect(
            updates.map { $0["value"] } == [.text("redacted")] && updates.map { $0["keys"] } == [.texts(["db.secret"])])
        // Numbers stay numbers, and texts of digits texts.
        let insertions = rules(imported, "attributes-insert")
        #expect(insertions.map { $0["value"] } == [.text("1"), .scalar("8080", isQuoted: true)])
        #expect(insertions.map { $0["mode"] } == [.text("insert"), .text("insert")])
        let resource = rules(imported, "resource")
        #expect(resource.map { $0["where"] } == [.texts(["resource"]), .texts(["resource"])])
        #expect(resource.map { $0["action"] } == [.text("delete"), .text("set")])
        for subject in ["insert", "extract", "convert"] {
            #expect(
                imported.notes("processors::attributes/\(subject)").contains { $0.kind == .attention }, "\(subject)")
        }
        #expect(
            imported.notes("processors::attributes/selective").contains {
                $0.kind == .attention && $0.message.contains("apply to all spans")
            })
    }

    @Test("redaction: allowed keys are the exceptions of a deletion, blocked ones are masked or hashed")
    func redaction() throws {
        let imported = try #require(Imported(try Fixture.redaction.text))
        let made = rules(imported, "redaction")
        #expect(made.map { $0["name"] } == ["not-allowed", "blocked-keys", "blocked-values"].map { .text($0) })
        #expect(made.first?["except"] == .texts(["description", "order", "safe"]))
        #expect(made[1]["action"] == .text("hash"))
        #expect(rules(imported, "redaction-db").map { $0["name"] } == [.text("sql-literals")])
        for key in ["allowed_values", "redact_all_types", "url_sanitizer"] {
            #expect(imported.notes("processors::redaction::\(key)").map(\.kind) == [.attention], "\(key)")
        }
    }

    @Test("filter: conditions on spans and resources drop spans, those on events are listed")
    func filter() throws {
        let imported = try #require(Imported(try Fixture.filter.text))
        func conditions(_ stage: String, _ key: String) -> [String] {
            guard case .list(let list)? = imported.option(stage, key)?["ottl"] else { return [] }
            return list.compactMap { if case .scalar(let text, _) = $0.value { text } else { nil } }
        }
        #expect(conditions("filter-ottl", "exclude").count == 3)
        #expect(conditions("filter-older", "include") == [#"resource.attributes["service.name"] == "shop""#])
        #expect(
            conditions("filter-older", "exclude") == [
                #"(IsMatch(resource.attributes["service.name"], "a") or IsMatch(resource.attributes["service.name"], "b")) "#
                    + #"and IsMatch(name, "hello/world") and IsMatch(attributes["container.name"], "(x|y)") "#
                    + #"and attributes["present"] != nil and IsMatch(scope.name, "opentelemetry") "#
                    + #"and IsMatch(scope.version, "0.0-beta") "#
                    + #"and IsMatch(resource.attributes["container.host"], "(localhost|127.0.0.1)")"#
            ])
        #expect(
            conditions("filter-inferred", "exclude") == [
                #"span.attributes["http.route"] == "/health""#, #"resource.attributes["k8s.namespace.name"] == "dev""#,
            ])
        #expect(imported.notes("processors::filter/ottl::traces::spanevent").map(\.kind) == [.attention])
    }

    @Test("a condition that is not understood is left out and listed with the reason")
    func unknownCondition() throws {
        let imported = try #require(
            Imported(
                configuration(
                    "filter: { traces: { span: ['ParseJSON(name)[\"a\"] == 1', 'name == \"x\"'] } }", order: ["filter"])
            ))
        #expect(imported.option("filter", "exclude") != nil)
        #expect(
            imported.notes("processors::filter").contains { $0.kind == .attention && $0.message.contains("ParseJSON") })
    }

    @Test("scrubbers behind the sampler stand before it, filters behind it are listed")
    func behindTheSampler() throws {
        let imported = try #require(
            Imported(
                configuration(
                    """
                    tail_sampling: { policies: [ { name: x, type: always_sample } ] }
                    attributes: { actions: [ { key: a, action: delete } ] }
                    filter: { traces: { span: ['name == "x"'] } }
                    """, order: ["tail_sampling", "attributes", "filter"])))
        #expect(imported.stage("tail_sampling")?.from == ["attributes"])
        #expect(imported.stage("filter") == nil)
        #expect(imported.notes("processors::filter").map(\.kind) == [.attention])
    }
}
