/// The steps that expect something.
extension PipelineTestReader {
    // MARK: - Of traces

    mutating func expectation(
        _ entry: ConfigEntry, _ names: [PipelineTest.TraceReference]
    ) -> PipelineTest.Action? {
        guard areKnown(names) else { return nil }
        switch entry.value.content {
        case .scalar:
            guard let check = fate(entry.value), hasOneSampler(nil, at: entry.value.location) else { return nil }
            return .expectTraces(
                names, [TraceExpectation(check: check, sampler: nil, location: entry.value.location)])
        case .map(let entries):
            check(entry.value, PipelineTestOptions.trace, at: entry.keyLocation)
            let sampler = entry.value["sampler"]?.scalar
            var expectations: [TraceExpectation] = []
            for entry in entries where entry.key != "sampler" {
                if entry.key == "index" {
                    expectations += index(entry)
                } else if let check = check(entry) {
                    let location = Self.place(of: entry)
                    if Self.isAboutDecision(check), !hasOneSampler(sampler, at: location) { return nil }
                    expectations.append(TraceExpectation(check: check, sampler: sampler, location: location))
                }
            }
            if entries.isEmpty { error("\(entry.key): expected at least one key", at: entry.keyLocation) }
            return .expectTraces(names, expectations)
        case .list, .null:
            let fates = Wording.choice(TraceFate.allCases.map(\.rawValue))
            error(
                "\(entry.key): expected \(fates), as in kept by errors, or a map; found \(Wording.kind(of: entry.value))",
                at: Self.place(of: entry))
            return nil
        }
    }

    /// Where an entry's value stands; where it has none, its key.
    private static func place(of entry: ConfigEntry) -> SourceLocation {
        entry.value.content == .null ? entry.keyLocation : entry.value.location
    }

    private static func isAboutDecision(_ check: TraceExpectation.Check) -> Bool {
        switch check {
        case .fate, .policy, .trigger, .probability, .reason, .spanCount, .count: true
        case .outputs, .spans, .index: false
        }
    }

    private mutating func hasOneSampler(_ sampler: String?, at location: SourceLocation) -> Bool {
        // A stage of unknown kind has been reported, and may be the one that is meant.
        if stages.contains(where: { $0.role == nil }) { return true }
        let samplers = stages.filter { $0.role == .sampler }.map(\.name)
        if let sampler {
            guard samplers.contains(sampler) else {
                let suggestion = Wording.suggestion(for: sampler, among: samplers)
                error("no sampler is called \(Wording.quoted(sampler)).\(suggestion)", at: location)
                return false
            }
            return true
        }
        if samplers.count == 1 { return true }
        error(
            samplers.isEmpty
                ? "the pipeline has no sampler, so nothing decides; expect outputs or spans"
                : "the pipeline has several samplers; say which: { decision: kept, sampler: \(samplers[0]) }",
            at: location)
        return false
    }

    /// `kept`, `dropped by health`, `kept by errors after root`.
    private mutating func fate(_ value: ConfigValue) -> TraceExpectation.Check? {
        let words = (value.scalar ?? "").split(whereSeparator: \.isWhitespace).map(String.init)
        guard let first = words.first, let fate = TraceFate(rawValue: first) else {
            let names = TraceFate.allCases.map(\.rawValue)
            let suggestion = Wording.suggestion(for: words.first ?? "", among: names)
            let found = Wording.kind(of: value) + (suggestion.isEmpty ? "" : ".\(suggestion)")
            error("expected \(Wording.choice(names)), as in kept by errors; found \(found)", at: value.location)
            return nil
        }
        var rest = words.dropFirst()
        var trigger: Decision.Trigger?
        if rest.count >= 2, rest[rest.endIndex - 2] == "after" {
            let word = rest[rest.endIndex - 1]
            let names = Decision.Trigger.allCases.map(\.name)
            guard let known = Decision.Trigger.allCases.first(where: { $0.name == word }) else {
                let suggestion = Wording.suggestion(for: word, among: names)
                error(
                    "unknown trigger \(Wording.quoted(word)).\(suggestion) Known: \(Wording.list(names))",
                    at: value.location)
                return nil
            }
            trigger = known
            rest = rest.dropLast(2)
        }
        var policy: String?
        if rest.first == "by", rest.count > 1 {
            policy = rest.dropFirst().joined(separator: " ")
            rest = []
        }
        guard rest.isEmpty, fate == .kept || fate == .dropped || words.count == 1 else {
            error(
                "expected \(first)\(fate == .kept || fate == .dropped ? " [by POLICY] [after TRIGGER]" : " alone"), found "
                    + Wording.kind(of: value), at: value.location)
            return nil
        }
        return .fate(fate, policy: policy, trigger: trigger)
    }

