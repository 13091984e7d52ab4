extension PlanBuilder {
    /// Puts the stages in place that declarations stand for. Only for a file without mistakes: a user is never told about a
    /// stage that is not in the file, other than that its name is taken.
    ///
    /// - Returns: whether anything was changed.
    mutating func expand() -> Bool {
        var expanded: [StageDeclaration] = []
        var rejecting: [String: [String]] = [:]
        for index in declarations.indices {
            let declaration = declarations[index]
            guard let definition = declaration.definition, leadsToSampler(index),
                let expansion = definition.expansion(settings(of: index, definition))
            else {
                expanded.append(declaration)
                continue
            }
            rejecting[declaration.name] = expansion.rejecting
            for stage in expansion.stages {
                if stage.name != declaration.name, indices[stage.name] != nil {
                    diagnostics.error(
                        "\(subject(index)): needs the name \(Wording.quoted(stage.name)) for a stage of its own; rename "
                            + "yours", at: declaration.location)
                }
                expanded.append(Self.declaration(stage, in: declaration, file.registry))
            }
        }
        guard !rejecting.isEmpty else { return false }
        for index in expanded.indices {
            var added: [StageReference] = []
            for reference in expanded[index].references {
                guard let port = reference.port, let names = rejecting[reference.stage],
                    declarations.first(where: { $0.name == reference.stage })?.definition?.outputs
                        .first(where: { $0.name == port })?.type == .rejects
                else { continue }
                added += names.map { StageReference("\($0).\(port)", at: reference.location) }
            }
            expanded[index].references += added
        }
        replaceDeclarations(expanded)
        return true
    }

    private static func declaration(
        _ stage: StageExpansion.Stage, in original: StageDeclaration, _ registry: StageRegistry
    ) -> StageDeclaration {
        let location = original.value.location
        var entries = [
            ConfigEntry(
                key: "kind", keyLocation: location,
                value: ConfigValue(.scalar(stage.kind, isQuoted: false), at: location))
        ]
        if let from = stage.from {
            let value = ConfigValue(.scalar(from, isQuoted: false), at: location)
            entries.append(ConfigEntry(key: "from", keyLocation: location, value: value))
        }
        var declaration = StageDeclaration(
            name: stage.name, location: original.location,
            value: ConfigValue(.map(entries + stage.options), at: location))
        declaration.definition = registry[stage.kind]
        if let from = stage.from {
            declaration.fromLocation = location
            declaration.references = [StageReference(from, at: location)]
        }
        return declaration
    }

    private func leadsToSampler(_ start: Int) -> Bool {
        var reached: Set<Int> = [start]
        var queue = [start]
        while let current = queue.popLast() {
            if declarations[current].definition?.role == .sampler { return true }
            for index in declarations.indices where links[index].contains(where: { $0.stage == current }) {
                if reached.insert(index).inserted { queue.append(index) }
            }
        }
        return false
    }
}
