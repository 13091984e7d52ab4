import OTLP
import Pipeline
import Testing
import TraceModel

@testable import Tailrace

struct FilterTests {
    private static let registry: StageRegistry = {
        var registry = StageRegistry()
        registry.register(
            StageDefinition(
                kind: "input", role: .source, summary: "", inputs: [],
                outputs: [OutputPort("spans", .spans, summary: "")], options: [],
                make: .source { _, _ in throw StageError("not here") }))
        registry.register(
            StageDefinition(
                kind: "output", role: .sink, summary: "", inputs: [.spans], outputs: [], options: [],
                make: .sink { _, _ in throw StageError("not here") }))
        for definition in [FilterStage.definition, RouteStage.definition, ValidateStage.definition] {
            registry.register(definition)
        }
        return registry
    }()

    private static func load(_ stage: String) -> (plan: PipelinePlan?, diagnostics: Diagnostics) {
        PipelinePlan.load(
            text: """
                pipeline: p
                stages:
                  spans: { kind: input }
                  stage: { from: spans, \(stage) }
                  out: { kind: output, from: stage }
                """, registry: registry, environment: [:])
    }

    /// Names of the spans that leave on each port, and the codes of those that are rejected.
    private static func sort(
        _ stage: String, _ resources: [ResourceSpans]
    ) throws -> (ports: [[String]], rejected: [String]) {
        let (plan, diagnostics) = load(stage)
        guard let plan, let index = plan.index(of: "stage"),
            case .filter(let make) = plan.stages[index].definition.make
        else { throw StageError(diagnostics.sorted.map(\.description).joined(separator: "\n")) }
        let filter = try make(
            plan.stages[index].settings,
            StageEnvironment(workingDirectory: ".", storeDirectory: ".", incarnation: "i", pipelineName: "p"))
        let batch = SpanBatch()
        var scanner = OTLPScanner()
        let ports = plan.stages[index].definition.outputs.filter { $0.type == .spans }.count
        var outputs = SpanFilterOutputs(portCount: ports)
        let bytes = OTLPEncoder.encode(resources)
        return try bytes.withUnsafeBytes { record in
            try scanner.scan(record, into: batch)
            filter.sort(
                batch, Array(0..<UInt32(batch.count)),
                context: RecordContext(
                    partition: PartitionID(cluster: "", topic: "", partition: 0), offset: 0, timestamp: 0, streamTime: 0
                ),
                into: &outputs)
            return (
                outputs.ports.map { $0.map { batch.string(batch.heads[Int($0)].name) } }, outputs.rejected.map(\.code)
            )
        }
    }

    private static func span(
        _ name: String, kind: SpanKind = .internal, isError: Bool = false, _ attributes: [Attribute] = []
    ) -> Span {
        Span(
            traceID: TraceID(high: 1, low: 1), spanID: SpanID(7), name: name, kind: kind, startTime: 1, endTime: 2,
            attributes: attributes, status: SpanStatus(code: isError ? .error : .ok))
    }

    private static let traffic = [
        ResourceSpans(
            resource: Resource(attributes: [
                Attribute("service.name", .string("shop")), Attribute("zone", .string("a")),
            ]),
            scopeSpans: [
                ScopeSpans(
                    scope: InstrumentationScope(),
                    spans: [
                        span("plain"), span("server", kind: .server, [Attribute("http.status", .int(500))]),
                        span("failed", isError: true, [Attribute("zone", .string("b"))]),
                    ])
            ]),
        ResourceSpans(
            resource: Resource(),
            scopeSpans: [
                ScopeSpans(
                    scope: InstrumentationScope(),
                    spans: [span("nameless", [Attribute("ok", .bool(true)), Attribute("ratio", .double(0.5))])])
            ]),
    ]

