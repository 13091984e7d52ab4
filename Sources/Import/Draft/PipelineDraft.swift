package import Pipeline

/// A pipeline file that is being written: stages with their options, and comments where a reader wants them.
///
/// `text` gives the YAML. Values keep the order they were put in.
package struct PipelineDraft: Sendable, Equatable {
    package struct Stage: Sendable, Equatable {
        package var name: String
        package var kind: String
        /// What it reads, as `from` names it; empty for a source.
        package var from: [String]
        package var options: [DraftEntry]
        /// Lines above the stage.
        package var comments: [String]

        package init(
            _ name: String, kind: String, from: [String] = [], options: [DraftEntry] = [], comments: [String] = []
        ) {
            self.name = name
            self.kind = kind
            self.from = from
            self.options = options
            self.comments = comments
        }
    }

    package var name: String
    /// Lines at the top of the file.
    package var header: [String]
    package var stages: [Stage]
    /// Lines at the end of the file.
    package var footer: [String]

    package init(name: String, header: [String] = [], stages: [Stage] = [], footer: [String] = []) {
        self.name = name
        self.header = header
        self.stages = stages
        self.footer = footer
    }

    /// The file.
    package var text: String {
        var writer = YAMLWriter()
        writer.comments(header, indent: 0)
        if !header.isEmpty { writer.blankLine() }
        writer.line("pipeline: \(YAMLWriter.scalar(name, isQuoted: false))")
        writer.line("stages:")
        for (index, stage) in stages.enumerated() {
            if index > 0 { writer.blankLine() }
            writer.comments(stage.comments, indent: 2)
            writer.line("  \(YAMLWriter.scalar(stage.name, isQuoted: false)):")
            writer.entry(DraftEntry("kind", .text(stage.kind)), indent: 4)
            if stage.from.count == 1 {
                writer.entry(DraftEntry("from", .text(stage.from[0])), indent: 4)
            } else if !stage.from.isEmpty {
                writer.entry(DraftEntry("from", .texts(stage.from)), indent: 4)
            }
            for option in stage.options { writer.entry(option, indent: 4) }
        }
        if !footer.isEmpty {
            writer.blankLine()
            writer.comments(footer, indent: 0)
        }
        return writer.text
    }
}

/// A key with its value and the comments of both.
package struct DraftEntry: Sendable, Equatable {
    package var key: String
    package var value: DraftValue
    /// Lines above the key.
    package var comments: [String]
    /// At the end of the key's line.
    package var remark: String?

    package init(_ key: String, _ value: DraftValue, comments: [String] = [], remark: String? = nil) {
        self.key = key
        self.value = value
        self.comments = comments
        self.remark = remark
    }
}

/// An element of a list with its comments.
package struct DraftElement: Sendable, Equatable {
    package var value: DraftValue
    /// Lines above the element.
    package var comments: [String]

    package init(_ value: DraftValue, comments: [String] = []) {
        self.value = value
        self.comments = comments
    }
}

/// A value of a pipeline file that is being written.
package indirect enum DraftValue: Sendable, Equatable {
    /// `isQuoted` keeps `"true"` and `true` apart.
    case scalar(String, isQuoted: Bool)
    case list([DraftElement])
    case map([DraftEntry])
    case null

    package static func text(_ text: String) -> DraftValue { .scalar(text, isQuoted: false) }

    package static func texts(_ texts: [String]) -> DraftValue { .list(texts.map { DraftElement(.text($0)) }) }

    /// A value as it was read.
    package init(_ value: ConfigValue) {
        switch value.content {
        case .scalar(let text, let isQuoted): self = .scalar(text, isQuoted: isQuoted)
        case .list(let elements): self = .list(elements.map { DraftElement(DraftValue($0)) })
        case .map(let entries): self = .map(entries.map { DraftEntry($0.key, DraftValue($0.value)) })
        case .null: self = .null
        }
    }

    package subscript(key: String) -> DraftValue? {
        guard case .map(let entries) = self else { return nil }
        return entries.first { $0.key == key }?.value
    }
}
