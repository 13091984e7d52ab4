internal import Pipeline
import Sampling

extension CollectorTranslator {
    /// A filter processor as a filter stage; nil where it drops no spans.
    mutating func filterStage(_ component: Component, _ from: [String]) -> PipelineDraft.Stage? {
        let settings = component.settings
        var included: [String] = []
        var excluded: [String] = []
        var comments = [origin(component)]
        for entry in settings.entries {
            switch entry.key {
            case "error_mode", "action": break
            case "traces": excluded += traceConditions(component, entry.value)
            case "trace_conditions": excluded += qualifiedConditions(component, entry.value)
            case "spans":
                if let match = entry.value["include"] { included += matchConditions(component, match) }
                if let match = entry.value["exclude"] { excluded += matchConditions(component, match) }
            case "metrics", "logs", "profiles", "metric_conditions", "log_conditions", "profile_conditions":
                note(
                    .info, "\(component.subject)::\(entry.key)", "is not for traces; left out", at: entry.keyLocation)
            default:
                note(
                    .attention, "\(component.subject)::\(entry.key)", "has no counterpart here and was left out",
                    at: entry.keyLocation)
            }
        }
        guard !included.isEmpty || !excluded.isEmpty else {
            note(.info, component, "it has no conditions on spans that could be carried over; no stage was made of it")
            return nil
        }
        if (settings["error_mode"]?.scalar ?? "propagate") == "propagate", !excluded.isEmpty {
            note(
                .changed, component,
                "a condition that cannot be worked out on a span does not hold there; with error_mode propagate the "
                    + "Collector would give the whole batch back")
            comments.append("A condition that cannot be worked out on a span does not hold there (error_mode: ignore).")
        }
        comments.append("The sampler behind it decides on the spans that are left.")
        var options: [DraftEntry] = []
        if !included.isEmpty { options.append(Self.conditions("include", included)) }
        if !excluded.isEmpty { options.append(Self.conditions("exclude", excluded)) }
        return PipelineDraft.Stage(
            stageName(component.id, otherwise: "filter"), kind: "filter", from: from, options: options,
            comments: comments)
    }

    private static func conditions(_ key: String, _ conditions: [String]) -> DraftEntry {
        DraftEntry(
            key,
            .map([
                DraftEntry("ottl", .list(conditions.map { DraftElement(.scalar($0, isQuoted: true)) }))
            ]))
    }

    /// `traces: { resource: […], span: […], spanevent: […] }`
    private mutating func traceConditions(_ component: Component, _ traces: ConfigValue) -> [String] {
        var result: [String] = []
        for entry in traces.entries {
            let texts = CollectorValue.texts(entry.value)
            switch entry.key {
            case "span": result += texts.filter { isUsable($0, component, entry.value.location) }
            case "resource", "scope":
                result += texts.map { OTTLText.qualified($0, owner: entry.key) }
                    .filter { isUsable($0, component, entry.value.location) }
            case "spanevent":
                for text in texts {
                    note(
                        .attention, "\(component.subject)::traces::spanevent",
                        "events of spans cannot be dropped (\(text)); drop them in a Collector in front of Kafka, or mask "
                            + "their attributes with a scrub rule (where: event)", at: entry.keyLocation)
                }
            default:
                note(
                    .attention, "\(component.subject)::traces::\(entry.key)",
                    "has no counterpart here and was left out",
                    at: entry.keyLocation)
            }
        }
        return result
    }

    /// `trace_conditions`: texts whose paths name their context, or groups of such.
    private mutating func qualifiedConditions(_ component: Component, _ list: ConfigValue) -> [String] {
        var result: [String] = []
        for element in list.elements {
            let texts = element.scalar.map { [$0] } ?? CollectorValue.texts(element["conditions"])
            let context = element["context"]?.scalar
            for text in texts {
                let isAboutEvents = context == "spanevent" || text.contains("spanevent.")
                if isAboutEvents {
                    note(
                        .attention, "\(component.subject)::trace_conditions",
                        "events of spans cannot be dropped (\(text)); drop them in a Collector in front of Kafka",
                        at: element.location)
                    continue
                }
                let isOwned = context == "resource" || context == "scope"
                let condition = isOwned ? OTTLText.qualified(text, owner: context ?? "") : text
                if isUsable(condition, component, element.location) { result.append(condition) }
            }
        }
        return result
    }

    private mutating func matchConditions(_ component: Component, _ match: ConfigValue) -> [String] {
        var problems: [String] = []
        let condition = OTTLText.condition(match, problems: &problems)
        for problem in problems { note(.attention, component, problem, at: match.location) }
        guard let condition, isUsable(condition, component, match.location) else { return [] }
        return [condition]
    }

    /// Whether the filter stage understands the condition; if not, that is noted.
    private mutating func isUsable(_ condition: String, _ component: Component, _ location: SourceLocation) -> Bool {
        guard let problem = SpanConditions.problem(in: condition) else { return true }
        note(
            .attention, component,
            "the condition \(Wording.quoted(condition)) is left out, so the spans it would drop pass: "
                + Self.shortened(problem),
            at: location)
        return false
    }
}