    @Test(
        arguments: [
            ("service: shop", ["plain", "server", "failed"]), ("service: [shop, x]", ["plain", "server", "failed"]),
            ("name: [plain, failed]", ["plain", "failed"]), ("kind: [server]", ["server"]), ("error: true", ["failed"]),
            ("error: false", ["plain", "server", "nameless"]),
            // A span's attribute stands before its resource's.
            ("attributes: { zone: a }", ["plain", "server"]), ("attributes: { zone: b }", ["failed"]),
            ("attributes: { http.status: 500 }", ["server"]), ("attributes: { ok: true, ratio: 0.5 }", ["nameless"]),
            ("attributes: { ok: false }", []), ("service: shop, error: false, kind: [internal]", ["plain"]),
            ("", ["plain", "server", "failed", "nameless"]),
            (#"ottl: ['name == "plain"', 'attributes["http.status"] >= 500']"#, ["plain", "server"]),
            (#"error: false, ottl: 'resource.attributes["zone"] == "a"'"#, ["plain", "server"]),
            (#"ottl: ['IsMatch(name, "^n") or kind == SPAN_KIND_SERVER']"#, ["server", "nameless"]),
        ] as [(String, [String])])
    func aRouteSendsEachSpanToOneOfItsPorts(match: String, matched: [String]) throws {
        let (ports, rejected) = try Self.sort("kind: route, match: { \(match) }", Self.traffic)
        let all = ["plain", "server", "failed", "nameless"]
        #expect(ports == [matched, all.filter { !matched.contains($0) }])
        #expect(rejected.isEmpty)
    }

    @Test func aFilterPassesWhatIsIncludedAndNotExcluded() throws {
        let both = try Self.sort(
            "kind: filter, include: { service: shop }, exclude: { error: true }", Self.traffic)
        #expect(both.ports == [["plain", "server"], ["failed", "nameless"]])
        let without = try Self.sort("kind: filter, exclude: { service: shop }", Self.traffic)
        #expect(without.ports == [["nameless"], ["plain", "server", "failed"]])
    }

    @Test("a condition that cannot be read is a mistake with its place")
    func brokenCondition() {
        let filter = Self.load("kind: filter, exclude: { ottl: ['name = 3'] }").diagnostics.sorted
        #expect(filter.count == 1 && filter[0].message.hasPrefix("ottl condition \"name = 3\": "), "\(filter)")
        let route = Self.load("kind: route, match: { ottl: 'nam == \"x\"' }").diagnostics.sorted
        #expect(route.contains { $0.message.contains("nam") }, "\(route)")
    }

    @Test("a filter reads the attributes of its conditions, so that scrubbers before it are applied first")
    func readAttributes() throws {
        let (plan, _) = Self.load(
            "kind: filter, include: { service: a }, exclude: { ottl: ['attributes[\"k\"] == 1'] }")
        let stage = try #require(plan?.stages.first { $0.name == "stage" })
        #expect(stage.definition.attributeKeysRead(stage.settings) == ["service.name", "k"])
    }

    @Test func aFilterWithoutConditionsIsAMistake() {
        #expect(Self.load("kind: filter").diagnostics.sorted.map(\.message) == ["a filter needs include or exclude"])
    }

    @Test func spansOverALimitAreRejectedWithTheLimit() throws {
        func attribute(_ key: Int, _ value: Int) -> Attribute {
            Attribute(String(repeating: "k", count: key), .string(String(repeating: "v", count: value)))
        }
        let spans = [
            Self.span("fits", [attribute(8, 16), attribute(1, 1)]), Self.span("key", [attribute(9, 1)]),
            Self.span("value", [attribute(1, 17)]),
            Self.span("many", [attribute(1, 1), attribute(2, 1), attribute(3, 1)]),
            Self.span("bytes", [Attribute("b", .bytes(Array(repeating: 0, count: 17)))]),
        ]
        let resource = ResourceSpans(
            resource: Resource(), scopeSpans: [ScopeSpans(scope: InstrumentationScope(), spans: spans)])
        let (ports, rejected) = try Self.sort(
            "kind: validate, max_attributes: 2, max_key_length: 8, max_value_length: 16", [resource])
        #expect(ports == [["fits"]])
        #expect(rejected == ["key_too_long", "value_too_long", "too_many_attributes", "value_too_long"])
    }
}
