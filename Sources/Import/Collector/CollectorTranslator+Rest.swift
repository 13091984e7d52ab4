internal import Pipeline

extension CollectorTranslator {
    /// Notes what no trace pipeline has: other signals, extensions, telemetry, unused components, foreign variables.
    mutating func noteTheRest() {
        let others = configuration.pipelines.filter { $0.signal != "traces" }
        for pipeline in others {
            note(
                .attention, "service::pipelines::\(pipeline.id)",
                "Tailrace handles traces: leave this pipeline in a Collector", at: pipeline.location)
        }
        for component in configuration.components where component.section != .extensions {
            if usedComponents.contains(component.subject) { continue }
            let users = others.filter { pipeline in
                (pipeline.receivers + pipeline.processors + pipeline.exporters).contains { $0.id == component.id }
            }
            note(
                .info, component,
                users.isEmpty
                    ? "no pipeline uses it; left out"
                    : "stays in the Collector with \(Wording.choice(users.map(\.id)))")
        }
        let started = Set(configuration.extensions.map(\.id))
        for component in configuration.components where component.section == .extensions {
            let advice = CollectorAdvice.extension(component.type)
            note(started.contains(component.id) ? advice.kind : .info, component, advice.text)
        }
        for reference in configuration.extensions where configuration.component(.extensions, reference.id) == nil {
            note(
                .info, "service::extensions", "\(reference.id) is not configured; left out", at: reference.location)
        }
        if let telemetry = configuration.telemetry {
            note(
                .info, "service::telemetry",
                "left out: a worker has /metrics on 127.0.0.1:16687 (--listen), and its log level is LOG_LEVEL",
                at: telemetry.keyLocation)
        }
        for entry in configuration.unknownEntries {
            note(
                .attention, entry.path, "is no part of a Collector's configuration that is known here; left out",
                at: entry.location)
        }
        escapeForeignReferences()
    }

    /// `${file:…}` and the like: the Collector resolves them, pipeline files do not.
    private mutating func escapeForeignReferences() {
        rewriteStages { stage, found in
            for index in stage.options.indices {
                stage.options[index].value = stage.options[index].value.escapingForeignReferences(&found)
            }
        }
    }
}

extension DraftValue {
    /// The value with `$$` before references that only the Collector resolves, which are added to `found`.
    func escapingForeignReferences(_ found: inout [String]) -> DraftValue {
        switch self {
        case .scalar(var text, let isQuoted):
            for reference in CollectorValue.foreignReferences(in: text) {
                found.append(reference)
                text = Self.replacing(reference, in: text)
            }
            return .scalar(text, isQuoted: isQuoted)
        case .list(let elements):
            return .list(
                elements.map { DraftElement($0.value.escapingForeignReferences(&found), comments: $0.comments) })
        case .map(let entries):
            return .map(
                entries.map {
                    DraftEntry(
                        $0.key, $0.value.escapingForeignReferences(&found), comments: $0.comments, remark: $0.remark)
                })
        case .null: return self
        }
    }

    /// The first occurrence that is not escaped yet, escaped.
    private static func replacing(_ reference: String, in text: String) -> String {
        var index = text.startIndex
        while index < text.endIndex {
            if text[index...].hasPrefix("$$") {
                index = text.index(index, offsetBy: 2)
            } else if text[index...].hasPrefix(reference) {
                return String(text[..<index]) + "$" + String(text[index...])
            } else {
                index = text.index(after: index)
            }
        }
        return text
    }
}
