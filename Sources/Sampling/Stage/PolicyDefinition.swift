public import Pipeline

/// A policy type that a `tail_sampler` understands: its name, the keys of its block, and how it is made.
public struct PolicyDefinition: Sendable {
    public let type: String
    /// One sentence for the reference documentation.
    public let summary: String
    /// Keys of the block that is named like the type.
    public let options: [StageOption]
    /// How the block may look, for the message when it is missing; nil where no block is needed.
    public let example: String?
    public let check: @Sendable (StageSettings, _ policy: String, inout Diagnostics) -> Void
    public let make: @Sendable (_ name: String, StageSettings) -> any SamplingPolicy

    public init(
        type: String, summary: String, options: [StageOption], example: String?,
        check: @escaping @Sendable (StageSettings, _ policy: String, inout Diagnostics) -> Void = { _, _, _ in },
        make: @escaping @Sendable (_ name: String, StageSettings) -> any SamplingPolicy
    ) {
        self.type = type
        self.summary = summary
        self.options = options
        self.example = example
        self.check = check
        self.make = make
    }
}
