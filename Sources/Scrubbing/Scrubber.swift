public import OTLP
import Patterns

/// Removes and changes sensitive data in OTLP messages, on their bytes.
///
/// Bytes in, bytes out: fields that no rule touches (unknown ones among them) are copied verbatim and in order; only
/// the lengths of messages around a change are written anew. A message in which nothing is found comes out byte for
/// byte.
///
/// Keys: a rule's key is compared with an attribute's key and, inside map values, with the entry's own key and with the
/// path of keys joined by dots, so that `user.password` also finds `{user: {password: …}}`. A selected array or map is
/// changed in each of its leaves. Numbers, booleans and bytes that are masked, hashed or truncated become strings (of
/// their decimal, `true`/`false` and base64 form; a hash of bytes is that of the bytes themselves).
/// A rule that sets an attribute adds it behind the message's others, or replaces it where it stands.
/// Texts: rules with patterns search string and bytes values; card numbers are also found in integers.
/// Not searched: keys, trace state, a scope's name and version, unknown fields.
///
/// A value for one thread at a time (patterns learn while they run); copies are independent.
public struct Scrubber: Sendable {
    /// The rules it was made of.
    public let rules: ScrubRules
    /// Changes per rule since the scrubber was made, in the order of the rules. Messages that threw do not count.
    public private(set) var totals: [UInt64]

    var keys: KeySelector
    /// Of the step at hand.
    var places: [PlaceRules]
    /// Of all rules.
    let allPlaces: [PlaceRules]
    let steps: [ScrubStep]
    /// Whether rules set attributes. If not, there is one step.
    let setsAttributes: Bool
    /// Rules that delete.
    let deleting: UInt64
    /// Rules that look for card numbers, which may also be integers.
    let searchingIntegers: UInt64
    let compiled: [CompiledRule]
    /// What the rules' searches refer to. Apart from the rules, so that a search changes its pattern in place.
    var patterns: [TextPattern]

    /// Changes of the message at hand.
    var counts = ScrubCounts()
    private var pending: [UInt64]
    /// What the last `scrub(text:…)` that changed something made of its text.
    var text: [UInt8] = []
    /// Keys of the maps around the value at hand, joined by dots.
    var path: [UInt8] = []

    /// The rules that look at one place, as bits.
    struct PlaceRules: Sendable {
        /// By key alone.
        var whole: UInt64 = 0
        /// By key and pattern.
        var keyed: UInt64 = 0
        /// By pattern alone.
        var search: UInt64 = 0
    }

    public init(rules: ScrubRules) {
        self.rules = rules
        totals = [UInt64](repeating: 0, count: rules.rules.count)
        pending = totals
        compiled = rules.compiled
        patterns = rules.patterns
        keys = KeySelector(rules.rules)
        let noPlaces = [PlaceRules](repeating: PlaceRules(), count: ScrubPlace.allCases.count)
        var allPlaces = noPlaces
        var steps: [ScrubStep] = []
        // Of the rules since the last one that sets attributes.
        var places = noPlaces
        var isStepEmpty = true
        var deleting: UInt64 = 0
        var searchingIntegers: UInt64 = 0
        for (index, rule) in rules.rules.enumerated() {
            let bit: UInt64 = 1 << UInt64(index)
            if case .set(let assignment) = rule.action {
                if !isStepEmpty { steps.append(.rules(places)) }
                steps.append(.set(AttributeSetter(rule: index, rule, assignment)))
                places = noPlaces
                isStepEmpty = true
                continue
            }
            isStepEmpty = false
            if rule.action == .delete { deleting |= bit }
            if rule.detectors.contains(.cardNumber) { searchingIntegers |= bit }
            for place in rule.effectivePlaces {
                let path: WritableKeyPath<PlaceRules, UInt64> =
                    rule.selectsByKey ? (rule.hasPatterns ? \.keyed : \.whole) : \.search
                places[place.index][keyPath: path] |= bit
                allPlaces[place.index][keyPath: path] |= bit
            }
        }
        if !isStepEmpty || steps.isEmpty { steps.append(.rules(places)) }
        self.steps = steps
        setsAttributes = rules.rules.contains { if case .set = $0.action { true } else { false } }
        self.allPlaces = allPlaces
        self.places = allPlaces
        self.deleting = deleting
        self.searchingIntegers = searchingIntegers
    }

    /// Appends the scrubbed body of a `Span` message to `output`. On an error `output` is as it was before.
    public mutating func scrubSpan(
        _ message: UnsafeRawBufferPointer, into output: inout [UInt8]
    ) throws(ScanError) -> ScrubCounts {
        try scrub(message, as: .span, into: &output)
    }

    /// Appends the scrubbed body of a `Resource` message to `output`. On an error `output` is as it was before.
    public mutating func scrubResource(
        _ message: UnsafeRawBufferPointer, into output: inout [UInt8]
    ) throws(ScanError) -> ScrubCounts {
        try scrub(message, as: .resource, into: &output)
    }

    /// Appends the scrubbed body of an `InstrumentationScope` message to `output`. On an error `output` is as it was
    /// before.
    public mutating func scrubScope(
        _ message: UnsafeRawBufferPointer, into output: inout [UInt8]
    ) throws(ScanError) -> ScrubCounts {
        try scrub(message, as: .scope, into: &output)
    }

