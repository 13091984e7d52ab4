import Kafka
public import Pipeline
import Synchronization

/// The stage kind `kafka`: partitions of a topic, read in a consumer group.
///
/// Offsets are committed only after the manifest is published. One thread polls; rebalances run inside the poll, so that the
/// worker can flush before a partition goes.
public final class KafkaSource: Source, KafkaRebalanceHandler, @unchecked Sendable {
    let topic: String
    let configuration: KafkaConsumer.Configuration
    private let clusterName: String?
    private let continuesAfterLoss: Bool
    let waitsForTopic: Bool
    /// Told which part of the topic is read here.
    let partitionShare: PartitionShare?
    let stopping = Atomic<Bool>(false)
    private let rejoining = Atomic<Bool>(false)
    let state = Mutex(State())
    /// Set by `run` before the first poll; used by `commit` and `pause` from other threads afterwards.
    private let consumer = Mutex<KafkaConsumer?>(nil)
    private weak var host: (any SourceHost)?
    private var cluster = ""

    struct State {
        var status = SourceStatus()
        /// By the worker; partitions may wait for their topic's other partitions too.
        var paused: Set<PartitionID> = []
        /// Being assigned: what is paused of them is paused when librdkafka has them.
        var starting: Set<PartitionID> = []
        /// By the alignment.
        var waiting: Set<PartitionID> = []
        var nextOffsets: [PartitionID: Int64] = [:]
    }

    // The poll thread's.
    var alignment: PartitionAlignment?
    /// Times that partitions have come to, and those of the same topic that others read.
    var times: [PartitionID: Int64] = [:]
    var otherTimes: [Int64?] = []
    var partitionCount = 0
    /// Assigned without a start from the store, before their first record.
    var unpositioned: Set<PartitionID> = []
    /// Assigned since the last poll.
    var newcomers: Set<PartitionID> = []
    /// Assigned to this consumer at any time, and those assigned again without a record since: what librdkafka knows of their
    /// ends may be of before, and a worker that is told of an end takes it for one.
    private var knownPartitions: Set<PartitionID> = []
    var unconfirmedEnds: Set<PartitionID> = []
    /// Monotonic milliseconds.
    var lastLookAround: Int64 = 0
    var lastCount: Int64 = 0

    /// - Parameters:
    ///   - clusterName: stands for the cluster's id where that is of no use (an embedded broker's is always the same).
    ///   - maximumDrift: how far a partition is read ahead of the topic's slowest one, milliseconds of record time; nil for
    ///     any distance.
    ///   - waitsForTopic: the topic is made by another stage.
    init(
        topic: String, configuration: KafkaConsumer.Configuration, clusterName: String?, continuesAfterLoss: Bool,
        maximumDrift: Int64?, waitsForTopic: Bool, partitionShare: PartitionShare? = nil
    ) {
        self.topic = topic
        self.partitionShare = partitionShare
        self.waitsForTopic = waitsForTopic
        alignment = maximumDrift.map { PartitionAlignment(maximumDrift: $0) }
        self.configuration = configuration
        self.clusterName = clusterName
        self.continuesAfterLoss = continuesAfterLoss
    }

    // MARK: - The poll thread

    public func run(_ host: any SourceHost) throws {
        self.host = host
        repeat {
            rejoining.store(false, ordering: .relaxed)
            try readAsMember(host)
        } while rejoining.load(ordering: .relaxed) && !stopping.load(ordering: .relaxed)
    }

    /// Joins the group, reads, and leaves it.
    private func readAsMember(_ host: any SourceHost) throws {
        let consumer = try KafkaConsumer(configuration)
        knownPartitions = []
        unconfirmedEnds = []
        for option in consumer.unsupportedOptions { host.log("kafka: \(option)") }
        self.consumer.withLock { $0 = consumer }
        defer {
            consumer.close()
            self.consumer.withLock { $0 = nil }
        }
        cluster = try connect(consumer, host)
        if waitsForTopic { waitForTopic(consumer, host) }
        countPartitions(consumer)
        if stopping.load(ordering: .relaxed) { return }
        try consumer.subscribe(topics: [topic], handler: self)
        while !stopping.load(ordering: .relaxed), !rejoining.load(ordering: .relaxed) {
            let result = consumer.poll(maxMessages: 1000, timeoutMs: 100)
            for event in result.events { handle(event, consumer, host) }
            startNewcomers()
            for batch in result.batches { deliver(batch, consumer, host) }
            lookAround(consumer, host)
            reportEnds(consumer, host)
            align(consumer)
        }
    }

