import Import
import Pipeline
import Testing

@Suite("A pipeline that is being written")
struct PipelineDraftTests {
    private static let texts = [
        "", " ", "a", "a b", "null", "~", "true", "007", "1e3", "-", "- a", "?", "? a", ":", "a:", "a: b", "a #b", "#a",
        "'", "\"",
        "it's", "a\\b", "\\d+", "[a]", "{a}", "a, b", "*", "&a", "!a", "%a", "@a", "`a`", "|", ">", "=", "<<", "---",
        "é", "日本",
        "line\nbreak", "tab\there", "${A}", "${A:-x: y}", "x-${env:A}-y", "$${A}", "cost: $5", "\u{7f}", "a\u{feff}",
        "\u{2028}",
    ]

    @Test("gives every text back as it was put in", arguments: texts)
    func scalars(text: String) throws {
        for isQuoted in [true, false] where !(text == "" && !isQuoted) {
            let value = DraftValue.scalar(text, isQuoted: isQuoted)
            let draft = PipelineDraft(
                name: "p", header: ["a\nb", String(repeating: "word ", count: 60)],
                stages: [
                    PipelineDraft.Stage(
                        "s", kind: "k",
                        options: [
                            DraftEntry("plain", value, comments: ["why"], remark: "x"),
                            DraftEntry(
                                "list", .list([DraftElement(value), DraftElement(.map([DraftEntry("k", value)]))])),
                            DraftEntry(
                                "long",
                                .list([
                                    DraftElement(value, comments: ["c"]), DraftElement(.list([DraftElement(value)])),
                                ])),
                        ])
                ])
            let document = YAMLLoader.load(text: draft.text, file: "x.yaml", environment: nil)
            #expect(!document.diagnostics.hasErrors, "\(document.diagnostics.rendered())\n\(draft.text)")
            let stage = try #require(document.value?["stages"]?["s"])
            #expect(stage["plain"]?.scalar == text, "\(draft.text)")
            #expect(stage["list"]?.elements.first?.scalar == text, "\(draft.text)")
            #expect(stage["list"]?.elements.last?["k"]?.scalar == text, "\(draft.text)")
            #expect(stage["long"]?.elements.first?.scalar == text, "\(draft.text)")
            #expect(stage["long"]?.elements.last?.elements.first?.scalar == text, "\(draft.text)")
        }
    }

    @Test("keeps names that pipelines may have")
    func names() {
        #expect(PipelineImport.identifier("kafka/2", otherwise: "x") == "kafka-2")
        #expect(PipelineImport.identifier("///", otherwise: "x") == "x")
        #expect(PipelineImport.name(forFile: "a/b/otel collector.prod.yaml") == "otel-collector")
    }
}
