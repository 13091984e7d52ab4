import Kafka
import Pipeline
import Sampling
import Synchronization

/// The compacted topic in which the workers of a fleet tell each other what they are offered: a thread that reads it, and a
/// producer. What the entries mean is `FleetBudget`'s business.
///
/// Everything is in partition 0. No group: every worker reads all entries.
final class BudgetTopic: @unchecked Sendable {
    // @unchecked: `thread` is set once by `start` and read by `stop`, which the coordinator calls one after the other.

    struct Place: Hashable {
        var brokers: String
        /// librdkafka options, in order.
        var options: [KafkaClientOptions.Option]
        var topic: String
        /// Workers with the same consumer group and pipeline share a budget.
        var fleet: String
    }

    /// Entries of the past that are looked at when reading begins: several rounds of a large fleet.
    private static let backlog: Int64 = 2000
    private static let partition: Int32 = 0

    let place: Place
    private let onEntry: @Sendable (FleetEntry, _ isBacklog: Bool) -> Void
    private let onDeparture: @Sendable (_ worker: String) -> Void
    private let log: @Sendable (String) -> Void
    private let producer = Mutex<KafkaProducer?>(nil)
    private let isStopping = Atomic(false)
    private let problem = Mutex<String?>(nil)
    private var thread: NamedThread?

    /// - Parameters:
    ///   - onEntry: called on the topic's thread, as is `onDeparture`.
    init(
        _ place: Place, onEntry: @escaping @Sendable (FleetEntry, Bool) -> Void,
        onDeparture: @escaping @Sendable (String) -> Void, log: @escaping @Sendable (String) -> Void
    ) {
        self.place = place
        self.onEntry = onEntry
        self.onDeparture = onDeparture
        self.log = log
    }

    func start() throws {
        thread = try NamedThread(name: "budget-topic") { [unowned self] in run() }
    }

    /// Says good-bye, so that the others need not wait for silence, and ends the thread.
    func stop(worker: String) {
        isStopping.store(true, ordering: .relaxed)
        thread?.join()
        thread = nil
        let producer = producer.withLock { producer in
            defer { producer = nil }
            return producer
        }
        guard let producer else { return }
        try? producer.send(topic: place.topic, partition: Self.partition, key: key(of: worker), value: nil)
        producer.close(flushTimeoutMs: 1000)
    }

    /// What keeps the topic from being used; nil while it is.
    var lastProblem: String? { problem.withLock { $0 } }

    /// Sends an entry without waiting. One that cannot be sent is lost: the next one says it anew.
    func publish(_ entry: FleetEntry) {
        guard let producer = producer.withLock({ $0 }) else { return }
        do {
            try producer.send(
                topic: place.topic, partition: Self.partition, key: key(of: entry.worker), value: entry.encoded())
        } catch {
            note(error)
        }
    }

    // MARK: - The thread

    private func run() {
        while !isStopping.load(ordering: .relaxed) {
            do {
                try read()
            } catch {
                note(error)
                pause(milliseconds: 2000)
            }
        }
    }

    private func read() throws(KafkaError) {
        let client = KafkaClientOptions(brokers: place.brokers, options: place.options)
        let admin = try KafkaAdmin(client)
        if producer.withLock({ $0 == nil }) {
            let made = try KafkaProducer(producerConfiguration(client))
            producer.withLock { $0 = made }
        }
        try makeIfMissing(admin)
        let partition = KafkaPartition(topic: place.topic, partition: Self.partition)
        guard let log = try admin.watermarks(topic: place.topic, timeoutMs: 2000)[partition] else {
            throw KafkaError(.unknownTopic, "topic \(place.topic) has no partition \(Self.partition)")
        }
        var configuration = KafkaConsumer.Configuration(client: client, groupID: nil)
        configuration.clientID = "tailrace-budget"
        // Only what is new counts: a gap in the log is no loss here.
        configuration.offsetReset = .latest
        configuration.queuedMaxKBytes = 1024
        let consumer = try KafkaConsumer(configuration)
        defer { consumer.close() }
        try consumer.assign([partition: max(log.low, log.high - Self.backlog)])
        problem.withLock { $0 = nil }
        while !isStopping.load(ordering: .relaxed) {
            let result = consumer.poll(maxMessages: 1000, timeoutMs: 100)
            for batch in result.batches {
                for index in 0..<batch.count { take(batch, index, end: log.high) }
                batch.destroy()
            }
            for event in result.events {
                switch event {
                case .error(let error), .partitionError(_, let error):
                    if error.isFatal || error.code == .unknownTopic { throw error }
                    note(error)
                case .offsetOutOfRange, .partitionEnd, .committed: break
                }
            }
        }
    }

