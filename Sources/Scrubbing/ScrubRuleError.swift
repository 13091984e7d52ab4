/// Everything that is wrong with a set of rules, at once.
public struct ScrubRuleError: Error, Hashable, Sendable {
    /// One thing that is wrong.
    public struct Problem: Hashable, Sendable {
        /// Where in the rules, e.g. `rules[2].keys[0]`.
        public var path: String
        /// What is wrong and what was expected.
        public var message: String
        /// The right name that is nearest to a wrong one.
        public var suggestion: String?
        /// Counted from 1; nil for rules that were not read from a file.
        public var line: Int?
        public var column: Int?

        public init(
            path: String, message: String, suggestion: String? = nil, line: Int? = nil, column: Int? = nil
        ) {
            self.path = path
            self.message = message
            self.suggestion = suggestion
            self.line = line
            self.column = column
        }
    }

    /// In the order of the file.
    public var problems: [Problem]
    /// The file's name as messages show it.
    public var file: String?

    public init(problems: [Problem], file: String? = nil) {
        self.problems = problems
        self.file = file
    }
}

extension ScrubRuleError: CustomStringConvertible {
    /// One line per problem: `config/scrub.yaml:3:31: rules[0].action: …`.
    public var description: String {
        problems.map { problem in
            let place = [file, problem.line.map(String.init), problem.column.map(String.init)].compactMap { $0 }
            return (place.isEmpty ? "" : place.joined(separator: ":") + ": ") + problem.description
        }.joined(separator: "\n")
    }
}

extension ScrubRuleError.Problem: CustomStringConvertible {
    public var description: String {
        let hint = suggestion.map { "; did you mean \"\($0)\"?" } ?? ""
        return path.isEmpty ? message + hint : "\(path): \(message)\(hint)"
    }
}
