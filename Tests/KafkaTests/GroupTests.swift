import BrokerTestSupport
import Kafka
import Testing

/// Every strategy with every broker.
struct GroupCase: Sendable, CustomTestStringConvertible {
    var cluster: TestCluster
    var strategy: KafkaConsumer.AssignmentStrategy
    var testDescription: String { "\(cluster.rawValue) broker, \(strategy.rawValue)" }

    static var all: [GroupCase] {
        TestCluster.available.flatMap { cluster in
            [.eager, .cooperativeSticky].map { GroupCase(cluster: cluster, strategy: $0) }
        }
    }
}

@Suite("consumer groups")
struct GroupTests {
    @Test("a revoked partition is flushed before it goes, and its next owner starts there", arguments: GroupCase.all)
    func handover(_ test: GroupCase) throws {
        let cluster = try test.cluster.start()
        let topic = try cluster.makeTopic(partitions: 4)
        try cluster.fill(topic, partitions: 4, count: 50)
        let group = uniqueName("group")
        let members = try (0..<2).map { number in
            try Member(
                cluster.makeConsumer(group: group) {
                    $0.assignmentStrategy = test.strategy
                    $0.clientID = "member-\(number)"
                })
        }
        try members[0].consumer.subscribe(topics: [topic], handler: members[0].handler)
        let gotAll = eventually {
            members[0].poll(11)
            return members[0].handler.owned.count == 4 && members[0].records.count >= 60
        }
        #expect(gotAll)
        // The records of one poll stay in hand, unpublished, when the second member comes.
        try members[1].consumer.subscribe(topics: [topic], handler: members[1].handler)
        let isShared = eventually(within: 30_000) {
            for member in members { member.poll(11) }
            return members.allSatisfy { $0.handler.owned.count == 2 }
        }
        #expect(isShared)
        #expect(members[0].handler.owned.isDisjoint(with: members[1].handler.owned))
        let revoked = members[0].handler.revocations.flatMap(\.partitions)
        if test.strategy == .cooperativeSticky {
            #expect(Set(revoked) == members[1].handler.owned, "only what moves is given back")
        } else {
            #expect(Set(revoked).count == 4, "everything is given back")
        }
        #expect(members[0].handler.revocations.allSatisfy { !$0.lost })
        try cluster.fill(topic, partitions: 4, count: 50, from: 50)
        let isComplete = eventually {
            for member in members { member.poll(100) }
            return Set(members.flatMap(\.records)).count >= 400
        }
        #expect(isComplete)
        let records = members.flatMap(\.records)
        #expect(Set(records).count == 400)
        // librdkafka's mock broker refuses commits while a rebalance is under way; Kafka takes them from the members of
        // the old generation. Without that commit the next owner repeats records, but never loses any.
        let failures = members.flatMap(\.failures).compactMap { $0 as? KafkaError }
        if failures.isEmpty {
            #expect(records.count == 400, "each record once: the commit of the revoke was seen")
        } else {
            #expect(test.cluster == .embedded)
            #expect(failures.allSatisfy { $0.code == .rebalancing || $0.code == .fenced })
        }
        for member in members { member.consumer.close() }
        #expect(members.allSatisfy { $0.handler.owned.isEmpty }, "close gives everything back")
        guard test.cluster == .real else { return }
        #expect(try KafkaAdmin(cluster.options).lag(group: group, topic: topic).values.allSatisfy { $0 == 0 })
    }