    /// What became of an attribute that was scrubbed on its own.
    public enum AttributeOutcome: Hashable, Sendable {
        /// Nothing was appended; use the bytes that came.
        case unchanged
        /// The new `KeyValue` body was appended.
        case changed
        /// Nothing was appended; there is no such attribute any more.
        case deleted
    }

    /// Scrubs the body of one `KeyValue` message, for a reader that must see an attribute as it will be stored.
    public mutating func scrubAttribute(
        _ message: UnsafeRawBufferPointer, in place: ScrubPlace = .span, into output: inout [UInt8]
    ) throws(ScanError) -> AttributeOutcome {
        let start = output.count
        if setsAttributes {
            do {
                let result = try scrubInSteps(message, .attribute(place))
                _ = settle(commits: true)
                guard let result else { return .deleted }
                if result.isChanged { output += result.bytes }
                return result.isChanged ? .changed : .unchanged
            } catch {
                _ = settle(commits: false)
                throw error
            }
        }
        guard let base = message.bindMemory(to: UInt8.self).baseAddress else { return .unchanged }
        do {
            let source = Source(base: base, place: place)
            let range = ByteRange(offset: 0, length: message.count)
            let outcome = try scrubAttribute(range, of: source, inherited: Selection(), depth: 0, into: &output)
            if outcome == .deleted { output.removeSubrange(start...) }
            _ = settle(commits: true)
            return outcome
        } catch {
            output.removeSubrange(start...)
            _ = settle(commits: false)
            throw error
        }
    }

    /// Appends the scrubbed span name to `output`.
    public mutating func scrubName(
        _ name: UnsafeRawBufferPointer, into output: inout [UInt8]
    ) -> ScrubCounts {
        scrubText(name, in: .name, into: &output)
    }

    /// The scrubbed span name, for summaries of dropped traces and log lines.
    public mutating func scrubName(_ name: String) -> String {
        if !canChangeSpanName { return name }
        var output: [UInt8] = []
        var name = name
        let counts = name.withUTF8 { scrubName(UnsafeRawBufferPointer($0), into: &output) }
        return counts.isEmpty ? name : String(decoding: output, as: UTF8.self)
    }

    /// Appends a plain text, scrubbed as one that stands in `place`, to `output`.
    public mutating func scrubText(
        _ message: UnsafeRawBufferPointer, in place: ScrubPlace, into output: inout [UInt8]
    ) -> ScrubCounts {
        let selection = Selection(search: places[place.index].search)
        if scrub(text: message, selection, deletesAll: false) == .unchanged {
            output.append(contentsOf: message)
        } else {
            output.append(contentsOf: text)
        }
        return settle(commits: true)
    }

    private mutating func scrub(
        _ message: UnsafeRawBufferPointer, as kind: MessageKind, into output: inout [UInt8]
    ) throws(ScanError) -> ScrubCounts {
        if setsAttributes {
            do {
                // A message that nothing deletes is there.
                output += try scrubInSteps(message, .message(kind))?.bytes ?? []
                return settle(commits: true)
            } catch {
                _ = settle(commits: false)
                throw error
            }
        }
        guard let base = message.bindMemory(to: UInt8.self).baseAddress, !message.isEmpty else { return ScrubCounts() }
        let start = output.count
        do {
            let range = ByteRange(offset: 0, length: message.count)
            let source = Source(base: base, place: kind.place)
            let isChanged = try rewrite(range, as: kind, of: source, Selection(), depth: 0, into: &output)
            if !isChanged { output.append(contentsOf: message) }
            return settle(commits: true)
        } catch {
            output.removeSubrange(start...)
            _ = settle(commits: false)
            throw error
        }
    }

    mutating func count(_ rule: Int) {
        counts.changes += 1
        counts.rules |= 1 << UInt64(rule)
        pending[rule] += 1
    }

    /// Moves the counts of a message that is done into the totals, or forgets them.
    private mutating func settle(commits: Bool) -> ScrubCounts {
        let result = counts
        if result.isEmpty { return result }
        counts = ScrubCounts()
        for index in totals.indices {
            if commits { totals[index] += pending[index] }
            pending[index] = 0
        }
        return result
    }
}

extension Scrubber {
    /// Whether some rule can set, change or remove the value of an attribute with this key, so that whoever reads it must
    /// read it scrubbed. Rules by pattern alone can change every text. Entries inside a map value are not considered.
    public func canChange(attributeKey: String, in place: ScrubPlace = .span) -> Bool {
        let rules = places[place.index]
        guard place.hasAttributes else { return rules.search != 0 }
        var key = attributeKey
        // A copy: patterns learn while they run.
        var keys = keys
        return key.withUTF8 { bytes in
            let bytes = UnsafeRawBufferPointer(bytes)
            for case .set(let setter) in steps where setter.places.contains(place) && setter.target(bytes) != nil {
                return true
            }
            let selected = rules.search | keys.rules(for: bytes) & (rules.whole | rules.keyed)
            return selected & ~keys.exceptions(for: bytes) != 0
        }
    }

    /// Whether some rule can change a span's name.
    public var canChangeSpanName: Bool { places[ScrubPlace.name.index].search != 0 }

    /// Whether some rule can change the message of a span's status.
    public var canChangeStatusMessage: Bool { places[ScrubPlace.status.index].search != 0 }

    /// Whether some rule can change the name of an event.
    public var canChangeEventName: Bool { places[ScrubPlace.event.index].search != 0 }
}
