/// FNV-1a (32 bits) over configuration, in a form that does not depend on how it was written down.
struct ConfigurationHash {
    private(set) var value: UInt32 = 2_166_136_261

    mutating func combine(_ byte: UInt8) {
        value = (value ^ UInt32(byte)) &* 16_777_619
    }

    /// The length goes first, so that neighbouring texts cannot run into each other.
    mutating func combine(_ text: String) {
        var count = UInt64(text.utf8.count)
        repeat {
            combine(UInt8(truncatingIfNeeded: count & 0x7F) | (count > 0x7F ? 0x80 : 0))
            count >>= 7
        } while count > 0
        for byte in text.utf8 { combine(byte) }
    }

    /// Keys in sorted order; how a scalar was quoted makes no difference.
    mutating func combine(_ value: ConfigValue, ignoring: [String] = []) {
        switch value.content {
        case .null:
            combine(UInt8(ascii: "n"))
        case .scalar(let text, _):
            combine(UInt8(ascii: "s"))
            combine(text)
        case .list(let elements):
            combine(UInt8(ascii: "l"))
            combine(String(elements.count))
            for element in elements { combine(element) }
        case .map(let entries):
            let entries = entries.filter { !ignoring.contains($0.key) }.sorted { $0.key < $1.key }
            combine(UInt8(ascii: "m"))
            combine(String(entries.count))
            for entry in entries {
                combine(entry.key)
                combine(entry.value)
            }
        }
    }

    /// One stage's kind and settings, without its edges.
    static func hash(kind: String, settings: ConfigValue) -> UInt32 {
        var hash = ConfigurationHash()
        hash.combine(kind)
        hash.combine(settings, ignoring: PipelineFile.reservedKeys)
        return hash.value
    }

    /// All stages with their edges, whatever their order in the file.
    static func hash(of stages: [PipelinePlan.Stage]) -> UInt32 {
        var hash = ConfigurationHash()
        for stage in stages.sorted(by: { $0.name < $1.name }) {
            hash.combine(stage.name)
            hash.combine(stage.kind)
            hash.combine(stage.settings.value, ignoring: PipelineFile.reservedKeys)
            let inputs = stage.inputs.map { edge in
                let from = stages[edge.stage]
                return "\(from.name).\(from.definition.outputs[edge.port].name)"
            }
            hash.combine(String(inputs.count))
            for input in inputs.sorted() { hash.combine(input) }
        }
        return hash.value
    }
}
