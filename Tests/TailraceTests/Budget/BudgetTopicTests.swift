import BrokerTestSupport
import Kafka
import Sampling
import Testing

@testable import Tailrace

/// The compacted topic of a fleet, on both kinds of broker.
@Suite("Topic of a fleet's budget", .serialized)
struct BudgetTopicTests {
    private struct Heard: Sendable {
        var entries: [String: Double] = [:]
        var departures: Set<String> = []
        var log: [String] = []
    }

    private static func topic(
        _ brokers: String, _ name: String, fleet: String = "shop"
    ) throws -> (topic: BudgetTopic, heard: Box<Heard>) {
        let heard = Box(Heard())
        let topic = BudgetTopic(
            BudgetTopic.Place(brokers: brokers, options: [], topic: name, fleet: fleet),
            onEntry: { entry, _ in
                heard.update { $0.entries[entry.worker] = entry.demands.first?.partitions.first?.demand }
            }, onDeparture: { worker in heard.update { _ = $0.departures.insert(worker) } },
            log: { line in heard.update { $0.log.append(line) } })
        try topic.start()
        return (topic, heard)
    }

    private static func entry(_ worker: String, _ sequence: UInt64, demand: Double) -> FleetEntry {
        FleetEntry(
            worker: worker, sequence: sequence,
            demands: [
                FleetEntry.Demand(budget: "sample/rest", partitions: [.init(name: "otlp_spans/0", demand: demand)])
            ])
    }

    private static func workersHearEachOther(_ brokers: String) throws {
        let name = "tailrace.budget-\(UInt32.random(in: 0 ... .max))"
        let (first, heardByFirst) = try topic(brokers, name)
        let (second, heardBySecond) = try topic(brokers, name)
        let (stranger, heardByStranger) = try topic(brokers, name, fleet: "other")
        defer { stranger.stop(worker: "c") }
        var sequence: UInt64 = 0
        let hearEachOther = eventually(within: 60_000) {
            sequence += 1
            first.publish(entry("a", sequence, demand: 10))
            second.publish(entry("b", sequence, demand: 20))
            return heardByFirst.value.entries == ["a": 10, "b": 20]
                && heardBySecond.value.entries == ["a": 10, "b": 20]
        }
        #expect(
            hearEachOther,
            "\(heardByFirst.value) \(heardBySecond.value) \(first.lastProblem ?? "") \(second.lastProblem ?? "")")
        #expect(first.lastProblem == nil && second.lastProblem == nil)
        second.stop(worker: "b")
        let heardGoodBye = eventually(within: 20_000) { heardByFirst.value.departures == ["b"] }
        #expect(heardGoodBye, "\(heardByFirst.value)")
        first.stop(worker: "a")
        #expect(heardByStranger.value.entries.isEmpty, "entries of another fleet are not its business")
    }

    @Test("workers hear what others are offered, and that one leaves (embedded broker)")
    func embedded() throws {
        let broker = try EmbeddedBroker()
        defer { broker.close() }
        try Self.workersHearEachOther(broker.bootstrapServers)
    }

    @Test("workers make a compacted topic and hear each other in it (separate broker)")
    func separate() throws {
        guard let broker = RealBroker.shared else { return }
        try Self.workersHearEachOther(broker.bootstrapServers)
    }
}
