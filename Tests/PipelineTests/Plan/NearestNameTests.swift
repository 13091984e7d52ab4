import Spelling
import Testing

@Suite("A suggestion is what was meant, or nothing")
struct NearestNameTests {
    @Test(arguments: [
        ("latancy", "latency"), ("topik", "topic"), ("tpoic", "topic"), ("otlpproto", "otlp_proto"),
        ("OTLP-Proto", "otlp_proto"), ("attrib", "attributes"), ("sampel", "sample"), ("latencyy", "latency"),
    ])
    func close(_ written: String, _ meant: String) {
        let names = ["topic", "latency", "otlp_proto", "attributes", "sample", "id"]
        #expect(NearestName.nearest(to: written, among: names) == meant)
    }

    @Test(arguments: ["", "x", "in", "colour", "top", "elasticsearch", String(repeating: "a", count: 10_000)])
    func nothingIsClose(_ written: String) {
        #expect(NearestName.nearest(to: written, among: ["id", "kafka", "segments", ""]) == nil)
    }

    @Test func theClosestWinsAndThenTheFirst() {
        #expect(NearestName.nearest(to: "kafak_sink", among: ["kafka_link", "kafka_sink"]) == "kafka_sink")
        #expect(NearestName.nearest(to: "bat", among: ["cat", "rat"]) == "cat")
    }
}
