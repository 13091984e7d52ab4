import CLibrdkafka

/// Answers librdkafka's rebalance callback. Runs on the polling thread only, inside poll or close.
final class Rebalancer {
    /// nil once the consumer is closed.
    var handler: (any KafkaRebalanceHandler)?
    /// Whether partitions came or went since the last `beginPoll`.
    private(set) var rebalanced = false
    /// Messages that the batch call under way had taken from a partition when it was revoked: they belong to the next
    /// owner. Addresses, and not partitions, because a partition may come back within the same call.
    private(set) var stale: Set<UnsafeMutablePointer<rd_kafka_message_t>> = []
    /// Where the batch call under way puts its messages; nil beyond them.
    private var rows = UnsafeMutableBufferPointer<UnsafeMutablePointer<rd_kafka_message_t>?>(start: nil, count: 0)
    private let startAt: KafkaConsumer.StartPosition
    private let committedTimeoutMs: Int32

    init(startAt: KafkaConsumer.StartPosition, committedTimeoutMs: Int32) {
        self.startAt = startAt
        self.committedTimeoutMs = committedTimeoutMs
    }

    func beginPoll(rows: UnsafeMutableBufferPointer<UnsafeMutablePointer<rd_kafka_message_t>?>) {
        rebalanced = false
        if !stale.isEmpty { stale.removeAll() }
        self.rows = rows
    }

    func endPoll() { rows = UnsafeMutableBufferPointer(start: nil, count: 0) }

    // Ending the batch call with rd_kafka_yield in the callback would be simpler, but rd_kafka_destroy then never
    // returns (measured with 2.0.2 and 2.16.0, the yield being the only difference; why is not known).
    private func markStale(_ revoked: Set<KafkaPartition>) {
        for row in rows {
            guard let message = row else { return }
            guard message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR, let topic = message.pointee.rkt else { continue }
            let partition = KafkaPartition(
                topic: String(cString: rd_kafka_topic_name(topic)), partition: message.pointee.partition)
            if revoked.contains(partition) { stale.insert(message) }
        }
    }

    static func register(on configuration: OpaquePointer) {
        rd_kafka_conf_set_rebalance_cb(configuration) { client, code, list, opaque in
            guard let client, let list, let context = ClientContext.from(opaque) else { return }
            context.rebalancer?.rebalance(client, code, list, context)
        }
        rd_kafka_conf_set_offset_commit_cb(configuration) { _, code, list, opaque in
            guard let list, let context = ClientContext.from(opaque) else { return }
            var offsets: [KafkaPartition: Int64] = [:]
            for element in list.elements { offsets[element.key] = element.offset }
            let error =
                code == RD_KAFKA_RESP_ERR_NO_ERROR
                ? list.firstError("commit of") : KafkaError(code, "commit of \(describe(list))")
            context.add(.committed(offsets, error))
        }
    }

    private func rebalance(
        _ client: OpaquePointer, _ code: rd_kafka_resp_err_t,
        _ list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>, _ context: ClientContext
    ) {
        rebalanced = true
        let isCooperative = rd_kafka_rebalance_protocol(client).map { String(cString: $0) } == "COOPERATIVE"
        switch code {
        case RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS:
            chooseStarts(client, list, context)
            report(isCooperative ? incrementalAssign(client, list) : assign(client, list), to: context)
        case RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS:
            let partitions = list.partitions
            handler?.revoked(partitions, lost: rd_kafka_assignment_lost(client) != 0)
            markStale(Set(partitions))
            report(isCooperative ? incrementalUnassign(client, list) : assign(client, nil), to: context)
        default:
            // librdkafka wants an answer to everything, or the group stays in the middle of the rebalance.
            report(assign(client, nil), to: context)
            context.add(.error(KafkaError(code, "rebalance failed")))
        }
    }

    /// Fills in the start offsets: the owner's, else the group's, else the configured start.
    private func chooseStarts(
        _ client: OpaquePointer, _ list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>,
        _ context: ClientContext
    ) {
        let partitions = list.partitions
        guard !partitions.isEmpty else { return }
        let chosen = handler?.assigned(partitions) ?? [:]
        let open = partitions.filter { chosen[$0] == nil }
        var starts = chosen
        if !open.isEmpty {
            let lookup = PartitionList(open)
            let answer = rd_kafka_committed(client, lookup.pointer, committedTimeoutMs)
            if answer == RD_KAFKA_RESP_ERR_NO_ERROR {
                for element in lookup.pointer.elements {
                    starts[element.key] = start(committed: element)
                }
            } else {
                // librdkafka then looks the committed offsets up itself and retries for as long as it takes.
                context.add(.error(KafkaError(answer, "cannot read the committed offsets of \(describe(list))")))
            }
        }
        for index in list.elements.indices {
            list.elements[index].offset = starts[list.elements[index].key] ?? KafkaOffset.committed
        }
    }

    private func start(committed: rd_kafka_topic_partition_t) -> Int64 {
        if committed.err != RD_KAFKA_RESP_ERR_NO_ERROR { return KafkaOffset.committed }
        if committed.offset >= 0 { return committed.offset }
        return startAt == .earliest ? KafkaOffset.earliest : KafkaOffset.latest
    }

    private func assign(
        _ client: OpaquePointer, _ list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?
    ) -> KafkaError? {
        let answer = rd_kafka_assign(client, list)
        return answer == RD_KAFKA_RESP_ERR_NO_ERROR ? nil : KafkaError(answer, "assignment failed")
    }

    private func incrementalAssign(
        _ client: OpaquePointer, _ list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>
    ) -> KafkaError? {
        .consuming(rd_kafka_incremental_assign(client, list), "assignment failed")
    }

    private func incrementalUnassign(
        _ client: OpaquePointer, _ list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>
    ) -> KafkaError? {
        .consuming(rd_kafka_incremental_unassign(client, list), "giving partitions back failed")
    }

    private func report(_ error: KafkaError?, to context: ClientContext) {
        if let error { context.add(.error(error)) }
    }
}

/// The partitions of a list for an error text, shortened.
private func describe(_ list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) -> String {
    let names = list.elements.prefix(4).map { "\($0.key)" }.joined(separator: ", ")
    return list.elements.count > 4 ? "\(names), … (\(list.elements.count) partitions)" : names
}
