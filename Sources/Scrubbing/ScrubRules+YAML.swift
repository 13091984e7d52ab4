public import Yams

extension ScrubRules {
    /// Reads the rules file (`rules:` with a list of mappings), whose variables are expanded already.
    ///
    /// Reports everything that is wrong at once, each with line and column and, for a wrong name, the nearest right
    /// one.
    public static func parse(yaml: Yams.Node, file: String? = nil) throws(ScrubRuleError) -> ScrubRules {
        var reader = RuleFileReader()
        let nodes = reader.ruleNodes(of: yaml)
        let rules = nodes.enumerated().map { reader.rule($1, index: $0) }
        var findings: [RuleFinding] = []
        let (compiled, patterns) = compile(rules, findings: &findings)
        for finding in findings where !reader.isFollowUp(finding) {
            reader.report(finding.message, at: finding.path, nodes[finding.rule].node(of: finding) ?? yaml)
        }
        if !reader.problems.isEmpty {
            let inOrder = reader.problems.sorted { ($0.line ?? 0, $0.column ?? 0) < ($1.line ?? 0, $1.column ?? 0) }
            throw ScrubRuleError(problems: inOrder, file: file)
        }
        return ScrubRules(rules: rules, compiled: compiled, patterns: patterns)
    }
}

/// Reads nodes and collects what is wrong with them.
private struct RuleFileReader {
    static let actions = ["delete", "mask", "hash", "truncate", "set"]
    /// The keys of a rule, and the action that those with a narrower use belong to.
    static let fields: [(name: String, action: String?)] = [
        ("name", nil), ("action", nil), ("keys", nil), ("key_patterns", nil), ("values", nil), ("detect", nil),
        ("where", nil), ("except", nil), ("except_patterns", nil),
        ("keep_first", "mask"), ("keep_last", "mask"), ("with", "mask"), ("key", "hash"), ("length", "truncate"),
        ("value", "set"), ("mode", "set"),
    ]

    var problems: [ScrubRuleError.Problem] = []
    private var reportedPaths: Set<String> = []

    mutating func report(_ message: String, at path: String, _ node: Node, suggestion: String? = nil) {
        reportedPaths.insert(path)
        problems.append(
            .init(
                path: path, message: message, suggestion: suggestion, line: node.mark?.line,
                column: node.mark?.column))
    }

    /// Whether a finding only follows from a problem that is reported already, whose value became a default.
    func isFollowUp(_ finding: RuleFinding) -> Bool {
        let rule = "rules[\(finding.rule)]"
        if reportedPaths.contains(rule) { return true }
        if finding.field.isEmpty {
            return ["keys", "key_patterns", "values", "detect"].contains { isReported(prefix: "\(rule).\($0)") }
        }
        if finding.item == nil { return isReported(prefix: finding.path) }
        return reportedPaths.contains(finding.path) || reportedPaths.contains("\(rule).\(finding.field)")
    }

    /// The field or one of its items.
    private func isReported(prefix: String) -> Bool {
        reportedPaths.contains { $0 == prefix || $0.hasPrefix(prefix + "[") }
    }

    mutating func ruleNodes(of yaml: Node) -> [Node] {
        guard case .mapping(let mapping) = yaml else {
            report("expected a mapping with rules", at: "", yaml)
            return []
        }
        var rules: [Node]?
        for (key, value) in mapping {
            if key.string != "rules" {
                let name = key.string ?? ""
                report(
                    "unknown key \"\(name)\", expected rules", at: name, key,
                    suggestion: nearest(to: name, in: ["rules"]))
            } else if case .sequence(let sequence) = value {
                rules = Array(sequence)
            } else {
                rules = []
                report("expected a list of rules", at: "rules", value)
            }
        }
        if rules == nil, problems.isEmpty { report("rules are missing", at: "rules", yaml) }
        return rules ?? []
    }

