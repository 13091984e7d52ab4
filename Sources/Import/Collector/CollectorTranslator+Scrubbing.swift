import Patterns
internal import Pipeline

/// Rules of a scrub stage that is being made.
struct ScrubRuleDrafts {
    private(set) var elements: [DraftElement] = []
    private var counts: [String: Int] = [:]

    /// Adds a key to the rule before, if that deletes keys in the same place.
    mutating func extendDelete(_ key: String, _ place: String) -> Bool {
        guard let last = elements.last, case .map(var entries) = last.value, last.comments.isEmpty,
            entries.map(\.key) == ["name", "action", "keys", "where"], last.value["action"] == .text("delete"),
            last.value["where"] == .texts([place]), case .list(let keys) = entries[2].value
        else { return false }
        entries[2].value = .list(keys + [DraftElement(.text(key))])
        elements[elements.count - 1].value = .map(entries)
        return true
    }

    /// Adds a rule under a name of its own, made of `action`.
    ///
    /// - Parameter entries: what follows the name.
    mutating func add(_ action: String, _ entries: [DraftEntry], name: String? = nil, comments: [String] = []) {
        let base = name ?? action
        counts[base, default: 0] += 1
        let number = counts[base] ?? 1
        let unique = number == 1 ? base : "\(base)-\(number)"
        elements.append(
            DraftElement(
                .map([DraftEntry("name", .text(unique)), DraftEntry("action", .text(action))] + entries),
                comments: comments))
    }
}

extension CollectorTranslator {
    /// What stands for a secret that the Collector does not need: its hashes have no key.
    private static let hashKey = DraftEntry("key", .scalar("${SCRUB_KEY:-change-me}", isQuoted: true))

    /// `attributes`, `resource` or `redaction` as a scrub stage; nil where nothing of it can be done here.
    mutating func scrubStage(
        _ component: Component, _ from: [String], _ moved: String?
    ) -> PipelineDraft.Stage? {
        var rules = ScrubRuleDrafts()
        var comments = [origin(component)]
        if let moved { comments.append(moved) }
        switch component.type {
        case "redaction": redactionRules(component, &rules, &comments)
        case "resource": actionRules(component, component.settings["attributes"], place: "resource", &rules, &comments)
        default: actionRules(component, component.settings["actions"], place: "span", &rules, &comments)
        }
        guard !rules.elements.isEmpty else {
            note(.info, component, "nothing of it became a rule; no stage was made of it")
            return nil
        }
        return PipelineDraft.Stage(
            stageName(component.id, otherwise: "scrub"), kind: "scrub", from: from,
            options: [DraftEntry("rules", .list(rules.elements))], comments: comments)
    }

    // MARK: - attributes, resource

    private mutating func actionRules(
        _ component: Component, _ actions: ConfigValue?, place: String, _ rules: inout ScrubRuleDrafts,
        _ comments: inout [String]
    ) {
        noteLeftovers(component, handled: ["actions", "attributes", "include", "exclude", "labels", "type"])
        let isConditional = component.settings["include"] != nil || component.settings["exclude"] != nil
        let count = rules.elements.count
        for action in actions?.elements ?? [] { actionRule(component, action, place, &rules) }
        guard isConditional, rules.elements.count > count else { return }
        note(
            .attention, component,
            "include and exclude are not carried over: its rules apply to all spans. If that is too much, do it in a "
                + "Collector in front of Kafka")
        comments.append("include and exclude are not carried over: the rules apply to all spans.")
    }

    private mutating func actionRule(
        _ component: Component, _ action: ConfigValue, _ place: String, _ rules: inout ScrubRuleDrafts
    ) {
        let kind = action["action"]?.scalar?.lowercased() ?? ""
        let key = action["key"]?.scalar
        let subject = "\(component.subject)::\(kind) \(key ?? action["pattern"]?.scalar ?? "")"
        let whereEntry = DraftEntry("where", .texts([place]))
        func refuse(_ text: String) { note(.attention, subject, text, at: action.location) }
        switch kind {
        case "delete", "hash":
            var entries: [DraftEntry] = []
            if let key { entries.append(DraftEntry("keys", .texts([key]))) }
            if let pattern = action["pattern"] {
                guard let usable = usablePattern(pattern, subject) else { return }
                entries.append(DraftEntry("key_patterns", .list([DraftElement(.scalar(usable, isQuoted: true))])))
            }
            if entries.isEmpty { return refuse("names no key; left out") }
            if kind == "delete", let key, action["pattern"] == nil, rules.extendDelete(key, place) { return }
            if kind == "delete" { return rules.add("delete", entries + [whereEntry]) }
            rules.add("hash", entries + [Self.hashKey, whereEntry])
            note(
                .attention, subject,
                "the hash is HMAC-SHA256 under the key SCRUB_KEY, 16 hex digits: equal values stay equal, but hashes differ "
                    + "from the Collector's; set SCRUB_KEY to a secret", at: action.location)
        case "insert", "update", "upsert":
            guard let key, !key.isEmpty else { return refuse("names no key; left out") }
            guard let value = action["value"] else { return refuse(Self.copyAdvice) }
            if key.contains("*") { return refuse("keys with * are not set here; left out") }
            guard value.scalar != nil else {
                return refuse("only texts, numbers, true and false are set here; left out")
            }
            rules.add(
                "set",
                [
                    DraftEntry("mode", .text(kind)), DraftEntry("keys", .texts([key])),
                    DraftEntry("value", CollectorValue.draft(value)), whereEntry,
                ], name: kind)
        case "extract", "convert":
            refuse("values are not taken apart or converted here: do it in a Collector in front of Kafka")
        default: refuse("is no action that is known here; left out")
        }
    }

