import Patterns
internal import Pipeline
import Sampling

extension RefineryTranslator {
    /// A condition as the policy has it; nil where it cannot be tested here.
    mutating func condition(
        _ condition: ConfigValue, subject: String, isSpan: Bool, _ comments: inout [String]
    ) -> DraftElement? {
        let written = condition["Operator"]?.scalar ?? ""
        let name = written.lowercased()
        guard RefineryRules.operators.contains(name) else {
            note(
                .attention, subject, "unknown operator \(Wording.quoted(written)), which no trace meets in Refinery",
                at: condition["Operator"]?.location ?? condition.location)
            return nil
        }
        var fields = condition["Field"]?.scalar.map { [$0] } ?? []
        if let more = condition["Fields"] { fields += more.scalar.map { [$0] } ?? more.elements.compactMap(\.scalar) }
        guard checkFields(fields, name, subject, condition, &comments) else { return nil }
        explain(name, fields, condition, subject: subject, isSpan: isSpan, &comments)

        var entries: [DraftEntry] = []
        if name != "has-root-span" {
            entries.append(
                fields.count == 1 ? DraftEntry("Field", .text(fields[0])) : DraftEntry("Fields", .texts(fields)))
        }
        entries.append(DraftEntry("Operator", .scalar(name, isQuoted: "=!<>".contains(name.prefix(1)))))
        if name == "exists" || name == "not-exists" { return DraftElement(.map(entries)) }
        let value = condition["Value"] ?? ConfigValue(.null, at: condition.location)
        if !isValue(value, of: name, subject) { return nil }
        if name == "matches", !isPattern(value, subject) { return nil }
        entries.append(DraftEntry("Value", value.content == .null ? .text("null") : DraftValue(value)))
        if let datatype = condition["Datatype"], RefineryRules.usesDatatype(name) {
            if RefineryRules.isConvertible(value, to: datatype.scalar ?? "") {
                entries.append(DraftEntry("Datatype", DraftValue(datatype)))
            } else {
                note(
                    .changed, subject,
                    "Datatype \(Wording.kind(of: datatype)) does not fit Value \(Wording.kind(of: value)) "
                        + "and is left out; Refinery ignores it, too", at: datatype.location)
            }
        }
        return DraftElement(.map(entries))
    }

    private mutating func checkFields(
        _ fields: [String], _ name: String, _ subject: String, _ condition: ConfigValue, _ comments: inout [String]
    ) -> Bool {
        if fields.isEmpty, name != "has-root-span" {
            note(.attention, subject, "a condition with \(name) has no Field", at: condition.location)
            return false
        }
        for field in fields {
            let plain = field.hasPrefix("root.") ? String(field.dropFirst(5)) : field
            if field.hasPrefix("?."), field != "?.NUM_DESCENDANTS" {
                note(.attention, subject, "unknown virtual field \(Wording.quoted(field))", at: condition.location)
                return false
            }
            if plain.hasPrefix("meta."), !RefineryRules.builtInFields.contains(plain) {
                note(
                    .attention, subject,
                    "\(field) is made by Refinery or Honeycomb; spans do not have it here, unless you set "
                        + "it", at: condition.location)
            } else if RefineryRules.countFields.contains(plain) {
                note(
                    .changed, subject,
                    "\(field) is counted before the decision here; Refinery needs AddCountsToRoot, and later "
                        + "versions add it after the decision", at: condition.location)
            }
        }
        return true
    }

    /// Whether an operator can compare with a value of this form.
    private mutating func isValue(_ value: ConfigValue, of name: String, _ subject: String) -> Bool {
        let isList = name == "in" || name == "not-in"
        let elements: [ConfigValue]
        switch value.content {
        case .list(let all) where isList && !all.isEmpty: elements = all
        case .list, .map: elements = []
        case .scalar, .null: elements = isList && value.scalar == nil ? [] : [value]
        }
        let isPlain = !elements.isEmpty && elements.allSatisfy { $0.scalar != nil || $0.content == .null }
        let isBoolean = name != "has-root-span" || value.scalar.flatMap(Units.boolean) != nil
        if isPlain, isBoolean { return true }
        let expected = isList ? "a list of plain values" : isBoolean ? "one plain value" : "true or false"
        note(.attention, subject, "\(name) needs \(expected), not \(Wording.kind(of: value))", at: value.location)
        return false
    }

    private mutating func isPattern(_ value: ConfigValue, _ subject: String) -> Bool {
        do {
            _ = try TextMatcher(value.scalar ?? "")
            return true
        } catch {
            note(
                .attention, subject, "the pattern \(Wording.kind(of: value)) is not supported: \(error.message)",
                at: value.location)
            return false
        }
    }

    private mutating func explain(
        _ name: String, _ fields: [String], _ condition: ConfigValue, subject: String, isSpan: Bool,
        _ comments: inout [String]
    ) {
        if name == "has-root-span", isSpan {
            comments.append(
                "has-root-span is tested on the trace here; in a rule with Scope: span Refinery never meets it.")
            note(.changed, subject, "has-root-span is met in rules with Scope: span, too", at: condition.location)
        }
        let isOfRoot = fields.allSatisfy { $0.hasPrefix("root.") || $0.hasPrefix("?.") }
        guard !isSpan, !isOfRoot, ["!=", "does-not-contain", "not-exists", "not-in"].contains(name) else { return }
        let advice =
            "any one span (or span event) that meets \(fields.joined(separator: "/")) \(name) is enough, as in Refinery; "
            + "Scope: span or root. is mostly what is wanted"
        comments.append("Scope trace: " + advice + ".")
        note(.info, subject, advice, at: condition.location)
    }
}
