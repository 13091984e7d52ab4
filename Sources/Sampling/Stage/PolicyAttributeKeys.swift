import Pipeline
import TraceQL

/// Which attributes a sampler's policies look at: a scrubber that can change one of them is applied before the policies see
/// the spans (docs/decisions/002).
enum PolicyAttributeKeys {
    /// The keys, or nil where a policy may read any.
    static func keys(_ settings: StageSettings) -> [String]? {
        var keys: Set<String> = []
        for policy in settings.value["policies"]?.elements ?? [] {
            guard let read = self.keys(of: policy, depth: 0) else { return nil }
            keys.formUnion(read)
        }
        return keys.sorted()
    }

    private static func keys(of policy: ConfigValue, depth: Int) -> Set<String>? {
        guard depth <= PolicyParser.maximumDepth, let type = policy["type"]?.scalar else { return [] }
        let block = policy[type].flatMap { $0.entries.isEmpty ? nil : $0 } ?? policy
        switch type {
        case "string_attribute", "numeric_attribute", "boolean_attribute":
            return Set([block["key"]?.scalar].compactMap { $0 })
        case "root":
            let attributes = Set(block["attributes"]?.entries.map(\.key) ?? [])
            return block["service"] == nil ? attributes : attributes.union(["service.name"])
        case "ottl_condition":
            return ottlKeys(block["span"], .span).flatMap { span in
                ottlKeys(block["spanevent"], .event).map { span.union($0) }
            }
        case "traceql": return traceQLKeys(block["query"])
        case "rules": return RefineryRuleParser.attributeKeys(block)
        default:
            if BuiltInPolicies.dynamic.contains(where: { $0.type == type }) {
                return RefineryRuleParser.attributeKeys(ofSampler: block)
            }
            var keys: Set<String> = []
            for sub in PolicyParser.subpolicies(of: policy) {
                guard let read = self.keys(of: sub, depth: depth + 1) else { return nil }
                keys.formUnion(read)
            }
            return keys
        }
    }

    private static func traceQLKeys(_ query: ConfigValue?) -> Set<String>? {
        guard case .success(let query) = TraceQLQuery.checked(query?.scalar ?? "") else { return [] }
        return query.attributesRead.map { Set($0.map(\.name)) }
    }

    private static func ottlKeys(_ list: ConfigValue?, _ context: OTTLContext) -> Set<String>? {
        guard let list else { return [] }
        var keys: Set<String> = []
        for value in list.scalar == nil ? list.elements : [list] {
            guard let expression = try? OTTLParser.parse(value.scalar ?? "", context) else { continue }
            guard let read = expression.attributeKeys else { return nil }
            keys.formUnion(read)
        }
        return keys
    }
}

extension OTTLExpression {
    /// Keys of the attributes that the condition reads; nil where it reads all of them.
    var attributeKeys: Set<String>? {
        switch self {
        case .constant: []
        case .all(let parts), .any(let parts): Self.union(parts.map(\.attributeKeys))
        case .not(let inner): inner.attributeKeys
        case .compare(let left, _, let right): Self.union([left.attributeKeys, right.attributeKeys])
        case .function(_, let arguments): Self.union(arguments.map(\.attributeKeys))
        }
    }

    fileprivate static func union(_ sets: [Set<String>?]) -> Set<String>? {
        sets.reduce([]) { union, set in
            guard let union, let set else { return nil }
            return union.union(set)
        }
    }
}

extension OTTLOperand {
    fileprivate var attributeKeys: Set<String>? {
        switch self {
        case .literal, .pattern: return []
        case .arithmetic(let left, _, let right):
            return OTTLExpression.union([left.attributeKeys, right.attributeKeys])
        case .function(_, let arguments): return OTTLExpression.union(arguments.map(\.attributeKeys))
        case .path(let path):
            guard path.field == .attributes else { return [] }
            guard case .text(let key)? = path.keys.first else { return nil }
            return [String(decoding: key, as: UTF8.self)]
        }
    }
}