    @Test("a member that polls lives on past max.poll.interval; one that does not is told that it lost its partitions")
    func pollInterval() throws {
        let cluster = try TestCluster.embedded.start()
        let topic = try cluster.makeTopic(partitions: 1)
        let consumer = try cluster.makeConsumer(group: uniqueName("group")) {
            $0.sessionTimeoutMs = 4_000
            $0.maxPollIntervalMs = 4_000
        }
        let handler = RecordingHandler()
        try consumer.subscribe(topics: [topic], handler: handler)
        let isAssigned = eventually {
            _ = consumer.poll(maxMessages: 10, timeoutMs: 50)
            return !handler.owned.isEmpty
        }
        #expect(isAssigned)
        let end = nowMs() + 6_000
        var events: [KafkaEvent] = []
        while nowMs() < end { events += consumer.poll(maxMessages: 10, timeoutMs: 100).events }
        #expect(handler.revocations.isEmpty)
        #expect(events.errors.isEmpty)
        #expect(eventually { consumer.isAssignmentLost })
        #expect(
            eventually {
                events += consumer.poll(maxMessages: 10, timeoutMs: 50).events
                return !handler.revocations.isEmpty
            })
        #expect(handler.revocations.first?.lost == true)
        #expect(!events.errors.isEmpty, "and why: max.poll.interval.ms")
        consumer.close()
    }

    @Test("a static member that comes back keeps its partitions without a rebalance of the others")
    func staticMember() throws {
        // The mock broker of librdkafka knows no static members.
        guard RealBroker.shared != nil else {
            print("skipped: a static member needs the real broker")
            return
        }
        let cluster = try TestCluster.real.start()
        let topic = try cluster.makeTopic(partitions: 4)
        let group = uniqueName("group")
        func make(_ instance: String) throws -> Member {
            try Member(
                cluster.makeConsumer(group: group) {
                    $0.groupInstanceID = instance
                    $0.sessionTimeoutMs = 20_000
                    $0.assignmentStrategy = .eager
                })
        }
        let stays = try make("stays")
        let restarts = try make("restarts")
        for member in [stays, restarts] { try member.consumer.subscribe(topics: [topic], handler: member.handler) }
        let isShared = eventually(within: 30_000) {
            for member in [stays, restarts] { member.poll(10) }
            return stays.handler.owned.count == 2 && restarts.handler.owned.count == 2
        }
        #expect(isShared)
        guard isShared else { return }
        let owned = restarts.handler.owned
        let revocations = stays.handler.revocations.count
        restarts.consumer.close()
        let again = try make("restarts")
        try again.consumer.subscribe(topics: [topic], handler: again.handler)
        let isBack = eventually(within: 15_000) {
            for member in [stays, again] { member.poll(10) }
            return again.handler.owned.count == 2
        }
        #expect(isBack)
        #expect(again.handler.owned == owned)
        #expect(stays.handler.revocations.count == revocations)
        for member in [stays, again] { member.consumer.close() }
    }

    @Test("a partition starts where its owner says, else at the commit, else at the configured start")
    func starts() throws {
        let cluster = try TestCluster.embedded.start()
        let topic = try cluster.makeTopic(partitions: 3)
        try cluster.fill(topic, partitions: 3, count: 10)
        let group = uniqueName("group")
        let writer = try cluster.makeConsumer(group: group)
        try writer.commit([partition(topic, 1): KafkaCommittedOffset(offset: 7)], wait: true)
        writer.close()
        let consumer = try cluster.makeConsumer(group: group)
        let handler = RecordingHandler()
        handler.starts = [partition(topic, 0): 4]
        try consumer.subscribe(topics: [topic], handler: handler)
        let read = consumer.read { records, _ in records.count >= 6 + 3 + 10 }
        let first = Dictionary(grouping: read.records, by: \.partition.partition).mapValues { $0.map(\.offset).min() }
        #expect(first == [0: 4, 1: 7, 2: 0])
        consumer.close()
    }
}

/// A consumer that keeps what it read and commits it when a partition goes.
private final class Member {
    let consumer: KafkaConsumer
    let handler = RecordingHandler()
    private(set) var records: [Record] = []
    private(set) var failures: [any Error] = []
    private var positions: [KafkaPartition: Int64] = [:]

    init(_ consumer: KafkaConsumer) {
        self.consumer = consumer
        handler.onRevoke = { [unowned self] partitions, lost in
            guard !lost else { return }
            let offsets = positions.filter { partitions.contains($0.key) }
            do {
                try self.consumer.commit(offsets.mapValues { KafkaCommittedOffset(offset: $0) }, wait: true)
            } catch {
                failures.append(error)
            }
            for partition in partitions { positions[partition] = nil }
        }
    }

    func poll(_ count: Int) {
        for batch in consumer.poll(maxMessages: count, timeoutMs: 20).batches {
            records += batch.records
            if let last = batch.lastOffset { positions[batch.partition] = last + 1 }
        }
    }
}
