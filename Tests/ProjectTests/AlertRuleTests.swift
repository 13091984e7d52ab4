import Testing
import Yams

@Suite("The alert rules")
struct AlertRuleTests {
    @Test("have an expression, a severity and a summary each, and names that are used once")
    func complete() throws {
        let loaded = try Yams.load(yaml: try Project.text("config/alerts.yml")) as? [String: Any]
        let groups = try #require(loaded?["groups"] as? [[String: Any]])
        let rules = groups.flatMap { $0["rules"] as? [[String: Any]] ?? [] }
        var names: Set<String> = []
        for rule in rules {
            let name = try #require(rule["alert"] as? String)
            #expect(names.insert(name).inserted, "\(name) twice")
            #expect(rule["expr"] is String, "\(name)")
            let severity = (rule["labels"] as? [String: Any])?["severity"] as? String ?? ""
            #expect(["critical", "warning"].contains(severity), "\(name)")
            #expect((rule["annotations"] as? [String: Any])?["summary"] is String, "\(name)")
        }
        let operations = try Project.text("docs/operations.md")
        let unexplained = names.filter { !operations.contains("`\($0)`") }
        #expect(unexplained.isEmpty, "docs/operations.md says nothing of them")
    }
}
