/// A configuration file as it was read: the tree of its values, and what is wrong with it as YAML.
public struct YAMLDocument: Sendable {
    public let file: String
    /// The text of the file, for showing lines of it; empty where it could not be read.
    public let text: String
    /// The tree, as far as it could be read; nil where the file is empty or no YAML.
    public let value: ConfigValue?
    public let diagnostics: Diagnostics
    /// Places of scalars whose variables could not be expanded. Their mistake is reported, so checks skip them.
    public let unresolved: Set<SourceLocation>

    /// The start of the file.
    public var start: SourceLocation { SourceLocation(file: file, line: 1, column: 1) }

    public init(
        file: String, text: String, value: ConfigValue?, diagnostics: Diagnostics,
        unresolved: Set<SourceLocation> = []
    ) {
        self.file = file
        self.text = text
        self.value = value
        self.diagnostics = diagnostics
        self.unresolved = unresolved
    }
}
