/// Writes Prometheus' text exposition format:
/// https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
public struct MetricsText {
    public private(set) var rendered = ""
    private let constantLabels: [(String, String)]

    public init(constantLabels: [(String, String)] = []) {
        self.constantLabels = constantLabels
    }

    public mutating func header(_ name: String, _ type: String, _ help: String) {
        rendered += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    }

    public mutating func counter(_ name: String, _ help: String, _ value: UInt64) {
        header(name, "counter", help)
        sample(name, [], value)
    }

    public mutating func gauge(_ name: String, _ help: String, _ value: some BinaryInteger) {
        header(name, "gauge", help)
        sample(name, [], value)
    }

    public mutating func sample(_ name: String, _ labels: [(String, String)], _ value: some BinaryInteger) {
        write(name, labels, String(value))
    }

    public mutating func sample(_ name: String, _ labels: [(String, String)], _ value: Double) {
        write(name, labels, String(value))
    }

    private mutating func write(_ name: String, _ labels: [(String, String)], _ value: String) {
        let all = constantLabels + labels
        rendered += name
        if !all.isEmpty {
            rendered += "{" + all.map { "\($0.0)=\"\(Self.escaped($0.1))\"" }.joined(separator: ",") + "}"
        }
        rendered += " \(value)\n"
    }

    private static func escaped(_ text: String) -> String {
        text.reduce(into: "") { result, character in
            switch character {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.append(character)
            }
        }
    }
}
