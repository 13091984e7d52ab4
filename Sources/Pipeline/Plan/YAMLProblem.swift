internal import Yams

/// Says what is wrong with a file that is no YAML, and what was expected.
enum YAMLProblem {
    static func diagnostics(for error: YamlError, source: SourceText, file: String) -> Diagnostics {
        var diagnostics = Diagnostics()
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let location = SourceLocation(file: file, line: mark.line, column: mark.column)
            diagnostics.error(message(problem, context: context, at: location, in: source), at: location)
        case .reader(let problem, _, _, _):
            diagnostics.error("not YAML: \(problem)", at: SourceLocation(file: file, line: 1, column: 1))
        default:
            diagnostics.error("not YAML: \(error)", at: SourceLocation(file: file, line: 1, column: 1))
        }
        return diagnostics
    }

    private static func message(
        _ problem: String, context: YamlError.Context?, at location: SourceLocation, in source: SourceText
    ) -> String {
        let rest = source.index(line: location.line, column: location.column).map { source.text[$0...] } ?? ""
        var message = expectation(problem, rest: rest)
        if let context, let part = contextPart(context) { message += part }
        return message
    }

    /// libyaml's words, turned into what a writer should do.
    private static func expectation(_ problem: String, rest: Substring) -> String {
        switch problem {
        case "found character that cannot start any token":
            let found = rest.first.map { Wording.quoted(String($0)) } ?? "the end of the file"
            if rest.first == "\t" { return "found a tab where spaces are expected: YAML is indented with spaces" }
            return "a value cannot start with \(found); put it in quotes"
        case "mapping values are not allowed in this context":
            return
                "found \":\" where no key is expected; indent the key like its neighbours, or quote a value with \": \""
        case "block sequence entries are not allowed in this context":
            return "found \"- \" where no list is expected; put the list on its own lines below its key"
        case "mapping keys are not allowed in this context":
            return "found \"? \" where no key is expected"
        case "could not find expected ':'":
            return "expected \":\" after the key"
        case "did not find expected key":
            return "expected a key, or the end of the map"
        case "did not find expected '-' indicator":
            return "expected \"- \" and the next element, or the end of the list"
        case "did not find expected ',' or ']'":
            return "expected \",\" or \"]\""
        case "did not find expected ',' or '}'":
            return "expected \",\" or \"}\""
        case "did not find expected node content":
            return "expected a value"
        case "did not find expected <document start>":
            return "expected the end of the file, or \"---\""
        case "found unexpected end of stream":
            return "expected the closing quote, found the end of the file"
        case "found undefined alias":
            let name = rest.dropFirst().prefix { $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" }
            return "unknown alias \(Wording.quoted("*" + name)); expected an anchor \(Wording.quoted("&" + name)) above"
        case "but found another document":
            return "expected one document, found another"
        case "found unknown escape character":
            return "unknown escape; write \\\\ for a backslash, or use single quotes"
        default:
            // "did not find expected x" and "found x" read well as they are.
            return problem.hasPrefix("did not find expected ")
                ? "expected " + problem.dropFirst("did not find expected ".count) : problem
        }
    }

    private static func contextPart(_ context: YamlError.Context) -> String? {
        let things = [
            "while parsing a block mapping": "the map", "while parsing a flow mapping": "the map",
            "while parsing a block collection": "the list", "while parsing a flow sequence": "the list",
            "while scanning a quoted scalar": "the quoted text", "while scanning a simple key": "the key",
            "while scanning a block scalar": "the text",
        ]
        guard let thing = things[context.text] else { return nil }
        return " (\(thing) starts at line \(context.mark.line), column \(context.mark.column))"
    }
}
