import Pipeline
import Testing

/// SplitMix64: the same seed gives the same files everywhere.
private struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

@Suite("No file can stop the program")
struct MutationTests {
    private static let pieces = [
        "{", "}", "[", "]", ":", ": ", ",", "- ", "? ", "\n", "\n  ", "\t", "\"", "'", "#", " #", "&a ", "*a", "<<: *a",
        "!!map ", "|", ">", "|+2\n", "%YAML 1.2\n", "---\n", "...\n", "$", "${", "${X}", "${X:-", "$$", "~", "null",
        "\\",
        "\u{0}", "\u{FEFF}", "\u{85}", "\u{2028}", "é", "👩‍👩‍👧", "\u{E000}", "\u{F07B}", "@", "`", "0", "-1", "1e999",
        "nan",
        "99999999999999999999", "kind: kafka", "from: spans", "from: [sample, scrub]", "from: sample.dropped", "a.b",
        "spans", "pipeline: x\n", "stages:\n", "  sample: { kind: discard, from: sample }\n", "''", "\"\"", "\r\n",
        "\r",
    ]

    @Test(arguments: 0..<8)
    func mutatedFilesGiveAPlanOrErrors(_ seed: UInt64) {
        var generator = SeededGenerator(state: seed)
        let original = Array(designExample.unicodeScalars)
        for _ in 0..<150 {
            var scalars = original
            for _ in 0..<Int.random(in: 1...12, using: &generator) {
                let place = Int.random(in: 0...scalars.count, using: &generator)
                let end = min(scalars.count, place + Int.random(in: 0...8, using: &generator))
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: scalars.removeSubrange(place..<end)
                case 1:
                    scalars.insert(
                        contentsOf: scalars[place..<end], at: Int.random(in: 0...scalars.count, using: &generator))
                default:
                    let piece = Self.pieces.randomElement(using: &generator) ?? ""
                    scalars.insert(contentsOf: piece.unicodeScalars, at: place)
                }
            }
            var text = String.UnicodeScalarView()
            text.append(contentsOf: scalars)
            check(String(text))
        }
    }

    @Test(arguments: 0..<4)
    func randomPiecesGiveErrors(_ seed: UInt64) {
        var generator = SeededGenerator(state: 1000 + seed)
        for _ in 0..<300 {
            let count = Int.random(in: 0...40, using: &generator)
            check((0..<count).map { _ in Self.pieces.randomElement(using: &generator) ?? "" }.joined())
        }
    }

    /// A plan or errors, never both or neither; every place shown can be drawn.
    private func check(_ text: String) {
        let document = YAMLLoader.load(text: text, file: "p.yaml", environment: ["X": "1"])
        let (plan, diagnostics) = PipelinePlan.load(document, registry: TestRegistry.registry)
        #expect((plan == nil) == diagnostics.hasErrors, "\(text)")
        #expect(diagnostics.all.allSatisfy { $0.location.line >= 1 && $0.location.column >= 1 }, "\(text)")
        #expect(diagnostics.rendered(sources: ["p.yaml": document.text]).isEmpty == diagnostics.all.isEmpty)
        if let plan {
            let graph = PipelineGraph(plan)
            #expect(!graph.text.isEmpty && !graph.dot.isEmpty && !graph.mermaid.isEmpty)
        }
    }
}
