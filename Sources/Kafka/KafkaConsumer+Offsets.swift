import CLibrdkafka
import Glibc

extension KafkaConsumer {
    /// Stops fetching; what is prefetched is dropped and fetched again after `resume`.
    public func pause(_ partitions: [KafkaPartition]) throws(KafkaError) {
        let list = PartitionList(partitions)
        let answer = rd_kafka_pause_partitions(try handle().client, list.pointer)
        try check(answer, list, "cannot pause")
    }

    /// Goes on after the last message that was polled.
    public func resume(_ partitions: [KafkaPartition]) throws(KafkaError) {
        let list = PartitionList(partitions)
        let answer = rd_kafka_resume_partitions(try handle().client, list.pointer)
        try check(answer, list, "cannot resume")
    }

    /// Moves owned partitions to other offsets (or `KafkaOffset`s). Messages polled before are not affected.
    public func seek(_ offsets: [KafkaPartition: Int64], timeoutMs: Int32 = 5_000) throws(KafkaError) {
        let list = PartitionList(offsets)
        let failure = rd_kafka_seek_partitions(try handle().client, list.pointer, timeoutMs)
        if let error = KafkaError.consuming(failure, "cannot seek") { throw error }
        for element in list.pointer.elements where element.err != RD_KAFKA_RESP_ERR_NO_ERROR {
            // A partition that stopped at a bad offset takes no seek, only a new assignment.
            guard element.err == RD_KAFKA_RESP_ERR__STATE else {
                throw KafkaError(element.err, "cannot seek \(element.key) to offset \(element.offset)")
            }
            try restart(element.key, at: element.offset)
        }
    }