    private static let copyAdvice =
        "values are not copied from other attributes or from the request here (a copy would escape the rules for its source): set "
        + "a fixed value, or do it in a Collector in front of Kafka"

    /// A regular expression that scrub rules understand; others are noted.
    private mutating func usablePattern(_ value: ConfigValue, _ subject: String) -> String? {
        guard let pattern = value.scalar else { return nil }
        if CollectorValue.hasReference(pattern) { return pattern }
        do {
            _ = try TextMatcher(pattern)
            return pattern
        } catch {
            note(
                .attention, subject, "the pattern \(Wording.quoted(pattern)) is left out: \(error.message)",
                at: value.location)
            return nil
        }
    }

    // MARK: - redaction

    private static let redactionPlaces = DraftEntry("where", .texts(["span", "event", "resource", "scope"]))

    private mutating func redactionRules(
        _ component: Component, _ rules: inout ScrubRuleDrafts, _ comments: inout [String]
    ) {
        let settings = component.settings
        let ignored = CollectorValue.texts(settings["ignored_keys"])
        let ignoredPatterns = patterns(settings["ignored_key_patterns"], "\(component.subject)::ignored_key_patterns")
        var spared: [DraftEntry] = []
        if !ignored.isEmpty { spared.append(DraftEntry("except", .texts(ignored))) }
        if !ignoredPatterns.isEmpty { spared.append(Self.patternEntry("except_patterns", ignoredPatterns)) }

        if CollectorValue.boolean(settings["allow_all_keys"]) != true {
            let allowed = CollectorValue.texts(settings["allowed_keys"])
            var entries = [DraftEntry("keys", .list([DraftElement(.scalar("*", isQuoted: true))]))]
            if !(allowed + ignored).isEmpty { entries.append(DraftEntry("except", .texts(allowed + ignored))) }
            if !ignoredPatterns.isEmpty { entries.append(Self.patternEntry("except_patterns", ignoredPatterns)) }
            rules.add(
                "delete", entries + [Self.redactionPlaces], name: "not-allowed",
                comments: ["allowed_keys: everything else goes, attributes of resources included."])
            if !(allowed + ignored).contains("service.name") {
                note(
                    .attention, component,
                    "allowed_keys does not have service.name: kept traces lose the names of their services, here as there, and "
                        + "cannot be found by them; add it to except")
                comments.append(
                    "service.name is not among allowed_keys: traces cannot be found by service. Add it to except.")
            }
        }
        let hash = hashEntries(component, &comments)
        let keyPatterns = patterns(settings["blocked_key_patterns"], "\(component.subject)::blocked_key_patterns")
        if !keyPatterns.isEmpty {
            rules.add(
                hash == nil ? "mask" : "hash",
                [Self.patternEntry("key_patterns", keyPatterns)] + (hash ?? []) + spared + [Self.redactionPlaces],
                name: "blocked-keys")
        }
        let values = valuePatterns(settings["blocked_values"], "\(component.subject)::blocked_values")
        if !values.isEmpty {
            rules.add(
                hash == nil ? "mask" : "hash",
                [Self.patternEntry("values", values)] + (hash ?? []) + spared + [Self.redactionPlaces],
                name: "blocked-values")
        }
        databaseRules(component, &rules)
        redactionNotes(component, &comments)
    }