    /// Waits for the cluster's id: it is part of the partitions' identity in the store.
    private func connect(_ consumer: KafkaConsumer, _ host: any SourceHost) throws -> String {
        var hasComplained = false
        while !stopping.load(ordering: .relaxed) {
            for event in consumer.poll(maxMessages: 1, timeoutMs: 0).events {
                if case .error(let error) = event {
                    state.withLock { $0.status.lastError = error.description }
                    if error.isFatal { throw error }
                }
            }
            if let name = clusterName ?? consumer.clusterID(timeoutMs: 2000) {
                state.withLock { $0.status.isConnected = true }
                return name
            }
            if !hasComplained {
                hasComplained = true
                host.log(
                    "kafka: no broker answers at \(configuration.client.brokers); trying again until one does")
            }
        }
        return ""
    }

    private func deliver(_ batch: KafkaMessageBatch, _ consumer: KafkaConsumer, _ host: any SourceHost) {
        let partition = id(batch.partition)
        state.withLock { state in
            state.status.isConnected = true
            if let last = batch.lastOffset { state.nextOffsets[partition] = last + 1 }
        }
        noteTime(of: batch, partition)
        host.deliver(KafkaRecordBatch(partition: partition, batch: batch))
    }

    /// A partition is at its end when the next offset is the end of the log as of the last fetch. (End-of-partition events
    /// moved positions in librdkafka 2.2.0 to 2.13.1, so they are not used.)
    private func reportEnds(_ consumer: KafkaConsumer, _ host: any SourceHost) {
        let next = state.withLock { $0.nextOffsets }
        var lag: [PartitionID: Int64] = [:]
        for (partition, offset) in next where !unconfirmedEnds.contains(partition) {
            guard
                let end = consumer.watermarks(
                    of: KafkaPartition(topic: partition.topic, partition: partition.partition))
            else { continue }
            lag[partition] = max(0, end.high - offset)
            if offset >= end.high { host.reachedEnd(partition) }
        }
        state.withLock { $0.status.lag = lag }
    }

    private func handle(_ event: KafkaEvent, _ consumer: KafkaConsumer, _ host: any SourceHost) {
        switch event {
        case .error(let error):
            let isNew = state.withLock { state in
                defer { state.status.lastError = error.description }
                if error.code == .brokerUnavailable { state.status.isConnected = false }
                return state.status.lastError != error.description
            }
            if isNew { host.log("kafka: \(error)") }
        case .partitionError(let partition, let error):
            host.log("kafka: \(partition): \(error)")
        case .offsetOutOfRange(let partition, let offset, let error):
            outOfRange(partition, offset, error, consumer, host)
        case .committed(_, let error):
            if let error { host.log("kafka: offsets were not committed: \(error)") }
        case .partitionEnd: break
        }
    }

    /// A position that the log does not have: retention was shorter than the outage, or the topic was made anew. Never silent.
    private func outOfRange(
        _ partition: KafkaPartition, _ offset: Int64, _ error: KafkaError, _ consumer: KafkaConsumer,
        _ host: any SourceHost
    ) {
        do {
            let log = try consumer.queryWatermarks(of: partition, timeoutMs: 5000)
            let gap = LogGap(position: offset, log: log.low..<max(log.low, log.high), continues: continuesAfterLoss)
            for step in gap.steps {
                switch step {
                case .report(let from, let to, let explanation):
                    host.dataLoss(id(partition), from: from, to: to, explanation: explanation)
                case .restart(let start): host.logRestarted(id(partition), at: start)
                case .seek(let start): try consumer.seek([partition: start])
                }
            }
        } catch {
            host.log("kafka: \(partition) at offset \(offset): \(error)")
        }
    }

    // MARK: - KafkaRebalanceHandler

