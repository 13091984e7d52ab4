import Pipeline
import Testing

@Suite("Diagnostics show the line and the place")
struct DiagnosticsRenderingTests {
    private func diagnostics(_ line: Int, _ column: Int) -> Diagnostics {
        var diagnostics = Diagnostics()
        diagnostics.error("wrong", at: SourceLocation(file: "f", line: line, column: column))
        return diagnostics
    }

    @Test func withLineAndCaret() {
        let (_, diagnostics) = load(
            "pipeline: p\nstages:\n  in: { kind: kafak, topic: t }\n  out: { kind: discard, from: in }")
        let shown = diagnostics.sorted[0].rendered(source: "pipeline: p\nstages:\n  in: { kind: kafak, topic: t }\n")
        #expect(
            shown.split(separator: "\n").dropFirst() == ["      in: { kind: kafak, topic: t }", "                  ^"])
    }

    @Test func inTheOrderOfTheFilesAndOnlyWhereTheTextIsKnown() {
        var both = diagnostics(2, 3)
        both.append(diagnostics(1, 1))
        both.warning("odd", at: SourceLocation(file: "g", line: 1, column: 1))
        #expect(
            both.rendered(sources: ["f": "ab\ncde\n"]) == """
                f:1:1: error: wrong
                    ab
                    ^
                f:2:3: error: wrong
                    cde
                      ^
                g:1:1: warning: odd

                """)
    }

    @Test func controlCharactersDoNotReachTheTerminal() {
        #expect(
            diagnostics(1, 5).sorted[0].rendered(source: "\ta\u{1B}[1m b")
                == "f:1:5: error: wrong\n     a [1m b\n        ^\n")
    }

    @Test func longLinesAreCutAroundThePlace() {
        let line = String(repeating: "x", count: 300) + "Y" + String(repeating: "x", count: 300)
        let lines = diagnostics(1, 301).sorted[0].rendered(source: line).split(separator: "\n")
        #expect(lines[1] == "    …" + String(repeating: "x", count: 50) + "Y" + String(repeating: "x", count: 49) + "…")
        #expect(
            lines[2].firstIndex(of: "^")
                == lines[1].firstIndex(of: "Y").map { _ in lines[2].index(lines[2].startIndex, offsetBy: 55) })
    }

    @Test func placesOutsideTheTextAreShownWithoutLine() {
        for (line, column) in [(0, 0), (-1, -1), (9, 9), (2, 1)] {
            #expect(
                diagnostics(line, column).sorted[0].rendered(source: "ab\n") == "f:\(line):\(column): error: wrong\n")
        }
        #expect(diagnostics(1, 99).sorted[0].rendered(source: "ab\n") == "f:1:99: error: wrong\n    ab\n      ^\n")
    }
}
