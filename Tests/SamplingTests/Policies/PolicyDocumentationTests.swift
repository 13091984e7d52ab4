import Foundation
import Pipeline
import Testing

@testable import Sampling

/// docs/policies.md against the code.
struct PolicyDocumentationTests {
    private static func page() throws -> String {
        var folder = URL(fileURLWithPath: #filePath)
        for _ in 0..<4 { folder.deleteLastPathComponent() }
        return try String(contentsOf: folder.appendingPathComponent("docs/policies.md"), encoding: .utf8)
    }

    @Test("every type has a section that names its keys", arguments: BuiltInPolicies.all.map(\.type))
    func sections(type: String) throws {
        let sections = try Self.page().components(separatedBy: "\n### ")
        let names = { (section: String) in
            (section.components(separatedBy: "\n").first ?? "").components(separatedBy: ", ")
        }
        let section = try #require(
            sections.first { names($0).contains(type) }, "docs/policies.md has no section \(type)")
        for option in BuiltInPolicies[type]?.options ?? [] {
            #expect(section.contains(option.name), "section \(type) does not name \(option.name)")
        }
    }

    @Test("the examples load without a word")
    func examples() throws {
        let parts = try Self.page().components(separatedBy: "```yaml\n").dropFirst()
        #expect(parts.count >= 6)
        for part in parts {
            let block = part.components(separatedBy: "```").first ?? ""
            let lines =
                block.hasPrefix("policies:")
                ? block : "policies:\n" + block.split(separator: "\n").map { "  \($0)" }.joined(separator: "\n")
            let messages = TestPipeline.messages(lines)
            // The example of composite leaves out a share on purpose.
            #expect(messages.allSatisfy { $0.contains("gets an equal share") }, "\(messages) in\n\(lines)")
        }
    }

    @Test(
        "scrubbers that change what policies compare are applied before them",
        arguments: [
            ("{ name: p, type: string_attribute, string_attribute: { key: k, values: [v] } }", ["k"]),
            ("{ name: p, type: trace_flags }", []),
            ("{ name: p, type: root, service: [a], attributes: { x: y } }", ["service.name", "x"]),
            (
                "{ name: p, type: and, and: { and_sub_policy: [{ name: n, type: numeric_attribute, numeric_attribute: { key: n } }] } }",
                ["n"]
            ),
            (
                #"{ name: p, type: ottl_condition, ottl_condition: { span: ['Len(attributes["a"]) > 1 and resource.attributes["b"] == nil'] } }"#,
                ["a", "b"]
            ),
            ("{ name: p, type: ottl_condition, ottl_condition: { span: ['attributes != nil'] } }", nil),
            ("{ name: p, type: traceql, query: '{ duration > 1s && name = \"x\" }' }", []),
            (
                "{ name: p, type: traceql, query: '{ span.a = 1 } >> { .b = 2 } | by(resource.c) | max(span.d) > 1' }",
                ["a", "b", "c", "d"]
            ),
            (
                "{ name: p, type: traceql, query: '{ rootServiceName = \"shop\" && parent.e = 1 }' }",
                ["e", "service.name"]
            ),
        ] as [(String, [String]?)])
    func keysRead(policy: String, keys: [String]?) throws {
        let (plan, diagnostics) = TestPipeline.load("policies: [\(policy)]")
        let stage = try #require(plan?.index(of: "sample"), "\(diagnostics.sorted)")
        let settings = try #require(plan?.stages[stage].settings)
        #expect(TailSamplerStage.definition.attributeKeysRead(settings) == keys)
    }
}
