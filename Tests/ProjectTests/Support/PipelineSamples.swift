import Pipeline
import Sampling
import Tailrace

/// Small pipelines that use every stage kind and every policy type, and everything that can be wrong with one value of them.
enum PipelineSamples {
    struct Sample {
        var name: String
        var root: ConfigValue
    }

    private static let place = SourceLocation(file: "p.yaml", line: 1, column: 1)

    static var all: [Sample] {
        var samples: [Sample] = []
        for kind in StageRegistry.builtIn.kinds {
            guard let definition = StageRegistry.builtIn[kind] else { continue }
            for isFull in [true, false] {
                samples.append(
                    Sample(name: "kind \(kind)", root: file(stage: stage(definition, isFull: isFull))))
            }
        }
        for definition in BuiltInPolicies.all {
            for isFull in [true, false] {
                for isInline in definition.form == .inline ? [true, false] : [false] {
                    let policy = self.policy(definition, isFull: isFull, isInline: isInline)
                    samples.append(
                        Sample(name: "policy type \(definition.type)", root: file(stage: sampler(policy))))
                }
            }
        }
        return samples
    }

    private static func file(stage: ConfigValue) -> ConfigValue {
        map([
            ("pipeline", text("p")),
            (
                "stages",
                map([
                    ("in", map([("kind", text("file")), ("path", text("-"))])),
                    ("tested", stage),
                ])
            ),
        ])
    }

    private static func sampler(_ policy: ConfigValue) -> ConfigValue {
        map([
            ("kind", text("tail_sampler")), ("from", text("in")),
            ("policies", ConfigValue(.list([policy]), at: place)),
        ])
    }

    private static func stage(_ definition: StageDefinition, isFull: Bool) -> ConfigValue {
        var entries = [("kind", text(definition.kind))]
        if definition.role != .source { entries.append(("from", text("in"))) }
        return map(entries + options(definition.options, isFull: isFull))
    }

    private static func policy(_ definition: PolicyDefinition, isFull: Bool, isInline: Bool) -> ConfigValue {
        let common = [("name", text("tested")), ("type", text(definition.type))]
        let options = self.options(definition.options, isFull: isFull)
        switch definition.form {
        case .bare: return map(common)
        case .inline where isInline: return map(common + options)
        case .block, .inline: return map(common + [(definition.type, map(options))])
        }
    }

    private static func options(_ options: [StageOption], isFull: Bool) -> [(String, ConfigValue)] {
        options.filter { isFull || $0.isRequired }.map {
            // The one option whose text the parser checks by a grammar of its own.
            ($0.name, $0.name == "query" ? text("{ }") : OptionSamples().value($0.type, at: ""))
        }
    }

    static func map(_ entries: [(String, ConfigValue)]) -> ConfigValue {
        ConfigValue(.map(entries.map { ConfigEntry(key: $0.0, keyLocation: place, value: $0.1) }), at: place)
    }

    static func text(_ text: String, isQuoted: Bool = false) -> ConfigValue {
        ConfigValue(.scalar(text, isQuoted: isQuoted), at: place)
    }

    // MARK: - Mutations

    /// Values that some options take and others do not.
    static let values: [(name: String, value: ConfigValue)] = [
        ("nothing", ConfigValue(.null, at: place)), ("a text", text("abc")), ("5", text("5")),
        ("\"5\"", text("5", isQuoted: true)),
        ("-1", text("-1")), ("0.5", text("0.5")), ("1e30", text("1e30")), ("true", text("true")), ("Yes", text("Yes")),
        ("10s", text("10s")), ("1m30s", text("1m30s")), ("10sec", text("10sec")), ("64KiB", text("64KiB")),
        ("2Gi", text("2Gi")), ("0", text("0")), ("an empty text", text("", isQuoted: true)), ("50%", text("50%")),
        ("p99", text("p99")), ("p100", text("p100")), ("100 spans/s", text("100 spans/s")), ("2MB/s", text("2MB/s")),
        ("[]", ConfigValue(.list([]), at: place)), ("[abc]", ConfigValue(.list([text("abc")]), at: place)),
        ("[5]", ConfigValue(.list([text("5")]), at: place)),
        ("[nothing]", ConfigValue(.list([ConfigValue(.null, at: place)]), at: place)),
        ("{}", map([])), ("{ abc: 5 }", map([("abc", text("5"))])), ("[{}]", ConfigValue(.list([map([])]), at: place)),
        ("{ abc: nothing }", map([("abc", ConfigValue(.null, at: place))])),
    ]

    /// Calls `body` with every document that differs from `root` in one value or key.
    static func mutate(_ root: ConfigValue, _ body: (_ change: String, ConfigValue) throws -> Void) rethrows {
        try mutate(root, path: "", rebuild: { $0 }, body)
    }

    private static func mutate(
        _ value: ConfigValue, path: String, rebuild: @escaping (ConfigValue) -> ConfigValue,
        _ body: (String, ConfigValue) throws -> Void
    ) rethrows {
        switch value.content {
        case .map(let entries):
            try body("\(path): unknown key", rebuild(replacing(value, .map(entries + [entry("unheard_of")]))))
            for index in entries.indices {
                let path = "\(path).\(entries[index].key)"
                var fewer = entries
                fewer.remove(at: index)
                try body("\(path) removed", rebuild(replacing(value, .map(fewer))))
                var misspelt = entries
                misspelt[index].key += "x"
                try body("\(path) misspelt", rebuild(replacing(value, .map(misspelt))))
                let rebuildEntry = { (new: ConfigValue) -> ConfigValue in
                    var changed = entries
                    changed[index].value = new
                    return rebuild(replacing(value, .map(changed)))
                }
                // The other stage is the same in all samples.
                if path == ".stages.in" { continue }
                for (name, new) in values { try body("\(path): \(name)", rebuildEntry(new)) }
                try mutate(entries[index].value, path: path, rebuild: rebuildEntry, body)
            }
        case .list(let elements):
            for index in elements.indices {
                try mutate(
                    elements[index], path: "\(path)[\(index)]",
                    rebuild: { new in
                        var changed = elements
                        changed[index] = new
                        return rebuild(replacing(value, .list(changed)))
                    }, body)
            }
        case .scalar, .null: break
        }
    }

    private static func entry(_ key: String) -> ConfigEntry {
        ConfigEntry(key: key, keyLocation: place, value: text("x"))
    }

    private static func replacing(_ value: ConfigValue, _ content: ConfigValue.Content) -> ConfigValue {
        var new = value
        new.content = content
        return new
    }
}