    private func take(_ batch: KafkaMessageBatch, _ index: Int, end: Int64) {
        guard let key = batch.key(index) else { return }
        let text = String(decoding: key, as: UTF8.self)
        let prefix = place.fleet + "/"
        guard text.hasPrefix(prefix) else { return }
        let worker = String(text.dropFirst(prefix.count))
        problem.withLock { $0 = nil }
        if batch.isTombstone(index) { return onDeparture(worker) }
        // What another version of the program or a person wrote says nothing.
        guard let entry = FleetEntry(batch.payload(index)), entry.worker == worker else { return }
        onEntry(entry, batch.offset(index) < end)
    }

    private func makeIfMissing(_ admin: KafkaAdmin) throws(KafkaError) {
        do throws(KafkaError) {
            _ = try admin.topic(place.topic, timeoutMs: 2000)
            return
        } catch {
            guard error.code == .unknownTopic else { throw error }
        }
        do throws(KafkaError) {
            // Small segments, so that compaction comes to them: only the newest entry of a worker is of use. -1: as many copies as
            // the brokers make by default.
            try admin.createTopicIfMissing(
                place.topic, partitions: 1, replication: -1,
                config: [
                    ("cleanup.policy", "compact"), ("segment.ms", "600000"), ("segment.bytes", "16777216"),
                    ("min.cleanable.dirty.ratio", "0.1"), ("delete.retention.ms", "60000"),
                ], timeoutMs: 3000)
        } catch {
            // Brokers may make topics when something is sent to them (an embedded one does nothing else).
            publish(FleetEntry(worker: "nobody", sequence: 1, demands: []))
            let reason = error
            do throws(KafkaError) {
                try producer.withLock { $0 }?.flush(timeoutMs: 2000)
                _ = try admin.topic(place.topic, timeoutMs: 2000)
            } catch {
                throw reason
            }
        }
    }

    private func producerConfiguration(_ client: KafkaClientOptions) -> KafkaProducer.Configuration {
        var configuration = KafkaProducer.Configuration(client: client)
        configuration.clientID = "tailrace-budget"
        // An entry that comes twice or too late does no harm; one that is retried for long is of no use.
        configuration.idempotent = false
        configuration.lingerMs = 5
        configuration.deliveryTimeoutMs = 5000
        configuration.unknownTopicTimeoutMs = 2000
        configuration.queueMaxMessages = 1000
        configuration.sendTimeoutMs = 0
        return configuration
    }

    private func key(of worker: String) -> [UInt8] { Array("\(place.fleet)/\(worker)".utf8) }

    /// Logged once, not with every attempt.
    private func note(_ error: KafkaError) {
        let isNew = problem.withLock { problem in
            defer { problem = error.description }
            return problem == nil
        }
        if isNew {
            log("topic \(place.topic) cannot be used, budgets are shared by partitions meanwhile: \(error)")
        }
    }

    private func pause(milliseconds: Int) {
        for _ in 0..<milliseconds / 50 where !isStopping.load(ordering: .relaxed) {
            NamedThread.pause(milliseconds: 50)
        }
    }
}
