import Kafka
import Pipeline
public import Storage
import Synchronization

/// Sends dead letters to a topic again and keeps the journal of it.
///
/// The order is the promise: checked, sent, acknowledged, journal durable. Only then a letter has left the list. Not
/// thread-safe.
public final class DeadLetterRetry {
    public struct Outcome: Sendable, Equatable {
        public var sent = 0
        public var failed = 0

        public init() {}
    }

    private struct Waiting {
        var letter: DeadLetter
        var id: String
    }

    private let journal: RetryJournal
    private let check: DeadLetterCheck?
    private let producer: KafkaProducer
    private let topic: String
    private let deliveries: Deliveries
    private var waiting: [Waiting] = []
    private var waitingBytes = 0
    public private(set) var outcome = Outcome()

    /// Acknowledgements by the number of the message in its group; written on the producer's thread.
    private final class Deliveries: Sendable {
        let results = Mutex<[UInt: (error: String?, place: String)]>([:])
    }

    /// - Parameters:
    ///   - topic: where letters go. Those that came from it go to the partition they were in.
    ///   - check: refuses letters before they are sent; nil sends all.
    public init(
        journal: RetryJournal, address: ClusterAddress, topic: String, check: DeadLetterCheck?
    ) throws {
        let deliveries = Deliveries()
        var configuration = KafkaProducer.Configuration(client: address.client)
        configuration.maxMessageBytes = 256 << 20
        configuration.onDelivery = { delivery in
            let place = "\(delivery.partition.topic)/\(delivery.partition.partition)/\(delivery.offset)"
            let error = delivery.error.map { "\($0)" }
            deliveries.results.withLock { $0[delivery.token] = (error, place) }
        }
        self.journal = journal
        self.check = check
        self.topic = topic
        self.deliveries = deliveries
        producer = try KafkaProducer(configuration)
    }

    /// Takes one letter. Sends when enough wait.
    public func add(_ letter: DeadLetter) throws {
        waiting.append(Waiting(letter: letter, id: letter.id))
        waitingBytes += letter.payload.count
        if waiting.count >= 500 || waitingBytes >= 32 << 20 { try send() }
    }

    /// Sends what waits. Throws when the journal cannot be written: what was sent may be sent again then.
    public func finish() throws {
        try send()
        producer.close()
    }

    private func send() throws {
        let group = waiting
        waiting = []
        waitingBytes = 0
        if group.isEmpty { return }
        var attempts: [RetryJournal.Attempt] = []
        func fail(_ index: Int, _ reason: String) {
            attempts.append(.init(id: group[index].id, isSent: false, note: reason, time: WallClock.now()))
            outcome.failed += 1
        }
        deliveries.results.withLock { $0 = [:] }
        var sent: [Int] = []
        for (index, item) in group.enumerated() {
            let letter = item.letter
            let record = check?.record(of: letter) ?? letter.payload
            if let refusal = check?.refusal(of: record, key: letter.key) {
                fail(index, refusal)
                continue
            }
            do {
                try producer.send(
                    topic: topic, partition: topic == letter.topic ? letter.partition : nil,
                    key: letter.key.isEmpty ? nil : letter.key, value: record,
                    headers: [("tailrace.retry_of", Array(item.id.utf8))], token: UInt(index + 1))
                sent.append(index)
            } catch {
                fail(index, "\(error)")
            }
        }
        // What was not delivered says so itself, below.
        try? producer.flush(timeoutMs: 60_000)
        let results = deliveries.results.withLock { $0 }
        for index in sent {
            guard let result = results[UInt(index + 1)] else {
                fail(index, "no acknowledgement within 60 s")
                continue
            }
            if let error = result.error {
                fail(index, error)
            } else {
                attempts.append(.init(id: group[index].id, isSent: true, note: result.place, time: WallClock.now()))
                outcome.sent += 1
            }
        }
        try journal.append(attempts)
    }
}