    private func restart(_ partition: KafkaPartition, at offset: Int64) throws(KafkaError) {
        let client = try handle().client
        var offsets: [KafkaPartition: Int64] = [:]
        for owned in try assignment() { offsets[owned] = KafkaOffset.committed }
        guard offsets[partition] != nil else {
            throw KafkaError(RD_KAFKA_RESP_ERR__STATE, "cannot seek \(partition): it is not assigned")
        }
        guard rd_kafka_rebalance_protocol(client).map({ String(cString: $0) }) != "EAGER" else {
            // Eager members can only assign everything anew.
            offsets.merge(try position(Array(offsets.keys))) { $1 }
            offsets[partition] = offset
            let list = PartitionList(offsets)
            let answer = rd_kafka_assign(client, list.pointer)
            guard answer == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaError(answer, "cannot seek \(partition)") }
            return
        }
        let list = PartitionList([partition: offset])
        let removed = rd_kafka_incremental_unassign(client, list.pointer)
        if let error = KafkaError.consuming(removed, "cannot seek \(partition)") { throw error }
        let added = rd_kafka_incremental_assign(client, list.pointer)
        if let error = KafkaError.consuming(added, "cannot seek \(partition)") { throw error }
    }

    /// Commits exactly these offsets for the group, each being that of the next record to read.
    ///
    /// With `wait` it returns when the broker has answered, or throws `.timedOut` after `timeoutMs` (the commit may
    /// still happen). Without, it returns at once. The answer also comes as `KafkaEvent.committed` from a later poll,
    /// in both cases. Offsets may move back.
    /// - Parameter offsets: metadata must be text without zero bytes: librdkafka before 2.6.1 cuts it there.
    public func commit(
        _ offsets: [KafkaPartition: KafkaCommittedOffset], wait: Bool, timeoutMs: Int32 = 10_000
    ) throws(KafkaError) {
        guard configuration.groupID != nil else {
            throw KafkaError(.configuration, "cannot commit without a group id; set groupID")
        }
        guard !offsets.isEmpty else { return }
        let client = try handle().client
        let list = PartitionList(capacity: offsets.count)
        for (partition, committed) in offsets {
            guard !committed.metadata.utf8.contains(0) else {
                throw KafkaError(.configuration, "commit metadata of \(partition) has a zero byte; encode it as text")
            }
            guard committed.offset >= 0 else {
                throw KafkaError(.configuration, "cannot commit offset \(committed.offset) of \(partition)")
            }
            list.add(partition, offset: committed.offset, metadata: committed.metadata)
        }
        guard wait else {
            let answer = rd_kafka_commit(client, list.pointer, 1)
            guard answer == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaError(answer, "cannot commit") }
            return
        }
        // rd_kafka_commit(async: 0) waits without a bound, which a revoke cannot afford; a queue of our own has one.
        guard let queue = rd_kafka_queue_new(client) else { throw KafkaError(.other, "cannot make a queue") }
        defer { rd_kafka_queue_destroy(queue) }
        let answer = rd_kafka_commit_queue(client, list.pointer, queue, nil, nil)
        guard answer == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaError(answer, "cannot commit") }
        guard let event = rd_kafka_queue_poll(queue, timeoutMs) else {
            throw KafkaError(RD_KAFKA_RESP_ERR__TIMED_OUT, "commit not answered within \(timeoutMs) ms")
        }
        defer { rd_kafka_event_destroy(event) }
        let failure = rd_kafka_event_error(event)
        let answered = rd_kafka_event_topic_partition_list(event)
        if failure != RD_KAFKA_RESP_ERR_NO_ERROR {
            throw answered?.firstError("cannot commit") ?? KafkaError(failure, "cannot commit")
        }
        if let error = answered?.firstError("cannot commit") { throw error }
    }

    /// What the group has committed; partitions without a commit are left out. Asks the broker.
    public func committed(
        _ partitions: [KafkaPartition], timeoutMs: Int32 = 10_000
    ) throws(KafkaError) -> [KafkaPartition: KafkaCommittedOffset] {
        let list = PartitionList(partitions)
        let answer = rd_kafka_committed(try handle().client, list.pointer, timeoutMs)
        try check(answer, list, "cannot read committed offsets")
        var committed: [KafkaPartition: KafkaCommittedOffset] = [:]
        for element in list.pointer.elements where element.offset >= 0 {
            committed[element.key] = KafkaCommittedOffset(offset: element.offset, metadata: element.metadataText)
        }
        return committed
    }

    /// The offset after the last message polled, for each partition that has delivered one. No network.
    public func position(_ partitions: [KafkaPartition]) throws(KafkaError) -> [KafkaPartition: Int64] {
        let list = PartitionList(partitions)
        let answer = rd_kafka_position(try handle().client, list.pointer)
        guard answer == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaError(answer, "cannot read positions") }
        var positions: [KafkaPartition: Int64] = [:]
        for element in list.pointer.elements where element.offset >= 0 { positions[element.key] = element.offset }
        return positions
    }

    /// Oldest offset and end offset as of the last fetch, nil before one. No network; the low one may be stale or -1.
    public func watermarks(of partition: KafkaPartition) -> (low: Int64, high: Int64)? {
        guard let handle = try? handle() else { return nil }
        var low: Int64 = 0
        var high: Int64 = 0
        let answer = rd_kafka_get_watermark_offsets(
            handle.client, partition.topic, partition.partition, &low, &high)
        guard answer == RD_KAFKA_RESP_ERR_NO_ERROR, high >= 0 else { return nil }
        return (max(low, -1), high)
    }

    /// Oldest offset and end offset, asked of the broker.
    public func queryWatermarks(
        of partition: KafkaPartition, timeoutMs: Int32 = 10_000
    ) throws(KafkaError) -> (low: Int64, high: Int64) {
        try handle().queryWatermarks(of: partition, timeoutMs: timeoutMs)
    }

    /// The cluster's id, nil when the broker tells none within the time.
    public func clusterID(timeoutMs: Int32 = 10_000) -> String? {
        guard let handle = try? handle() else { return nil }
        return handle.clusterID(timeoutMs: timeoutMs)
    }

    /// The number of partitions of a topic, asked of the broker. Throws `.unknownTopic` when there is none.
    public func partitionCount(topic: String, timeoutMs: Int32 = 10_000) throws(KafkaError) -> Int {
        try handle().metadata(of: topic, timeoutMs: timeoutMs).partitionCount
    }

    private func check(
        _ answer: rd_kafka_resp_err_t, _ list: borrowing PartitionList, _ context: String
    ) throws(KafkaError) {
        guard answer == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaError(answer, context) }
        if let error = list.firstError(context) { throw error }
    }
}
