import Glibc
import Testing

@testable import TraceQL

@Suite("docs/traceql.md")
struct DocumentationTests {
    private static func text() throws -> String {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let file = try #require(fopen("/\(root)/docs/traceql.md", "r"))
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = fread(&buffer, 1, buffer.count, file)
            if count == 0 { return String(decoding: bytes, as: UTF8.self) }
            bytes += buffer[..<count]
        }
    }

    @Test("shows queries that are accepted")
    func examples() throws {
        let blocks = try Self.text().split(separator: "```traceql\n").dropFirst()
        #expect(blocks.count >= 5)
        for block in blocks {
            for line in block.split(separator: "\n").prefix(while: { $0 != "```" }) {
                if case .failure(let problems) = TraceQLQuery.checked(String(line)) {
                    Issue.record("\(problems.rendered(in: String(line)))")
                }
            }
        }
    }

    @Test("names every intrinsic and function")
    func names() throws {
        let text = try Self.text()
        for name in Intrinsic.bare.keys {
            #expect(text.contains("`\(name)`"), "\(name)")
        }
        for (scope, names) in Intrinsic.scoped {
            for name in names.keys { #expect(text.contains("`\(scope):\(name)`"), "\(scope):\(name)") }
        }
        for function in MetricsFunction.allCases { #expect(text.contains("`\(function.rawValue)("), "\(function)") }
        for function in AggregateFunction.allCases { #expect(text.contains("`\(function.rawValue)("), "\(function)") }
        for binary in SpansetOperator.allCases {
            let shown = binary == .or ? "\\|\\|" : binary.rawValue
            #expect(text.contains("`\(shown)`") || text.contains("`A \(shown) B`"), "\(binary.rawValue)")
        }
    }
}
