public import Pipeline

/// A policy type that a `tail_sampler` understands: its name, its keys, and how it is made.
public struct PolicyDefinition: Sendable {
    /// Where a policy's keys are written.
    public enum Form: Sendable {
        /// The type has no keys.
        case bare
        /// In a block that is named like the type: the Collector's form.
        case block
        /// Beside name and type, or in a block that is named like the type: our own types.
        case inline
    }

    /// The keys of every policy.
    package static let commonKeys = [
        StageOption(
            "name",
            .text(
                TextForm("a name", pattern: ".", otherForms: [.number(-.infinity ... .infinity), .boolean]) {
                    !$0.isEmpty
                }),
            required: true, summary: "unique in its list; a label of the policy's metrics"),
        StageOption("type", .string, required: true, summary: "what the policy looks at"),
    ]

    public let type: String
    /// One sentence for the reference documentation.
    public let summary: String
    public let form: Form
    public let options: [StageOption]
    /// True for types that sample or drop by themselves, and so cannot be a condition of another policy.
    public let isTopLevelOnly: Bool
    /// How the keys may look, for the message when they are missing; nil where none are needed.
    public let example: String?
    public let check: @Sendable (StageSettings, PolicyPlace, inout Diagnostics) -> Void
    public let make: @Sendable (_ name: String, StageSettings) -> any SamplingPolicy

    /// - Parameters:
    ///   - example: the keys as they could be written; nil where the type has none.
    ///   - isInline: the keys may stand beside name and type.
    ///   - isTopLevelOnly: it cannot stand inside another policy.
    ///   - check: finds what the options' types do not; its settings are those of the block.
    ///   - make: called once per task, with settings that were checked.
    public init(
        type: String, summary: String, options: [StageOption], example: String?, isInline: Bool = false,
        isTopLevelOnly: Bool = false,
        check: @escaping @Sendable (StageSettings, PolicyPlace, inout Diagnostics) -> Void = { _, _, _ in },
        make: @escaping @Sendable (_ name: String, StageSettings) -> any SamplingPolicy
    ) {
        self.type = type
        self.summary = summary
        form = isInline ? .inline : example == nil ? .bare : .block
        self.options = options
        self.example = example
        self.isTopLevelOnly = isTopLevelOnly
        self.check = check
        self.make = make
    }
}

/// Where a policy stands, for messages about it.
public struct PolicyPlace: Sendable, CustomStringConvertible {
    /// `policy "pay" > and > "s"`: the names and types from the top of the list down.
    public let description: String
    public let location: SourceLocation
    /// How deep the policy is nested; 0 for one of the list itself.
    let depth: Int

    init(description: String, location: SourceLocation, depth: Int) {
        self.description = description
        self.location = location
        self.depth = depth
    }

    /// The place of a policy of the list itself.
    package init(topLevel name: String, at location: SourceLocation) {
        self.init(description: "policy \(Wording.quoted(name))", location: location, depth: 0)
    }

    func below(_ type: String, name: String, at location: SourceLocation) -> PolicyPlace {
        PolicyPlace(description: "\(description) > \(type) > \(name)", location: location, depth: depth + 1)
    }
}
