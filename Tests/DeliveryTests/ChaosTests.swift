import BrokerTestSupport
import Foundation
import Kafka
import Pipeline
import Testing

/// Several workers on one group and one store, and everything that happens to processes and connections.
@Suite("Chaos", .serialized)
struct ChaosTests {
    @Test(
        "three workers that are killed, stopped, frozen and replaced at random lose and double nothing (embedded broker)"
    )
    func embedded() throws {
        let broker = try EmbeddedBroker()
        defer { broker.close() }
        try broker.createTopic("otlp_spans", partitions: 6)
        let rounds = ProcessInfo.processInfo.environment["TAILRACE_CHAOS_ROUNDS"].flatMap { Int($0) } ?? 8
        let chaos = try Chaos(brokers: broker.bootstrapServers, topic: "otlp_spans", partitions: 6)
        defer { chaos.cleanUp() }
        let actions: [(Chaos) throws -> Void] = [
            { try $0.killOne() }, { try $0.stopOne() }, { try $0.freezeOne(milliseconds: 2_000) },
            { try $0.freezeOne(milliseconds: 9_000) }, { try $0.addOne() }, { try $0.removeOne() },
            { chaos in
                print("  connections break")
                let breaks = Array(repeating: EmbeddedBroker.Fault.disconnect, count: 6)
                try broker.pushErrors(.fetch, breaks)
                try broker.pushErrors(.heartbeat, breaks)
                try broker.pushErrors(.offsetCommit, breaks)
                try chaos.keepWriting(milliseconds: 2_000)
            },
            { chaos in
                print("  every answer takes 400 ms for 3 s")
                try broker.setRoundTripTime(400)
                defer { try? broker.setRoundTripTime(0) }
                try chaos.keepWriting(milliseconds: 3_000)
            },
            { chaos in
                print("  the group's coordinator answers with errors")
                try broker.pushErrors(.offsetCommit, [.notCoordinator, .requestTimedOut, .disconnect])
                try broker.pushErrors(.heartbeat, [.rebalanceInProgress])
                try chaos.keepWriting(milliseconds: 1_000)
            },
        ]
        try chaos.run(actions, rounds: rounds)
        try chaos.finish(within: 180_000)
    }

    @Test("three workers that are killed, stopped and frozen at random lose and double nothing (separate broker)")
    func separate() throws {
        guard let broker = RealBroker.shared else { return }
        let topic = "chaos-\(UInt32.random(in: 0 ... .max))"
        try KafkaAdmin(KafkaClientOptions(brokers: broker.bootstrapServers)).createTopicIfMissing(topic, partitions: 4)
        let chaos = try Chaos(brokers: broker.bootstrapServers, topic: topic, partitions: 4)
        defer { chaos.cleanUp() }
        let actions: [(Chaos) throws -> Void] = [
            { try $0.killOne() }, { try $0.stopOne() }, { try $0.freezeOne(milliseconds: 9_000) },
            { chaos in
                print("  the broker is frozen for 2 s")
                broker.freeze()
                defer { broker.thaw() }
                try chaos.keepWriting(milliseconds: 2_000, ignoringErrors: true)
            },
        ]
        // Its groups take more than 20 s to settle, so rounds are few.
        try chaos.run(actions, rounds: 3)
        try chaos.finish(within: 240_000)
    }

    @Test("three workers whose separate broker is killed and started again lose and double nothing")
    func restartedBroker() throws {
        guard let broker = try RestartableBroker.start() else { return }
        defer { broker.close() }
        let topic = "restart-\(UInt32.random(in: 0 ... .max))"
        try KafkaAdmin(KafkaClientOptions(brokers: broker.bootstrapServers)).createTopicIfMissing(topic, partitions: 4)
        let chaos = try Chaos(brokers: broker.bootstrapServers, topic: topic, partitions: 4)
        defer { chaos.cleanUp() }
        try chaos.run([], rounds: 0)
        for alsoAWorker in [false, true] {
            print("  the broker is killed; it is back in 3 s")
            broker.kill()
            #expect(!broker.isListening)
            if alsoAWorker { try chaos.killOne() }
            try chaos.keepWriting(milliseconds: 3_000, ignoringErrors: true)
            try broker.restart()
            // The producer is the first to find it back.
            try chaos.keepWriting(milliseconds: 5_000)
        }
        try chaos.finish(within: 240_000)
    }

    /// Seconds that the long run takes; it is asked for by `make soak-kill`.
    static let soakSeconds = ProcessInfo.processInfo.environment["TAILRACE_SOAK_SECONDS"].flatMap { Int($0) }

    @Test(
        "with a worker killed every 10 s nothing is lost or doubled, and the memory of one that stays is flat",
        .enabled(if: soakSeconds != nil, "takes minutes: make soak-kill, or TAILRACE_SOAK_SECONDS=1200"))
    func soak() throws {
        let seconds = try #require(Self.soakSeconds)
        let broker = try EmbeddedBroker()
        defer { broker.close() }
        try broker.createTopic("otlp_spans", partitions: 6)
        let chaos = try Chaos(brokers: broker.bootstrapServers, topic: "otlp_spans", partitions: 6)
        defer { chaos.cleanUp() }
        try chaos.run([], rounds: 0)
        var resident: [Double] = []
        for second in stride(from: 10, through: seconds, by: 10) {
            try chaos.keepWriting(milliseconds: 10_000)
            try chaos.killOne(sparing: 1)
            guard let bytes = chaos.workers[0].metric("process_resident_memory_bytes") else { continue }
            resident.append(bytes / 1e6)
            print("  \(second) s: \(chaos.producer.traces.count) traces, first worker \(Int(bytes / 1e6)) MB resident")
        }
        try chaos.finish(within: 240_000)
        // The decisions of an hour are remembered, some bytes for each; a leak of the open traces would be far more.
        let settled = resident.dropFirst(resident.count / 4)
        let first = try #require(settled.first)
        let last = try #require(settled.last)
        #expect(last < first * 1.3 + 20, "resident memory grew from \(first) to \(last) MB")
    }

    @Test("a worker that was frozen past its session timeout makes nothing visible when it wakes")
    func zombie() throws {
        let broker = try EmbeddedBroker()
        defer { broker.close() }
        try broker.createTopic("otlp_spans", partitions: 2)
        let chaos = try Chaos(brokers: broker.bootstrapServers, topic: "otlp_spans", partitions: 2, workers: 1)
        defer { chaos.cleanUp() }
        let works = try eventually(within: 60_000) {
            try chaos.producer.write(5)
            return (chaos.workers[0].metric("tailrace_spans_kept_total") ?? 0) > 50
        }
        try #require(works, "\(chaos.workers[0].logText)")
        // It holds open traces and buffered rows when it stops.
        let zombie = chaos.workers[0]
        zombie.freeze()
        try chaos.producer.write(20)
        try chaos.addOne()
        let heir = chaos.workers[1]
        let takesOver = try eventually(within: 90_000) {
            try chaos.producer.write(2)
            return (heir.metric("tailrace_spans_kept_total") ?? 0) > 50
        }
        try #require(takesOver, "\(heir.logText)")
        zombie.thaw()
        try chaos.finish(within: 120_000)
    }
}
