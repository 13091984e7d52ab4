import OTLP

/// A rule as far as it decides which traces it is for.
struct RefineryRule {
    enum Scope: String, CaseIterable, Sendable {
        /// Each condition may be met by another span.
        case trace
        /// One span meets all conditions.
        case span
    }

    var scope = Scope.trace
    /// None: every trace.
    var conditions: [RefineryCondition] = []
}

/// Finds the first rule that a trace meets, in one pass over its spans, span events and links.
///
/// What depends on the root or on counts alone is settled before the pass. A condition on the root alone is not met where
/// the root is missing. The pass ends as soon as no rule before the first one met can be met any more.
final class RefineryRuleMatcher {
    private struct Rule {
        var isOfSpan: Bool
        /// Those that the pass tests.
        var conditions: [Condition]
        /// Those that are settled before.
        var settled: [Condition]
    }

    private struct Condition {
        var condition: RefineryCondition
        /// Where the values are, in the order of the fields.
        var fields: [(slot: Int, isOfRoot: Bool, name: [UInt8])]
        /// Index among those that must be met by some item.
        var bit: Int
        var isOfDescendants: Bool

        /// Whether the spans make no difference to it, once the root is known.
        var isSettled: Bool {
            if case .hasRootSpan = condition.test { return true }
            return isOfDescendants || fields.allSatisfy(\.isOfRoot)
        }
    }

    private let rules: [Rule]
    private let reader: RefineryReader
    private let checksNested: Bool
    private let needsRoot: Bool
    private let needsDescendants: Bool
    /// What the trace's root says, and whether it has one.
    private var rootValues: [RefineryValue] = []
    private var rootItem: RefineryReader.Item?
    /// Conditions that some item of the trace has met.
    private var isMet: [Bool]
    private var isPossible: [Bool]

    init(_ rules: [RefineryRule], checksNested: Bool) {
        self.checksNested = checksNested
        let fields = rules.flatMap { $0.conditions.flatMap(\.fields) }.filter { !$0.isDescendants }
        let reader = RefineryReader(fields.map(\.name))
        self.reader = reader
        var bits = 0
        self.rules = rules.map { rule in
            let conditions = rule.conditions.map { condition in
                bits += 1
                return Condition(
                    condition: condition,
                    fields: condition.fields.compactMap { field in
                        reader.slot(of: field.name).map { ($0, field.isOfRoot, Array(field.name.utf8)) }
                    }, bit: bits - 1, isOfDescendants: condition.fields.contains(where: \.isDescendants))
            }
            return Rule(
                isOfSpan: rule.scope == .span, conditions: conditions.filter { !$0.isSettled },
                settled: conditions.filter(\.isSettled))
        }
        isMet = Array(repeating: false, count: bits)
        isPossible = Array(repeating: true, count: rules.count)
        needsRoot = fields.contains(where: \.isOfRoot)
        needsDescendants = rules.contains { $0.conditions.contains { $0.fields.contains(where: \.isDescendants) } }
    }

    /// The index of the first rule that the trace meets; nil where it meets none.
    func firstMatch(_ trace: TraceEvidence) -> Int? {
        reader.beginTrace()
        let counts = needsDescendants || reader.needsCounts ? reader.count(trace.spans) : .init()
        readRoot(trace, counts)
        for index in isMet.indices { isMet[index] = false }
        var found: Int?
        for (index, rule) in rules.enumerated() {
            isPossible[index] = rule.settled.allSatisfy { settles($0, trace, counts) }
            if isPossible[index], rule.conditions.isEmpty {
                found = index
                break
            }
        }
        // Only rules before the first one that is met already can make a difference.
        let candidates = isPossible[..<(found ?? rules.count)].indices.filter { isPossible[$0] }
        if candidates.isEmpty { return found }
        reader.visit(trace.spans, counts: counts) {
            for index in candidates where index < found ?? rules.count {
                if isNowMet(rules[index]) {
                    found = index
                    break
                }
            }
            return found != candidates.first
        }
        return found
    }

    private func readRoot(_ trace: TraceEvidence, _ counts: RefineryReader.Counts) {
        rootItem = nil
        guard needsRoot, trace.hasRoot, let root = trace.spans.root else { return }
        reader.read(root, counts: counts)
        rootValues = reader.values
        rootItem = reader.item
    }

    private func settles(_ condition: Condition, _ trace: TraceEvidence, _ counts: RefineryReader.Counts) -> Bool {
        if case .hasRootSpan(let wanted) = condition.condition.test { return trace.hasRoot == wanted }
        if condition.isOfDescendants { return condition.condition.holds(.int(counts.all)) }
        guard rootItem != nil else { return false }
        for field in condition.fields where rootValues[field.slot].exists {
            return condition.condition.holds(rootValues[field.slot])
        }
        if checksNested {
            for field in condition.fields {
                let value = reader.nestedValue(of: field.name)
                if value.exists { return condition.condition.holds(value) }
            }
        }
        return condition.condition.holds(.missing)
    }

    /// Whether the item read last completes the rule.
    private func isNowMet(_ rule: Rule) -> Bool {
        if rule.isOfSpan {
            return rule.conditions.allSatisfy { $0.condition.holds(value(of: $0)) }
        }
        var isComplete = true
        for condition in rule.conditions where !isMet[condition.bit] {
            if condition.condition.holds(value(of: condition)) {
                isMet[condition.bit] = true
            } else {
                isComplete = false
            }
        }
        return isComplete
    }

    /// The first of the condition's fields that the item read last, or the root, has.
    private func value(of condition: Condition) -> RefineryValue {
        for field in condition.fields {
            let value =
                !field.isOfRoot ? reader.values[field.slot] : rootItem == nil ? .missing : rootValues[field.slot]
            if value.exists { return value }
        }
        guard checksNested else { return .missing }
        for field in condition.fields where !field.isOfRoot {
            let value = reader.nestedValue(of: field.name)
            if value.exists { return value }
        }
        return .missing
    }
}
