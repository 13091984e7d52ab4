import CLibrdkafka

extension KafkaConsumer {
    /// Waits up to `timeoutMs` for a first message, then takes what is there, at most `maxMessages`; also serves the
    /// callbacks: rebalances, errors, commit results, statistics. Never throws: failures are events.
    ///
    /// Keep calling it, also while everything is paused: a member that does not poll for `maxPollIntervalMs` is
    /// expelled. An error that comes while it waits is returned when the wait ends.
    public func poll(maxMessages: Int, timeoutMs: Int32) -> KafkaPollResult {
        guard let handle = try? handle(), let queue = handle.consumerQueue else {
            return KafkaPollResult(events: context.takeEvents() + [.error(.closedClient)])
        }
        let maxMessages = max(1, maxMessages)
        reserve(maxMessages)
        rebalancer.beginPoll(rows: rows)
        defer { rebalancer.endPoll() }
        var count = fill(queue, from: 0, upTo: maxMessages, timeoutMs: 0)
        // A batch call waits for its whole timeout or a full batch; so wait for one message only, then take the rest.
        if count == 0, timeoutMs > 0, !rebalancer.rebalanced, !context.hasEvents {
            count = fill(queue, from: 0, upTo: 1, timeoutMs: timeoutMs)
            if count == 1, maxMessages > 1, !rebalancer.rebalanced {
                count += fill(queue, from: 1, upTo: maxMessages, timeoutMs: 0)
            }
        }
        var result = group(count, handle)
        result.events = context.takeEvents() + result.events
        return result
    }

    private func reserve(_ count: Int) {
        guard rows.count < count else { return }
        rows.deallocate()
        rows = .allocate(capacity: count)
        rows.initialize(repeating: nil)
    }

    private func fill(_ queue: OpaquePointer, from start: Int, upTo end: Int, timeoutMs: Int32) -> Int {
        guard let base = rows.baseAddress else { return 0 }
        let count = rd_kafka_consume_batch_queue(queue, timeoutMs, base + start, end - start)
        // A newer librdkafka leaves pointers behind where it takes outdated messages out again.
        for index in (start + max(0, count))..<end { rows[index] = nil }
        guard count < 0 else { return count }
        context.add(.error(KafkaError(rd_kafka_last_error(), "poll failed")))
        return 0
    }

    private struct Source: Hashable {
        let topic: OpaquePointer
        let partition: Int32
    }

    /// Sorts the first `count` rows by partition and turns error messages into events.
    private func group(_ count: Int, _ handle: ClientHandle) -> KafkaPollResult {
        var result = KafkaPollResult()
        guard count > 0 else { return result }
        // Valid for this poll only: librdkafka may reuse a topic's address for another topic later.
        var batches: [Source: KafkaMessageBatch] = [:]
        let stale = rebalancer.stale
        var lastSource: Source?
        var lastBatch: KafkaMessageBatch?
        for index in 0..<count {
            guard let message = rows[index] else { continue }
            rows[index] = nil
            guard message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR, let topic = message.pointee.rkt else {
                result.events.append(event(of: message, handle))
                rd_kafka_message_destroy(message)
                continue
            }
            guard stale.isEmpty || !stale.contains(message) else {
                rd_kafka_message_destroy(message)
                continue
            }
            let source = Source(topic: topic, partition: message.pointee.partition)
            if source != lastSource {
                lastSource = source
                lastBatch = batches[source]
                if lastBatch == nil {
                    let partition = KafkaPartition(
                        topic: String(cString: rd_kafka_topic_name(topic)), partition: source.partition)
                    let batch = KafkaMessageBatch(partition: partition, client: handle)
                    batches[source] = batch
                    lastBatch = batch
                    result.batches.append(batch)
                }
            }
            lastBatch?.append(message)
        }
        return result
    }

    private func event(of message: UnsafeMutablePointer<rd_kafka_message_t>, _ handle: ClientHandle) -> KafkaEvent {
        let error = message.pointee.err
        let text = rd_kafka_message_errstr(message).map { String(cString: $0) } ?? ""
        if error == RD_KAFKA_RESP_ERR__FATAL { return .error(.fatal(of: handle.client, text)) }
        guard let topic = message.pointee.rkt else { return .error(KafkaError(error, text)) }
        let name = String(cString: rd_kafka_topic_name(topic))
        let partition = KafkaPartition(topic: name, partition: message.pointee.partition)
        // Errors of a whole topic come with partition 0 filled in (measured with 2.16.0), so the code decides.
        let code = KafkaError.Code(error)
        guard partition.partition >= 0, code != .unknownTopic, code != .authorization else {
            return .error(KafkaError(error, "topic \(name): \(text)"))
        }
        let offset = message.pointee.offset
        switch error {
        case RD_KAFKA_RESP_ERR__PARTITION_EOF:
            return .partitionEnd(partition, offset: offset)
        case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE,
            RD_KAFKA_RESP_ERR__NO_OFFSET:
            return .offsetOutOfRange(
                partition, offset: offset, KafkaError(error, "\(partition) offset \(offset): \(text)"))
        default:
            return .partitionError(partition, KafkaError(error, "\(partition): \(text)"))
        }
    }
}
