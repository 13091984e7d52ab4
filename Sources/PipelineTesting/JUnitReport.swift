import Pipeline

/// Results as JUnit XML, as CI systems read it (https://github.com/testmoapp/junitxml).
public struct JUnitReport: Sendable {
    private struct Suite {
        var name: String
        var file: String
        var cases: [String] = []
        var failures = 0
        var errors = 0
    }

    private var suites: [Suite] = []

    public init() {}

    /// Adds a pipeline that could be run.
    public mutating func add(pipeline: String, file: String, _ results: [PipelineTestResult]) {
        var suite = Suite(name: pipeline, file: file)
        for result in results {
            let attributes =
                "name=\"\(Self.escaped(result.name))\" classname=\"\(Self.escaped(pipeline))\" "
                + "file=\"\(Self.escaped(file))\" line=\"\(result.location.line)\""
            guard !result.failures.isEmpty else {
                suite.cases.append("    <testcase \(attributes)/>\n")
                continue
            }
            suite.failures += 1
            // Some readers take the first failure of a case only: it has the text of all.
            let message = result.failures.map(\.message).first ?? ""
            let text = result.failures.map { failure in
                (["\(failure.location): \(failure.message)"] + failure.notes.map { "  \($0)" }).joined(separator: "\n")
            }.joined(separator: "\n")
            suite.cases.append(
                "    <testcase \(attributes)>\n"
                    + "      <failure message=\"\(Self.escaped(message))\" type=\"expectation\">\(Self.escaped(text, isText: true))"
                    + "</failure>\n    </testcase>\n")
        }
        suites.append(suite)
    }

    /// Adds a file that could not be loaded.
    public mutating func add(file: String, problems: [String]) {
        var suite = Suite(name: file, file: file)
        suite.errors = 1
        suite.cases.append(
            "    <testcase name=\"the file is valid\" classname=\"\(Self.escaped(file))\" "
                + "file=\"\(Self.escaped(file))\">\n"
                + "      <error message=\"\(Self.escaped(problems.first ?? ""))\" type=\"invalid\">"
                + "\(Self.escaped(problems.joined(separator: "\n"), isText: true))</error>\n    </testcase>\n")
        suites.append(suite)
    }

    public var rendered: String {
        func totals(_ suites: [Suite]) -> String {
            "tests=\"\(suites.reduce(0) { $0 + $1.cases.count })\" "
                + "failures=\"\(suites.reduce(0) { $0 + $1.failures })\" "
                + "errors=\"\(suites.reduce(0) { $0 + $1.errors })\""
        }
        var text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"tailrace test\" \(totals(suites))>\n"
        for suite in suites {
            text += "  <testsuite name=\"\(Self.escaped(suite.name))\" file=\"\(Self.escaped(suite.file))\" "
            text += "\(totals([suite]))>\n\(suite.cases.joined())  </testsuite>\n"
        }
        return text + "</testsuites>\n"
    }

    /// Characters that XML 1.0 has no way to write become a replacement character.
    ///
    /// - Parameter isText: between tags, where line breaks stay as they are.
    private static func escaped(_ text: String, isText: Bool = false) -> String {
        var escaped = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": escaped.append(contentsOf: "&amp;".unicodeScalars)
            case "<": escaped.append(contentsOf: "&lt;".unicodeScalars)
            case ">": escaped.append(contentsOf: "&gt;".unicodeScalars)
            case "\"": escaped.append(contentsOf: "&quot;".unicodeScalars)
            case "\n" where isText: escaped.append(scalar)
            case "\n": escaped.append(contentsOf: "&#10;".unicodeScalars)
            case "\t": escaped.append(contentsOf: "&#9;".unicodeScalars)
            default:
                let isAllowed = scalar.value >= 0x20 && scalar.value != 0xFFFE && scalar.value != 0xFFFF
                escaped.append(isAllowed ? scalar : "\u{FFFD}")
            }
        }
        return String(escaped)
    }
}
