import Import
import Pipeline
import Testing

struct ImportFormatTests {
    private func detect(_ text: String) -> ImportFormat? {
        YAMLLoader.load(text: text, file: "x.yaml", environment: nil).value.flatMap(ImportFormat.detect)
    }

    @Test("a file says by its keys what it is")
    func detection() {
        #expect(detect("receivers: {}\nservice: {}") == .collector)
        #expect(detect("RulesVersion: 2\nSamplers: {}") == .refineryRules)
        #expect(detect("pipeline: x\nstages: {}") == nil)
        #expect(detect("[1]") == nil)
    }
}
