import Kafka
import Pipeline
import Synchronization

/// What a source knows of its topic beyond the records it gets. All on the poll thread.
extension KafkaSource {
    /// Waits until the topic is there. (A subscription to a topic that is missing finds it only minutes after it was made.)
    func waitForTopic(_ consumer: KafkaConsumer, _ host: any SourceHost) {
        var hasComplained = false
        while !stopping.load(ordering: .relaxed) {
            if let count = try? consumer.partitionCount(topic: topic, timeoutMs: 2000), count > 0 { return }
            if !hasComplained {
                hasComplained = true
                host.log("kafka: waiting for topic \(topic), which its repartition stage makes")
            }
            NamedThread.pause(milliseconds: 200)
        }
    }

    /// A partition that was paused when it went is still paused when it comes back (seen with librdkafka 2.0.2). One that was
    /// paused while it was being assigned has not been yet.
    func startNewcomers() {
        guard !newcomers.isEmpty else { return }
        state.withLock { state in
            state.starting.subtract(newcomers)
            let stopped = newcomers.intersection(state.paused.union(state.waiting))
            change(stopped) { try $0.pause($1) }
            change(newcomers.subtracting(stopped)) { try $0.resume($1) }
        }
        newcomers = []
    }

    func noteTime(of batch: KafkaMessageBatch, _ partition: PartitionID) {
        unpositioned.remove(partition)
        unconfirmedEnds.remove(partition)
        guard alignment != nil, batch.count > 0 else { return }
        let now = WallClock.now()
        let timestamp = batch.timestampMs(batch.count - 1)
        // As tasks see it: a record without a time, or of the future, is of now.
        let time = timestamp < 0 || timestamp > now + 5000 ? now : timestamp
        times[partition] = max(times[partition] ?? .min, time)
    }

    /// About once per second asks the brokers for what no record tells.
    func lookAround(_ consumer: KafkaConsumer, _ host: any SourceHost) {
        let now = WallClock.monotonic()
        guard now - lastLookAround >= 1000 else { return }
        lastLookAround = now
        position(consumer)
        confirmEnds(consumer)
        // Partitions may be added while a worker runs.
        let isKnown = state.withLock { $0.status.partitionCount != nil }
        if now - lastCount >= (isKnown ? 30_000 : 1000) { countPartitions(consumer) }
        noteShare(consumer)
        if alignment != nil { lookAtOthers(consumer, host) }
    }

    /// Tells how many partitions there are to share; what was known holds where nobody answers.
    func countPartitions(_ consumer: KafkaConsumer) {
        lastCount = WallClock.monotonic()
        guard let count = try? consumer.partitionCount(topic: topic, timeoutMs: 1000), count > 0 else { return }
        state.withLock { $0.status.partitionCount = count }
    }

    /// How much of the topic is read here.
    private func noteShare(_ consumer: KafkaConsumer) {
        guard let partitionShare, let count = state.withLock({ $0.status.partitionCount }),
            let assigned = try? consumer.assignment().count
        else { return }
        partitionShare.note(topic: topic, assigned: assigned, of: count)
    }

    /// Finds where partitions start of which nothing has come: an empty partition is at its end from the beginning.
    private func position(_ consumer: KafkaConsumer) {
        guard !unpositioned.isEmpty else { return }
        let names = unpositioned.map { KafkaPartition(topic: $0.topic, partition: $0.partition) }
        guard let committed = try? consumer.committed(names, timeoutMs: 1000) else { return }
        for name in names {
            guard let log = try? consumer.queryWatermarks(of: name, timeoutMs: 1000) else { return }
            let start = committed[name]?.offset ?? (configuration.startAt == .latest ? log.high : log.low)
            state.withLock { $0.nextOffsets[id(name)] = start }
            unpositioned.remove(id(name))
        }
    }

    /// Where the brokers say that there is nothing left to read, what librdkafka knows of the end is not of an earlier
    /// assignment; where there is more, the next record says so.
    private func confirmEnds(_ consumer: KafkaConsumer) {
        for partition in unconfirmedEnds {
            let name = KafkaPartition(topic: partition.topic, partition: partition.partition)
            guard let log = try? consumer.queryWatermarks(of: name, timeoutMs: 1000) else { return }
            if state.withLock({ $0.nextOffsets[partition] ?? .min }) >= log.high { unconfirmedEnds.remove(partition) }
        }
    }

    /// The partitions that other workers of the group read say how far they are with their commits: the watermark and its time.
    private func lookAtOthers(_ consumer: KafkaConsumer, _ host: any SourceHost) {
        do {
            if partitionCount == 0 { partitionCount = try consumer.partitionCount(topic: topic, timeoutMs: 1000) }
            let own = Set(try consumer.assignment().map(\.partition))
            let others = (0..<Int32(clamping: partitionCount)).filter { !own.contains($0) }
                .map { KafkaPartition(topic: topic, partition: $0) }
            guard !others.isEmpty, !own.isEmpty else {
                otherTimes = []
                return
            }
            let committed = try consumer.committed(others, timeoutMs: 1000)
            var found: [Int64?] = []
            for other in others {
                let log = try consumer.queryWatermarks(of: other, timeoutMs: 1000)
                guard log.high > max(log.low, committed[other]?.offset ?? log.low) else { continue }
                let time = committed[other].flatMap { Self.time(inMetadata: $0.metadata) }
                // Metadata may be lost where the offset is not. To wait for a time that is never told would be for ever; memory
                // is all that it costs not to.
                if committed[other] != nil, time == nil { continue }
                found.append(time)
            }
            otherTimes = found
        } catch {
            // The last answer holds; what is wrong with the connection is reported by the poll.
        }
    }

    /// What the worker commits beside an offset: `t` and the stream time.
    static func time(inMetadata text: String) -> Int64? {
        guard text.first == "t", let time = Int64(text.dropFirst()), time != .min else { return nil }
        return time
    }

    /// Lets partitions wait that are too far ahead of the others.
    func align(_ consumer: KafkaConsumer) {
        guard alignment != nil else { return }
        let (next, lag) = state.withLock { ($0.nextOffsets, $0.status.lag) }
        var own: [Int32: (time: Int64?, hasMore: Bool)] = [:]
        // Where the end is not known yet there may be more.
        for partition in next.keys {
            own[partition.partition] = (times[partition], lag[partition].map { $0 > 0 } ?? true)
        }
        for partition in unpositioned { own[partition.partition] = (nil, true) }
        guard let change = alignment?.update(own: own, others: otherTimes) else { return }
        if change == PartitionAlignment.Change() { return }
        let ids = Dictionary(next.keys.map { ($0.partition, $0) }, uniquingKeysWith: { first, _ in first })
        let stopped = change.pause.compactMap { ids[$0] }
        let released = change.resume.compactMap { ids[$0] }
        state.withLock { state in
            state.waiting.formUnion(stopped)
            state.waiting.subtract(released)
            self.change(stopped) { try $0.pause($1) }
            self.change(released.filter { !state.paused.contains($0) }) { try $0.resume($1) }
        }
    }
}
