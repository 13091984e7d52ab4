/// The stage kinds that pipeline files can use. Built-in kinds are registered by module Tailrace; a program that embeds
/// Tailrace adds its own before it loads a pipeline.
public struct StageRegistry: Sendable {
    public private(set) var definitions: [String: StageDefinition] = [:]

    public init() {}

    /// Adds a kind; a kind registered twice keeps its newest definition.
    public mutating func register(_ definition: StageDefinition) {
        definitions[definition.kind] = definition
    }

    public subscript(kind: String) -> StageDefinition? { definitions[kind] }

    public var kinds: [String] { definitions.keys.sorted() }
}
