import OTLP
import Pipeline

/// Definition of the stage kind `filter`: lets matching spans through (or, with `exclude`, all others).
enum FilterStage {
    static let definition = StageDefinition(
        kind: "filter", role: .filter, summary: "Lets matching spans pass; the others leave on the rest port.",
        inputs: [.spans],
        outputs: [
            OutputPort("spans", .spans, summary: "spans that pass"),
            OutputPort("rest", .spans, isSide: true, summary: "spans that do not"),
        ],
        options: [
            StageOption("include", .object(SpanMatcher.options), summary: "spans that pass; all conditions must hold"),
            StageOption("exclude", .object(SpanMatcher.options), summary: "spans that do not pass, even if included"),
        ],
        check: { settings, diagnostics in
            if settings.value["include"] == nil && settings.value["exclude"] == nil {
                diagnostics.error("a filter needs include or exclude", at: settings.value.location)
            }
            SpanMatcher.check(settings.object("include"), &diagnostics)
            SpanMatcher.check(settings.object("exclude"), &diagnostics)
        },
        attributeKeysRead: { settings in
            guard let included = SpanMatcher.keysRead(settings.object("include")),
                let excluded = SpanMatcher.keysRead(settings.object("exclude"))
            else { return nil }
            return included + excluded
        },
        make: .filter { settings, _ in
            MatchFilter(
                include: settings.isSet("include") ? SpanMatcher(settings.object("include")) : nil,
                exclude: settings.isSet("exclude") ? SpanMatcher(settings.object("exclude")) : nil)
        })
}

final class MatchFilter: SpanFilter {
    private let include: SpanMatcher?
    private let exclude: SpanMatcher?

    init(include: SpanMatcher?, exclude: SpanMatcher?) {
        self.include = include
        self.exclude = exclude
    }

    func sort(
        _ batch: SpanBatch, _ selection: borrowing [UInt32], context: borrowing RecordContext,
        into outputs: inout SpanFilterOutputs
    ) {
        for position in 0..<selection.count {
            let index = selection[position]
            let head = batch.heads[Int(index)]
            let passes = include?.matches(head, batch) ?? true && !(exclude?.matches(head, batch) ?? false)
            outputs.ports[passes ? 0 : 1].append(index)
        }
    }
}

/// Definition of the stage kind `route`: spans that match leave on one port, the others on another.
enum RouteStage {
    static let definition = StageDefinition(
        kind: "route", role: .filter,
        summary: "Sends spans that match to the port matched, the others to the port other.",
        inputs: [.spans],
        outputs: [
            OutputPort("matched", .spans, summary: "spans that match"),
            OutputPort("other", .spans, isSide: true, summary: "all other spans"),
        ],
        options: [
            StageOption("match", .object(SpanMatcher.options), required: true, summary: "conditions that must all hold")
        ],
        check: { settings, diagnostics in SpanMatcher.check(settings.object("match"), &diagnostics) },
        attributeKeysRead: { SpanMatcher.keysRead($0.object("match")) },
        make: .filter { settings, _ in MatchFilter(include: SpanMatcher(settings.object("match")), exclude: nil) })
}
