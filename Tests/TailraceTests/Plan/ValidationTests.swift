import Foundation
import Pipeline
import Tailrace
import Testing

@Suite("Validation of built-in stages")
struct ValidationTests {
    @Test("a misspelt key hides no other mistake of its stage")
    func allMistakesOfAStage() throws {
        let text = """
            pipeline: two
            stages:
              spans: { kind: kafka, brokers: "localhost:1", topic: x, group: "${TAILRACE_TEST_UNSET}" }
              sample:
                kind: tail_sampler
                from: spans
                window: { max: 4s, setle: 1s }
                policies:
                  - { name: slow, type: latancy, latency: { threshold_ms: 10 } }
              store: { kind: segments, from: sample, path: x }
            """
        let result = PipelinePlan.load(
            text: text, file: "two.yaml", registry: .builtIn, environment: [:])
        let messages = result.diagnostics.sorted.map(\.description)
        #expect(messages.count == 3, "\(messages)")
        #expect(messages.contains { $0.hasPrefix("two.yaml:3:") && $0.contains("TAILRACE_TEST_UNSET") })
        #expect(messages.contains { $0.hasPrefix("two.yaml:7:") && $0.contains("\"settle\"") })
        #expect(messages.contains { $0.hasPrefix("two.yaml:9:") && $0.contains("\"latency\"") })
    }
}
