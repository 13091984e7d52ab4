/// A stage as its file declares it, before it is known whether it makes sense.
struct StageDeclaration {
    var name: String
    /// Where the name stands.
    var location: SourceLocation
    /// The stage's map, or what the file has instead.
    var value: ConfigValue
    /// Nil where the kind is missing or unknown.
    var definition: StageDefinition?
    /// Where `from` stands; nil where it is missing.
    var fromLocation: SourceLocation?
    var references: [StageReference] = []
    /// True where something about its edges could not be read, so that conclusions about paths would be guesses.
    var isBroken = false
    /// False where the name is none that `from` could write.
    var hasName = true

    var isNoMap: Bool {
        if case .map = value.content { false } else { true }
    }
    var isSource: Bool { definition?.role == .source }
}

/// What `from` names: `stage` or `stage.port`.
struct StageReference {
    var stage: String
    var port: String?
    var location: SourceLocation

    init(_ text: String, at location: SourceLocation) {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        stage = parts.first.map(String.init) ?? ""
        port = parts.count > 1 ? String(parts[1]) : nil
        self.location = location
    }

    var text: String { port.map { "\(stage).\($0)" } ?? stage }
}
