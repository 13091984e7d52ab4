import Patterns

/// A checked and compiled set of rules. Rules apply in order; each sees what the ones before it left.
public struct ScrubRules: Sendable {
    /// Rules are bits of a word while a span is scrubbed. One rule takes any number of keys and patterns.
    public static let maximumCount = 64

    public let rules: [ScrubRule]
    let compiled: [CompiledRule]
    let patterns: [TextPattern]

    /// Checks all rules and reports everything that is wrong with them at once.
    public init(rules: [ScrubRule]) throws(ScrubRuleError) {
        var findings: [RuleFinding] = []
        let (compiled, patterns) = Self.compile(rules, findings: &findings)
        if !findings.isEmpty {
            throw ScrubRuleError(problems: findings.map { .init(path: $0.path, message: $0.message) })
        }
        self.init(rules: rules, compiled: compiled, patterns: patterns)
    }

    init(rules: [ScrubRule], compiled: [CompiledRule], patterns: [TextPattern]) {
        self.rules = rules
        self.compiled = compiled
        self.patterns = patterns
    }

    /// The rules' names, in order: the labels for `Scrubber.totals`.
    public var names: [String] { rules.map(\.name) }
}

/// A rule as the scrubber uses it.
struct CompiledRule: Sendable {
    /// Nil where the rule sets attributes: it is a step of its own and selects nothing.
    var replacement: Replacement?
    var searches: [TextSearch]
}

/// One search of a rule.
enum TextSearch: Sendable {
    case cardNumber
    /// An index of `ScrubRules.patterns`.
    case pattern(Int)
}

/// Something wrong in a rule: which rule, which of its fields and which item of a list.
struct RuleFinding {
    var rule: Int
    var field: String
    var item: Int?
    var message: String

    var path: String {
        "rules[\(rule)]" + (field.isEmpty ? "" : ".\(field)") + (item.map { "[\($0)]" } ?? "")
    }
}

extension ScrubRules {
    static func compile(_ rules: [ScrubRule], findings: inout [RuleFinding]) -> ([CompiledRule], [TextPattern]) {
        if rules.count > maximumCount {
            // Only the first of those too many is named.
            findings.append(
                RuleFinding(
                    rule: maximumCount, field: "name", item: nil,
                    message: "at most \(maximumCount) rules; one rule takes many keys and values"))
        }
        var names: [String: Int] = [:]
        var compiled: [CompiledRule] = []
        var patterns: [TextPattern] = []
        for (index, rule) in rules.enumerated() {
            var check = RuleCheck(index: index)
            if rule.name.isEmpty {
                check.report("name", "a rule needs a name")
            } else if let first = names[rule.name] {
                check.report("name", "\"\(rule.name)\" is already the name of rules[\(first)]")
            } else {
                names[rule.name] = index
            }
            check.action(rule.action)
            check.selection(of: rule)
            let searches = check.searches(of: rule, patterns: &patterns)
            findings += check.findings
            compiled.append(CompiledRule(replacement: Replacement(rule.action), searches: searches))
        }
        return (compiled, patterns)
    }
}

/// Collects what is wrong with one rule.
private struct RuleCheck {
    let index: Int
    var findings: [RuleFinding] = []

    mutating func report(_ field: String, _ message: String, item: Int? = nil) {
        findings.append(RuleFinding(rule: index, field: field, item: item, message: message))
    }

    mutating func action(_ action: ScrubRule.Action) {
        switch action {
        case .delete: break
        case .mask(let mask):
            // Upper bounds keep sums of counts far from overflow.
            if !(0...10_000).contains(mask.keepFirst) { report("keep_first", "must be between 0 and 10000") }
            if !(0...10_000).contains(mask.keepLast) { report("keep_last", "must be between 0 and 10000") }
        case .hash(let key):
            if key.isEmpty {
                report("key", "the key is empty; without a key, hashes of short values can be guessed")
            } else if key.contains("${") {
                report("key", "the variable in the key was not expanded")
            }
        case .truncate(let length):
            if !(0...1_000_000).contains(length) { report("length", "must be between 0 and 1000000") }
        case .set: break
        }
    }

    /// A rule that sets attributes names them, and the places where they are.
    private mutating func target(of rule: ScrubRule) {
        let others: [(field: String, isEmpty: Bool)] = [
            ("key_patterns", rule.keyPatterns.isEmpty), ("values", rule.values.isEmpty),
            ("detect", rule.detectors.isEmpty), ("except", rule.exceptions.isEmpty),
            ("except_patterns", rule.exceptionPatterns.isEmpty),
        ]
        for (field, isEmpty) in others where !isEmpty {
            report(field, "a rule that sets attributes has keys only; leave \(field) out")
        }
        if rule.keys.isEmpty { report("", "sets nothing; expected keys") }
        for (item, key) in rule.keys.enumerated() where key.utf8.contains(UInt8(ascii: "*")) {
            report("keys", "a key that is set is written in full, without *", item: item)
        }
        if rule.places == nil {
            report("", "expected where: the places at which attributes are set, span, event, link, resource or scope")
        }
    }

    mutating func selection(of rule: ScrubRule) {
        if case .set = rule.action {
            target(of: rule)
        } else if !rule.selectsByKey, !rule.hasPatterns {
            report("", "selects nothing; expected keys, key_patterns, values or detect")
        }
        for (item, key) in rule.keys.enumerated() where key.isEmpty { report("keys", "the key is empty", item: item) }
        for (item, key) in rule.exceptions.enumerated() where key.isEmpty {
            report("except", "the key is empty", item: item)
        }
        for (field, patterns) in [("key_patterns", rule.keyPatterns), ("except_patterns", rule.exceptionPatterns)] {
            for (item, pattern) in patterns.enumerated() {
                do {
                    _ = try TextMatcher(pattern)
                } catch {
                    report(field, "\(error.message) (character \(error.offset + 1) of the pattern)", item: item)
                }
            }
        }
        guard let places = rule.places else { return }
        if places.isEmpty {
            report("where", "selects no place")
        } else if rule.selectsByKey, !places.contains(where: \.hasAttributes) {
            report("where", "keys select attributes, and a name or status has none; leave keys out to search its text")
        } else if rule.selectsByKey,
            let text = ScrubPlace.allCases.first(where: { places.contains($0) && !$0.hasAttributes })
        {
            report("where", "a rule with keys finds nothing in \(text.rawValue), which has no attributes")
        }
    }

    mutating func searches(of rule: ScrubRule, patterns: inout [TextPattern]) -> [TextSearch] {
        var searches: [TextSearch] = []
        for (item, value) in rule.values.enumerated() {
            do {
                patterns.append(try TextPattern(value))
                searches.append(.pattern(patterns.count - 1))
            } catch {
                report("values", "\(error.message) (character \(error.offset + 1) of the pattern)", item: item)
            }
        }
        for (item, detector) in rule.detectors.enumerated() {
            guard let pattern = detector.pattern else {
                searches.append(.cardNumber)
                continue
            }
            do {
                patterns.append(try TextPattern(pattern))
                searches.append(.pattern(patterns.count - 1))
            } catch {
                report("detect", "\(detector.rawValue) is broken: \(error.message)", item: item)
            }
        }
        return searches
    }
}