    mutating func rule(_ node: Node, index: Int) -> ScrubRule {
        let path = "rules[\(index)]"
        var rule = ScrubRule(name: "", action: .delete)
        guard case .mapping(let mapping) = node else {
            report("expected a mapping with name, action and keys, values or detect", at: path, node)
            return rule
        }
        let action = actionName(mapping, path: path, node)
        unknownFields(mapping, action: action, path: path)
        rule.name = string("name", mapping, path) ?? ""
        if mapping["name"] == nil { report("name is missing", at: "\(path).name", node) }
        rule.keys = strings("keys", mapping, path)
        rule.keyPatterns = strings("key_patterns", mapping, path)
        rule.exceptions = strings("except", mapping, path)
        rule.exceptionPatterns = strings("except_patterns", mapping, path)
        rule.values = strings("values", mapping, path)
        rule.detectors = names("detect", mapping, path, among: ScrubRule.Detector.allCases)
        if mapping["where"] != nil { rule.places = Set(names("where", mapping, path, among: ScrubPlace.allCases)) }
        switch action {
        case "mask":
            var mask = ScrubRule.Mask()
            mask.keepFirst = integer("keep_first", mapping, path) ?? 0
            mask.keepLast = integer("keep_last", mapping, path) ?? 0
            mask.replacement = string("with", mapping, path) ?? mask.replacement
            rule.action = .mask(mask)
        case "hash":
            if mapping["key"] == nil { report("a rule that hashes needs a key", at: "\(path).key", node) }
            rule.action = .hash(key: string("key", mapping, path) ?? "")
        case "truncate":
            if mapping["length"] == nil { report("a rule that truncates needs a length", at: "\(path).length", node) }
            rule.action = .truncate(length: integer("length", mapping, path) ?? 0)
        case "set": rule.action = .set(assignment(mapping, path, node))
        default: break
        }
        return rule
    }

    private mutating func assignment(_ mapping: Node.Mapping, _ path: String, _ node: Node) -> Assignment {
        var assignment = Assignment(.string(""))
        if let written = mapping["mode"] {
            let choices = Assignment.Mode.allCases.map(\.rawValue)
            let name = written.scalar?.string ?? ""
            if let mode = Assignment.Mode(rawValue: name) {
                assignment.mode = mode
            } else {
                report(
                    "unknown mode \"\(name)\", expected \(list(choices))", at: "\(path).mode", written,
                    suggestion: nearest(to: name, in: choices))
            }
        }
        guard let value = mapping["value"] else {
            report("a rule that sets attributes needs a value", at: "\(path).value", node)
            return assignment
        }
        guard let scalar = value.scalar else {
            report("expected a text, a number, true or false", at: "\(path).value", value)
            return assignment
        }
        let isQuoted = scalar.style != .plain && scalar.style != .any
        if let value = Assignment.Value(yaml: scalar.string, isQuoted: isQuoted) {
            assignment.value = value
        } else {
            report("the value is empty; an empty text is written \"\"", at: "\(path).value", value)
        }
        return assignment
    }

    private mutating func actionName(_ mapping: Node.Mapping, path: String, _ node: Node) -> String? {
        let path = "\(path).action"
        guard let value = mapping["action"] else {
            report("action is missing, expected \(list(Self.actions))", at: path, node)
            return nil
        }
        guard let name = value.scalar?.string, Self.actions.contains(name) else {
            let name = value.scalar?.string ?? ""
            report(
                "unknown action \"\(name)\", expected \(list(Self.actions))", at: path, value,
                suggestion: nearest(to: name, in: Self.actions))
            return nil
        }
        return name
    }

    private mutating func unknownFields(_ mapping: Node.Mapping, action: String?, path: String) {
        for (key, _) in mapping {
            let name = key.scalar?.string ?? ""
            guard let field = Self.fields.first(where: { $0.name == name }) else {
                let expected = Self.fields.filter { $0.action == nil || $0.action == action }.map(\.name)
                report(
                    "unknown key \"\(name)\", expected \(list(expected))", at: "\(path).\(name)", key,
                    suggestion: nearest(to: name, in: Self.fields.map(\.name)))
                continue
            }
            if let owner = field.action, let action, owner != action {
                report("\(name) belongs to action \(owner), not to \(action)", at: "\(path).\(name)", key)
            }
        }
    }