    public func assigned(_ partitions: [KafkaPartition]) -> [KafkaPartition: Int64] {
        guard let host else { return [:] }
        do {
            state.withLock { $0.starting.formUnion(partitions.map(id)) }
            let starts = try host.assign(partitions.map(id))
            newcomers.formUnion(partitions.map(id))
            unconfirmedEnds.formUnion(partitions.map(id).filter(knownPartitions.contains))
            knownPartitions.formUnion(partitions.map(id))
            unpositioned.formUnion(partitions.map(id).filter { starts[$0] == nil })
            state.withLock { state in
                for partition in partitions { state.nextOffsets[id(partition)] = starts[id(partition)] }
            }
            return Dictionary(
                uniqueKeysWithValues: partitions.compactMap { partition in
                    starts[id(partition)].map { (partition, $0) }
                })
        } catch {
            // Without its state a partition must not be read: the group's offsets would be wrong by a window.
            host.log("kafka: cannot take over partitions: \(error)")
            stop()
            return [:]
        }
    }

    public func revoked(_ partitions: [KafkaPartition], lost: Bool) {
        host?.revoke(partitions.map(id), lost: lost)
        state.withLock { state in
            for partition in partitions {
                state.nextOffsets[id(partition)] = nil
                state.status.lag[id(partition)] = nil
                state.paused.remove(id(partition))
                state.starting.remove(id(partition))
                state.waiting.remove(id(partition))
            }
        }
        for partition in partitions {
            times[id(partition)] = nil
            unpositioned.remove(id(partition))
            newcomers.remove(id(partition))
            unconfirmedEnds.remove(id(partition))
        }
    }

    func id(_ partition: KafkaPartition) -> PartitionID {
        PartitionID(cluster: cluster, topic: partition.topic, partition: partition.partition)
    }

    // MARK: - Other threads

    public func stop() { stopping.store(true, ordering: .relaxed) }

    public func pause(_ partitions: [PartitionID]) {
        // The consumer is told under the lock, here and elsewhere: two threads that pause and resume must not end crosswise.
        state.withLock { state in
            state.paused.formUnion(partitions)
            change(partitions.filter { !state.starting.contains($0) }) { try $0.pause($1) }
        }
    }

    public func rejoin() { rejoining.store(true, ordering: .relaxed) }

    /// What waits for other partitions goes on waiting.
    public func resume(_ partitions: [PartitionID]) {
        state.withLock { state in
            state.paused.subtract(partitions)
            let ready = partitions.filter { !state.waiting.contains($0) && !state.starting.contains($0) }
            change(ready) { try $0.resume($1) }
        }
    }

    func change(_ partitions: some Collection<PartitionID>, _ body: (KafkaConsumer, [KafkaPartition]) throws -> Void) {
        guard !partitions.isEmpty, let consumer = consumer.withLock({ $0 }) else { return }
        let names = partitions.map { KafkaPartition(topic: $0.topic, partition: $0.partition) }
        do { try body(consumer, names) } catch { host?.log("kafka: \(error)") }
    }

    public func commit(_ offsets: [PartitionID: CommittedOffset], wait: Bool) throws {
        guard let consumer = consumer.withLock({ $0 }) else { return }
        var list: [KafkaPartition: KafkaCommittedOffset] = [:]
        for (partition, offset) in offsets {
            list[KafkaPartition(topic: partition.topic, partition: partition.partition)] =
                KafkaCommittedOffset(offset: offset.offset, metadata: offset.metadata)
        }
        try consumer.commit(list, wait: wait, timeoutMs: 2000)
    }

    public var status: SourceStatus { state.withLock { $0.status } }
}

/// A batch of Kafka's messages as the worker sees it: the bytes stay librdkafka's until `release`.
final class KafkaRecordBatch: RecordBatch, @unchecked Sendable {
    let partition: PartitionID
    private let batch: KafkaMessageBatch

    init(partition: PartitionID, batch: KafkaMessageBatch) {
        self.partition = partition
        self.batch = batch
    }

    var count: Int { batch.count }
    var byteCount: Int { batch.byteCount }

    func record(at index: Int) -> SourceRecord {
        let message = batch.message(index)
        return SourceRecord(
            offset: message.offset, timestamp: message.timestampMs,
            key: message.key ?? UnsafeRawBufferPointer(start: nil, count: 0), payload: message.payload)
    }

    func release() { batch.destroy() }
}