    private mutating func hashEntries(_ component: Component, _ comments: inout [String]) -> [DraftEntry]? {
        guard let function = component.settings["hash_function"]?.scalar, !function.isEmpty, function != "none" else {
            return nil
        }
        let hasKey = component.settings["hmac_key"] != nil
        note(
            hasKey ? .changed : .attention, "\(component.subject)::hash_function",
            "\(function): here hashes are HMAC-SHA256 under \(hasKey ? "hmac_key" : "the key SCRUB_KEY"), 16 hex digits"
                + (hasKey ? "" : "; set SCRUB_KEY to a secret"),
            at: component.settings["hash_function"]?.location ?? component.location)
        comments.append("Hashes are HMAC-SHA256 under a key; the Collector's were \(function).")
        if let key = component.settings["hmac_key"] { return [DraftEntry("key", DraftValue(key))] }
        return [Self.hashKey]
    }

    private mutating func redactionNotes(_ component: Component, _ comments: inout [String]) {
        let settings = component.settings
        noteLeftovers(
            component,
            handled: [
                "allow_all_keys", "allowed_keys", "ignored_keys", "ignored_key_patterns", "blocked_key_patterns",
                "blocked_values", "allowed_values", "hash_function", "hmac_key", "redact_all_types", "summary",
                "url_sanitizer", "db_sanitizer",
            ])
        if let allowed = settings["allowed_values"], !CollectorValue.texts(allowed).isEmpty {
            note(
                .attention, "\(component.subject)::allowed_values",
                "is not carried over: values that match both lists are masked here. Make blocked_values narrower",
                at: allowed.location)
        }
        if CollectorValue.boolean(settings["redact_all_types"]) == true {
            note(
                .attention, "\(component.subject)::redact_all_types",
                "patterns search texts and bytes only; of numbers, card numbers are found by a rule with detect: card_number",
                at: settings["redact_all_types"]?.location ?? component.location)
        }
        if let summary = settings["summary"]?.scalar, summary != "silent" {
            note(
                .changed, "\(component.subject)::summary",
                "spans get no redaction attributes: the metric tailrace_scrubbed_total counts by rule",
                at: settings["summary"]?.location ?? component.location)
        }
        if CollectorValue.boolean(settings["url_sanitizer"]?["enabled"]) == true {
            note(
                .attention, "\(component.subject)::url_sanitizer",
                "is not carried over: mask ids in paths with rules of your own, for example { action: mask, keys: [url.full], "
                    + "values: '/[0-9]+', with: '/*' }, or set http.route where spans are made",
                at: settings["url_sanitizer"]?.location ?? component.location)
        }
    }

    /// `db_sanitizer`: of SQL the literals, of the others nothing.
    private mutating func databaseRules(_ component: Component, _ rules: inout ScrubRuleDrafts) {
        for entry in component.settings["db_sanitizer"]?.entries ?? [] {
            guard CollectorValue.boolean(entry.value["enabled"]) == true else { continue }
            let subject = "\(component.subject)::db_sanitizer::\(entry.key)"
            let keys = CollectorValue.texts(entry.value["attributes"])
            guard entry.key == "sql" else {
                note(
                    .attention, subject,
                    "is not carried over: delete or mask the attributes whole, for example { action: mask, keys: "
                        + "[\(keys.isEmpty ? "db.statement" : keys.joined(separator: ", "))] }", at: entry.keyLocation)
                continue
            }
            rules.add(
                "mask",
                [
                    DraftEntry("keys", .texts(keys.isEmpty ? ["db.statement", "db.query.text"] : keys)),
                    Self.patternEntry("values", ["'[^']*'", "\\b[0-9]+\\b"]),
                    DraftEntry("with", .scalar("?", isQuoted: true)),
                ], name: "sql-literals")
            note(
                .changed, subject, "texts in single quotes and numbers become ?; SQL itself is not parsed",
                at: entry.keyLocation)
        }
    }

    private static func patternEntry(_ key: String, _ patterns: [String]) -> DraftEntry {
        DraftEntry(key, .list(patterns.map { DraftElement(.scalar($0, isQuoted: true)) }))
    }

    private mutating func patterns(_ list: ConfigValue?, _ subject: String) -> [String] {
        guard let list else { return [] }
        return (list.scalar == nil ? list.elements : [list]).compactMap { usablePattern($0, subject) }
    }

    /// Patterns that replace what they match, which must not match nothing.
    private mutating func valuePatterns(_ list: ConfigValue?, _ subject: String) -> [String] {
        guard let list else { return [] }
        return (list.scalar == nil ? list.elements : [list]).compactMap { usableSearch($0, subject) }
    }

    private mutating func usableSearch(_ value: ConfigValue, _ subject: String) -> String? {
        guard let pattern = value.scalar else { return nil }
        if CollectorValue.hasReference(pattern) { return pattern }
        do {
            _ = try TextPattern(pattern)
            return pattern
        } catch {
            note(
                .attention, subject, "the pattern \(Wording.quoted(pattern)) is left out: \(error.message)",
                at: value.location)
            return nil
        }
    }
}
