import Spelling

extension PlanBuilder {
    /// Finds what a stage's references mean, and checks that the edges' types fit.
    mutating func resolve(_ index: Int) -> [Link] {
        var resolved: [Link] = []
        for reference in declarations[index].references {
            guard let from = indices[reference.stage] else {
                reportUnknownStage(reference, readBy: index)
                declarations[index].isBroken = true
                continue
            }
            var link = Link(stage: from, port: nil, location: reference.location)
            if let definition = declarations[from].definition {
                link.port = port(reference, of: definition, readBy: index, from: from)
                if link.port == nil { declarations[index].isBroken = true }
            }
            if let port = link.port, resolved.contains(where: { $0.stage == from && $0.port == port }) {
                diagnostics.error("\(subject(index)): reads \(portName(from, port)) twice", at: reference.location)
                continue
            }
            if let port = link.port { checkType(of: link, port: port, readBy: index) }
            resolved.append(link)
        }
        return resolved
    }

    func portName(_ stage: Int, _ port: Int) -> String {
        let name = declarations[stage].name
        return declarations[stage].definition.map { "\(name).\($0.outputs[port].name)" } ?? name
    }

    private mutating func reportUnknownStage(_ reference: StageReference, readBy index: Int) {
        let others = declarations.indices.filter { $0 != index }.map { declarations[$0].name }
        let known = others.filter { indices[$0].flatMap { declarations[$0].definition }?.role != .sink }
        // A sink is suggested only where nothing else comes close: it can be meant, but not read.
        let nearest =
            NearestName.nearest(to: reference.stage, among: known)
            ?? NearestName.nearest(to: reference.stage, among: others)
        if let nearest, let guess = indices[nearest] { guessedReads.insert(guess) }
        let rest = nearest.map { ". Did you mean \(Wording.quoted($0))?" } ?? "; known stages: \(Wording.list(known))"
        diagnostics.error(
            "\(subject(index)): from: unknown stage \(Wording.quoted(reference.stage))\(rest)", at: reference.location)
    }

    /// The port that a reference means; nil after an error.
    private mutating func port(
        _ reference: StageReference, of definition: StageDefinition, readBy index: Int, from: Int
    ) -> Int? {
        let outputs = definition.outputs
        let prefix = "\(subject(index)): from:"
        guard !outputs.isEmpty else {
            diagnostics.error(
                "\(prefix) \(Wording.quoted(reference.stage)) is a \(definition.role.rawValue) of kind "
                    + "\(definition.kind), and has no outputs to read", at: reference.location)
            return nil
        }
        let names = outputs.map(\.name)
        guard let name = reference.port else {
            if let port = outputs.firstIndex(where: { !$0.isSide }) { return port }
            let choice = Wording.choice(names.map { "\(reference.stage).\($0)" })
            diagnostics.error(
                "\(prefix) \(Wording.quoted(reference.stage)) has no main port; write \(choice)",
                at: reference.location)
            return nil
        }
        if let port = names.firstIndex(of: name) { return port }
        guessedReads.insert(from)
        let suggestion = Wording.suggestion(for: name, among: names)
        diagnostics.error(
            "\(prefix) stage \(Wording.quoted(reference.stage)) has no port \(Wording.quoted(name)).\(suggestion) "
                + "Its ports: \(Wording.list(names))", at: reference.location)
        return nil
    }

    private mutating func checkType(of link: Link, port: Int, readBy index: Int) {
        guard let giver = declarations[link.stage].definition, let reader = declarations[index].definition else {
            return
        }
        let given = giver.outputs[port].type
        guard !reader.inputs.contains(given) else { return }
        let wanted = Wording.choice(reader.inputs.map(\.rawValue))
        diagnostics.error(
            "\(subject(index)): from: \(portName(link.stage, port)) gives \(given.rawValue), "
                + "but kind \(reader.kind) takes \(wanted.isEmpty ? "nothing" : wanted)"
                + remedy(from: given, to: reader.inputs), at: link.location)
    }

    /// Which kinds could stand between, or else which could stand here.
    private func remedy(from given: PortType, to wanted: [PortType]) -> String {
        let takers = file.registry.kinds.filter { file.registry[$0]?.inputs.contains(given) == true }
        let bridges = takers.filter { kind in
            file.registry[kind]?.defaultOutput.map { wanted.contains($0.type) } == true
        }
        if !bridges.isEmpty { return "; a stage of kind \(Wording.choice(bridges)) between them would fit" }
        if !takers.isEmpty { return "; kinds that take \(given.rawValue): \(Wording.list(takers))" }
        return ""
    }

    /// Reports main ports that nobody reads: what comes out there would be lost without a word.
    ///
    /// - Returns: whether there are any.
    mutating func reportUnread() -> Bool {
        var read: Set<[Int]> = []
        for link in links.joined() {
            if let port = link.port { read.insert([link.stage, port]) }
        }
        var hasUnread = false
        for index in declarations.indices where !guessedReads.contains(index) && declarations[index].hasName {
            guard let definition = declarations[index].definition else { continue }
            for (port, output) in definition.outputs.enumerated() where !output.isSide && !read.contains([index, port])
            {
                // A stage without `from`, or one that is no map, is probably the one that should read it, and is
                // reported.
                let isExplained = declarations.contains {
                    $0.fromLocation == nil && $0.definition?.inputs.contains(output.type) ?? $0.isNoMap
                }
                guard !isExplained else { continue }
                hasUnread = true
                diagnostics.error(
                    "nothing reads \(portName(index, port)): add a sink\(sinkHint(for: output.type))",
                    at: declarations[index].location)
            }
        }
        return hasUnread
    }

    private func sinkHint(for type: PortType) -> String {
        let sinks = file.registry.kinds.filter { kind in
            file.registry[kind].map { $0.role == .sink && $0.inputs.contains(type) } == true
        }
        let named = sinks.filter { $0 != "discard" }
        let list = named.isEmpty ? "" : " for \(type.rawValue) (\(Wording.list(named)))"
        return list + (sinks.contains("discard") ? ", or discard" : "")
    }

    mutating func reportMissingEnds(hasUnread: Bool) {
        // A stage of unknown kind may be the missing end.
        guard declarations.allSatisfy({ $0.definition != nil }) else { return }
        func kinds(_ role: StageRole) -> String {
            Wording.choice(file.registry.kinds.filter { file.registry[$0]?.role == role })
        }
        if !declarations.contains(where: \.isSource) {
            diagnostics.error(
                "the pipeline has no source; add a stage of kind \(kinds(.source))", at: file.stagesLocation)
        }
        if !hasUnread, !declarations.contains(where: { $0.definition?.role == .sink }) {
            diagnostics.error("the pipeline has no sink; add a stage of kind \(kinds(.sink))", at: file.stagesLocation)
        }
    }
}
