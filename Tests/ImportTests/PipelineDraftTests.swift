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
        "\u{2028}", "?.NUM_DESCENDANTS", "?a", ":a", "::", "a?", "a?b", "a:b", "http://a:1/b?c=d", "-1", "--", "-?",
        "?-:",
    ]

    /// Texts of the characters that mean something in YAML, in all orders.
    private static let randomTexts: [String] = {
        var generator = SplitMix(state: 20_261_121)
        let characters = Array("ab ?:-,[]{}#&*!|>'\"%@`=~\\$.0")
        return (0..<2000).map { _ in
            String(
                (0..<Int.random(in: 1...6, using: &generator)).compactMap { _ in
                    characters.randomElement(using: &generator)
                })
        }
    }()

    @Test("gives every text back, whatever its characters mean elsewhere in YAML (seed 20261121)")
    func randomScalars() throws {
        // A dollar with a brace or another dollar is a variable, for the loader to read.
        let texts = Self.randomTexts.filter { !$0.contains("$") }
        let draft = PipelineDraft(
            name: "p",
            stages: [
                PipelineDraft.Stage(
                    "s", kind: "k",
                    options: [
                        DraftEntry("flow", .list(texts.map { DraftElement(.map([DraftEntry("k", .text($0))])) })),
                        DraftEntry(
                            "block",
                            .list(texts.map { DraftElement(.map([DraftEntry("k", .text($0))]), comments: ["c"]) })),
                        DraftEntry("texts", .list(texts.map { DraftElement(.texts(["a", $0, "b"])) })),
                    ])
            ])
        let document = YAMLLoader.load(text: draft.text, file: "x.yaml", environment: nil)
        #expect(!document.diagnostics.hasErrors, "\(document.diagnostics.rendered())")
        let stage = try #require(document.value?["stages"]?["s"])
        #expect(stage["flow"]?.elements.map { $0["k"]?.scalar } == texts)
        #expect(stage["block"]?.elements.map { $0["k"]?.scalar } == texts)
        #expect(stage["texts"]?.elements.map { $0.elements.map(\.scalar) } == texts.map { ["a", $0, "b"] })
    }

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

/// Steele, Lea, Flood 2014.
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = (state ^ (state >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