    private mutating func string(_ field: String, _ mapping: Node.Mapping, _ path: String) -> String? {
        guard let node = mapping[field] else { return nil }
        // The scalar's text, not its type: a key of digits is a key.
        if let scalar = node.scalar { return scalar.string }
        report("expected a text", at: "\(path).\(field)", node)
        return nil
    }

    private mutating func integer(_ field: String, _ mapping: Node.Mapping, _ path: String) -> Int? {
        guard let node = mapping[field] else { return nil }
        if let value = node.scalar.flatMap({ Int($0.string) }) { return value }
        report("expected a whole number", at: "\(path).\(field)", node)
        return nil
    }

    /// A text or a list of texts.
    private mutating func texts(_ field: String, _ mapping: Node.Mapping, _ path: String) -> [(String, Node)] {
        guard let node = mapping[field] else { return [] }
        if let scalar = node.scalar { return [(scalar.string, node)] }
        guard case .sequence(let sequence) = node else {
            report("expected a text or a list of texts", at: "\(path).\(field)", node)
            return []
        }
        if sequence.isEmpty { report("the list is empty", at: "\(path).\(field)", node) }
        return sequence.enumerated().map { item, node in
            if let scalar = node.scalar { return (scalar.string, node) }
            report("expected a text", at: "\(path).\(field)[\(item)]", node)
            return ("", node)
        }
    }

    private mutating func strings(_ field: String, _ mapping: Node.Mapping, _ path: String) -> [String] {
        texts(field, mapping, path).map(\.0)
    }

    private mutating func names<Name: RawRepresentable<String>>(
        _ field: String, _ mapping: Node.Mapping, _ path: String, among all: [Name]
    ) -> [Name] {
        let choices = all.map(\.rawValue)
        var result: [Name] = []
        for (item, (text, node)) in texts(field, mapping, path).enumerated() {
            let path = "\(path).\(field)[\(item)]"
            if let name = Name(rawValue: text) {
                result.append(name)
            } else if !reportedPaths.contains(path) {
                report(
                    "unknown name \"\(text)\", expected \(list(choices))", at: path, node,
                    suggestion: nearest(to: text, in: choices))
            }
        }
        return result
    }

    private func list(_ names: [String]) -> String {
        names.count < 2 ? names.joined() : names.dropLast().joined(separator: ", ") + " or " + (names.last ?? "")
    }
}

extension Node {
    /// The node a finding is about: the item, else the field, else the rule itself.
    fileprivate func node(of finding: RuleFinding) -> Node? {
        guard let field = mapping?[finding.field] else { return self }
        guard let item = finding.item, let sequence = field.sequence, sequence.indices.contains(item) else {
            return field
        }
        return sequence[item]
    }
}

/// The choice that differs least from what was written, if it differs little.
private func nearest(to name: String, in choices: [String]) -> String? {
    let ranked = choices.map { ($0, editDistance(name, $0)) }.min { $0.1 < $1.1 }
    guard let (choice, distance) = ranked, distance <= max(1, min(3, choice.count / 2)) else { return nil }
    return choice
}

/// Levenshtein's distance.
private func editDistance(_ left: String, _ right: String) -> Int {
    let right = Array(right)
    var row = Array(0...right.count)
    for (index, character) in left.prefix(100).enumerated() {
        var diagonal = row[0]
        row[0] = index + 1
        for column in right.indices {
            let above = row[column + 1]
            let substituted = diagonal + (character == right[column] ? 0 : 1)
            row[column + 1] = min(above + 1, row[column] + 1, substituted)
            diagonal = above
        }
    }
    return row[right.count]
}
