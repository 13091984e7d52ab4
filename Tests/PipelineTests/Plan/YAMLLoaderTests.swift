import Glibc
import Pipeline
import Testing

@Suite("YAML becomes values that know their place")
struct YAMLLoaderTests {
    private func document(_ text: String, environment: [String: String]? = [:]) -> YAMLDocument {
        YAMLLoader.load(text: text, file: "f", environment: environment)
    }

    private func messages(_ document: YAMLDocument) -> [String] { document.diagnostics.sorted.map(\.description) }

    /// One line per value: place, path and text.
    private func outline(_ value: ConfigValue?, _ path: String = "") -> [String] {
        guard let value else { return [] }
        let place = "\(value.location.line):\(value.location.column)"
        switch value.content {
        case .null: return ["\(place) \(path) null"]
        case .scalar(let text, let isQuoted): return ["\(place) \(path) \(isQuoted ? "'\(text)'" : text)"]
        case .list(let elements): return elements.enumerated().flatMap { outline($1, "\(path)[\($0)]") }
        case .map(let entries):
            return entries.flatMap {
                outline($0.value, "\(path).\($0.key)@\($0.keyLocation.line):\($0.keyLocation.column)")
            }
        }
    }

    @Test func placesAndQuotes() {
        let text = """
            a: 1
            "b": 'x'
            c:
              - "y"
              - { d: z, e: }
              - |
                text
            ü: [ö, ~]
            """
        #expect(
            outline(document(text).value) == [
                "1:4 .a@1:1 1", "2:6 .b@2:1 'x'", "4:5 .c@3:1[0] 'y'", "5:10 .c@3:1[1].d@5:7 z",
                "5:16 .c@3:1[1].e@5:13 null", "6:5 .c@3:1[2] 'text\n'", "8:5 .ü@8:1[0] ö", "8:8 .ü@8:1[1] null",
            ])
    }

    @Test func aliasesStandWhereTheirAnchorStands() {
        let text = "a: &x { k: 1, l: 2 }\nb: *x\nc:\n  l: 3\n  <<: *x\nd: { <<: [{ k: 4 }, *x] }\n"
        #expect(
            outline(document(text).value) == [
                "1:12 .a@1:1.k@1:9 1", "1:18 .a@1:1.l@1:15 2", "1:12 .b@2:1.k@1:9 1", "1:18 .b@2:1.l@1:15 2",
                "4:6 .c@3:1.l@4:3 3", "1:12 .c@3:1.k@1:9 1", "6:16 .d@6:1.k@6:13 4", "1:18 .d@6:1.l@1:15 2",
            ])
    }

    @Test func variablesAreExpandedInValues() throws {
        let environment = ["A": "1", "EMPTY": "", "TRICKY": "x: [y]", "${B}": "no"]
        let cases = [
            "plain": "plain", "${A}": "1", "x${A}y${A}": "x1y1", "${env:A}": "1", "${MISSING:-d}": "d",
            "${EMPTY}": "", "${EMPTY:-d}": "d", "${A:-d}": "1", "${MISSING:-}": "", "${MISSING:-a:b, [c]}": "a:b, [c]",
            "$$": "$", "$$A": "$A", "$${A}": "${A}", "$$${A}": "$1", "^a$": "^a$", "$A": "$A", "a$ b": "a$ b",
            "${TRICKY}": "x: [y]", "${MISSING:-http://h:1/#x}": "http://h:1/#x",
        ]
        for (written, expected) in cases {
            for text in [
                "k: \(written)", "k: \"\(written)\"", "k: '\(written)'", "{ k: \(written), l: 1 }",
                "k: |-\n  \(written)",
            ] {
                let document = document(text, environment: environment)
                #expect(messages(document) == [], "\(text)")
                #expect(document.value?["k"]?.scalar == expected, "\(text)")
            }
        }
    }

    @Test func variablesStayAsWrittenWithoutAnEnvironment() {
        let document = document("{ a: ${B:-c}, ${d}: \"$$e\" }", environment: nil)
        #expect(outline(document.value) == ["1:6 .a@1:3 ${B:-c}", "1:21 .${d}@1:15 '$$e'"])
    }

    @Test func unresolvedScalarsAreKnown() {
        let document = document("a: ${X}\nb: ${Y:-1}\nc: \"${Z}\"\n")
        #expect(document.unresolved.map(\.description).sorted() == ["f:1:4", "f:3:4"])
    }

    @Test func privateUseCharactersAreLeftAlone() {
        let text = "a: \u{F07B}${X}\u{E000}\n"
        #expect(document(text, environment: ["X": "1"]).value?["a"]?.scalar == "\u{F07B}1\u{E000}")
    }

    @Test func aByteOrderMarkIsNoPartOfTheText() {
        #expect(outline(document("\u{FEFF}a: 1").value) == ["1:4 .a@1:1 1"])
    }

    @Test func windowsLineEndsCountAsOne() {
        #expect(outline(document("a: 1\r\nb: ${X:-2}\r\n").value) == ["1:4 .a@1:1 1", "2:4 .b@2:1 2"])
    }

    @Test func deepNestingIsRefused() {
        for text in [
            String(repeating: "[", count: 63) + String(repeating: "]", count: 63),
            (0..<62).map { String(repeating: " ", count: $0) + "a:\n" }.joined(),
        ] {
            #expect(messages(document(text)) == [])
        }
        let lists = String(repeating: "[", count: 300) + String(repeating: "]", count: 300)
        #expect(messages(document(lists)) == ["f:1:65: error: nested more than 64 levels deep"])
        for opening in ["[", "{", "- ", "? ", "[a: ", "{a: ", "!!map {", "&a ["] {
            let text = String(repeating: opening, count: 200_000)
            #expect(document(text).diagnostics.hasErrors, "\(opening)")
        }
    }

    @Test func aliasesCannotMultiplyWithoutEnd() {
        var text = "l0: &l0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...20 {
            let aliases = Array(repeating: "*l\(level - 1)", count: 10).joined(separator: ", ")
            text += "l\(level): &l\(level) [\(aliases)]\n"
        }
        let messages = messages(document(text))
        #expect(messages == ["f:1:34: error: aliases expand the file to over 500000 values"])
    }

    @Test func anAliasOfItselfIsUnknown() {
        #expect(
            messages(document("a: &a [*a]")) == [
                "f:1:8: error: unknown alias \"*a\"; expected an anchor \"&a\" above"
            ])
    }

    @Test func manyDuplicatesAreAllFound() {
        let text = (0..<40).map { "k\($0): 1\n" }.joined()
        let twice = messages(document(text + text))
        #expect(twice.count == 40)
        #expect(twice.first == "f:41:1: error: duplicate key \"k0\"; it is already at f:1:1")
        #expect(messages(document("'': 1\n'': 2\n")) == ["f:1:1: error: duplicate key \"\""])
        #expect(messages(document("? [a]\n: 1\n? [a]\n: 2\n")).count == 1)
    }

    @Test func filesAreReadAndRefused() throws {
        let directory = "/tmp/tailrace-plan-tests-\(getpid())"
        mkdir(directory, 0o755)
        defer { rmdir(directory) }
        func write(_ name: String, _ bytes: [UInt8]) throws -> String {
            let path = "\(directory)/\(name)"
            let file = try #require(fopen(path, "w"))
            fwrite(bytes, 1, bytes.count, file)
            fclose(file)
            return path
        }
        let good = try write("good.yaml", Array("a: 1\n".utf8))
        let bad = try write("bad.yaml", Array("a: 1\nb: ü".utf8) + [0xFF, 0x0A])
        let large = try write("large.yaml", Array(repeating: UInt8(ascii: "\n"), count: (8 << 20) + 1))
        defer { for path in [good, bad, large] { unlink(path) } }

        #expect(outline(YAMLLoader.load(path: good, environment: [:]).value) == ["1:4 .a@1:1 1"])
        #expect(messages(YAMLLoader.load(path: bad, environment: [:])) == ["\(bad):2:5: error: the file is not UTF-8"])
        #expect(
            messages(YAMLLoader.load(path: large, environment: [:]))
                == ["\(large):1:1: error: the file is larger than 8 MiB"])
        #expect(
            messages(YAMLLoader.load(path: "\(directory)/none", environment: [:]))
                == ["\(directory)/none:1:1: error: cannot open the file: No such file or directory"])
        #expect(
            messages(YAMLLoader.load(path: directory, environment: [:]))
                == ["\(directory):1:1: error: cannot read the file: Is a directory"])
        let (plan, diagnostics) = PipelinePlan.load(path: good, registry: TestRegistry.registry, environment: [:])
        #expect(plan == nil)
        #expect(diagnostics.all.count == 3)
    }
}