    private mutating func check(_ entry: ConfigEntry) -> TraceExpectation.Check? {
        let text = entry.value.scalar
        switch entry.key {
        case "decision": return text.flatMap(TraceFate.init).map { .fate($0, policy: nil, trigger: nil) }
        case "policy": return text.map { .policy($0) }
        case "trigger": return Decision.Trigger.allCases.first { $0.name == text }.map { .trigger($0) }
        case "reason": return text.map { .reason($0) }
        case "probability": return range(entry).map { .probability($0) }
        case "span_count": return range(entry).map { .spanCount($0) }
        case "kept", "dropped", "open", "unseen":
            return TraceFate(rawValue: entry.key).flatMap { fate in range(entry).map { .count(fate, $0) } }
        case "outputs":
            let names = text.map { [$0] } ?? entry.value.elements.compactMap(\.scalar)
            let sinks =
                stages.filter { $0.role == .sink || $0.role == nil }.map(\.name) + [OverallExpectation.deadLetters]
            for name in names where !sinks.contains(name) {
                let suggestion = Wording.suggestion(for: name, among: sinks)
                error(
                    "outputs: no sink is called \(Wording.quoted(name)).\(suggestion) Sinks: \(Wording.list(sinks))",
                    at: entry.value.location)
                return nil
            }
            return .outputs(names)
        case "spans":
            return spans(entry.value, keyLocation: entry.keyLocation, isExpectation: true).map { .spans($0) }
        default: return nil
        }
    }

    private mutating func index(_ entry: ConfigEntry) -> [TraceExpectation] {
        guard isMap(entry) else { return [] }
        return entry.value.entries.compactMap { attribute in
            var values: [String]?
            switch attribute.value.content {
            case .null: break
            case .scalar(let text, _): values = [text]
            case .list(let elements): values = elements.compactMap(\.scalar)
            case .map:
                error(
                    "index: \(attribute.key): expected a value, a list of values or nothing, found a map",
                    at: attribute.value.location)
                return nil
            }
            return TraceExpectation(
                check: .index(key: attribute.key, values: values), sampler: nil, location: Self.place(of: attribute))
        }
    }

    private mutating func range(_ entry: ConfigEntry) -> NumberRange? {
        if let range = entry.value.scalar.flatMap(NumberRange.init) { return range }
        error(
            "\(entry.key): expected \(NumberRange.expectation), found \(Wording.kind(of: entry.value))",
            at: Self.place(of: entry))
        return nil
    }

    // MARK: - Of the pipeline

    mutating func overall(_ entry: ConfigEntry) -> PipelineTest.Action? {
        guard isMap(entry) else { return nil }
        check(entry.value, PipelineTestOptions.overall, at: entry.keyLocation)
        var expectations: [OverallExpectation] = []
        for part in entry.value.entries where part.key == "outputs" || part.key == "counters" {
            guard isMap(part) else { continue }
            for item in part.value.entries {
                let check = part.key == "outputs" ? output(item) : counter(item)
                if let check { expectations.append(OverallExpectation(check: check, location: Self.place(of: item))) }
            }
        }
        if entry.value.entries.isEmpty { error("expect: expected outputs or counters", at: entry.keyLocation) }
        return .expect(expectations)
    }

    private mutating func output(_ item: ConfigEntry) -> OverallExpectation.Check? {
        let name = item.key
        let names = stages.filter { $0.role != .source }.map(\.name) + [OverallExpectation.deadLetters]
        guard names.contains(name) else {
            if stages.contains(where: { $0.name == name }) {
                error("outputs: \(Wording.quoted(name)) is a source; nothing reaches it", at: item.keyLocation)
            } else {
                let suggestion = Wording.suggestion(for: name, among: names)
                error(
                    "outputs: no stage is called \(Wording.quoted(name)).\(suggestion) Stages: \(Wording.list(names))",
                    at: item.keyLocation)
            }
            return nil
        }
        let stage = stages.first { $0.name == name }
        switch item.value.content {
        case .scalar(let text, _):
            if let range = NumberRange(text), known[text] == nil { return .count(range, stage: name) }
        case .list: break
        case .null, .map:
            error(
                "outputs: \(name): expected how many, or a list of what reached it; found \(Wording.kind(of: item.value))",
                at: Self.place(of: item))
            return nil
        }
        if stage == nil || stage?.inputs == [.rejects] {
            let reasons = item.value.scalar.map { [$0] } ?? item.value.elements.compactMap(\.scalar)
            return .rejects(reasons, stage: name)
        }
        return references(item.value, at: item.keyLocation, what: "outputs: \(name)").map { .traces($0, stage: name) }
    }

    /// `name` or `name{label="value"}` with a number.
    private mutating func counter(_ item: ConfigEntry) -> OverallExpectation.Check? {
        guard let range = range(item) else { return nil }
        guard let brace = item.key.firstIndex(of: "{") else {
            return .counter(range, name: item.key, labels: [])
        }
        var labels: [(name: String, value: String)] = []
        var rest = item.key[item.key.index(after: brace)...]
        while !rest.isEmpty, rest != "}" {
            guard let quote = rest.firstRange(of: "=\""),
                let end = rest[quote.upperBound...].firstIndex(of: "\"")
            else { break }
            labels.append((String(rest[..<quote.lowerBound]), String(rest[quote.upperBound..<end])))
            rest = rest[rest.index(after: end)...]
            if rest.first == "," { rest = rest.dropFirst().drop { $0 == " " } }
        }
        guard rest == "}", !labels.isEmpty else {
            error(
                "counters: \(Wording.quoted(item.key)): expected a metric with labels as in name{label=\"value\"}",
                at: item.keyLocation)
            return nil
        }
        return .counter(range, name: String(item.key[..<brace]), labels: labels)
    }
}
