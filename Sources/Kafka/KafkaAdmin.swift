import CLibrdkafka

/// Topic administration and questions about a cluster. Thread-safe; every call waits at most its timeout.
public final class KafkaAdmin: @unchecked Sendable {
    private let options: KafkaClientOptions
    private let handle: ClientHandle

    /// Makes the client. Does not wait for a connection.
    public init(_ options: KafkaClientOptions) throws(KafkaError) {
        self.options = options
        handle = try KafkaAdmin.makeHandle(options, group: nil)
    }

    /// A consumer client that joins no group: unlike a producer's, its questions never create a topic.
    private static func makeHandle(_ options: KafkaClientOptions, group: String?) throws(KafkaError) -> ClientHandle {
        let builder = ConfigurationBuilder()
        try builder.set("client.id", "tailrace-admin")
        try builder.set("group.id", group ?? KafkaConsumer.groupOfNobody)
        try builder.set("enable.auto.commit", "false")
        try builder.set(options, reserved: ["group.id": "name the group in the call"])
        return try ClientHandle(RD_KAFKA_CONSUMER, builder, context: ClientContext(onLog: options.onLog))
    }

    /// Creates a topic and waits until the cluster lists it. Throws `.alreadyExists` when it is there.
    public func createTopic(
        _ name: String, partitions: Int, replication: Int = 1, config: [(key: String, value: String)] = [],
        timeoutMs: Int32 = 10_000
    ) throws(KafkaError) {
        var text = [CChar](repeating: 0, count: 512)
        guard
            let topic = rd_kafka_NewTopic_new(
                name, Int32(clamping: partitions), Int32(clamping: replication), &text, text.count)
        else { throw KafkaError(.configuration, "topic \(name): \(string(fromBuffer: text))") }
        defer { rd_kafka_NewTopic_destroy(topic) }
        for (key, value) in config {
            let answer = rd_kafka_NewTopic_set_config(topic, key, value)
            guard answer == RD_KAFKA_RESP_ERR_NO_ERROR else {
                throw KafkaError(answer, "topic \(name): option \(key)")
            }
        }
        let deadline = monotonicMs() + Int64(timeoutMs)
        try request(RD_KAFKA_ADMIN_OP_CREATETOPICS, "cannot create topic \(name)", timeoutMs: timeoutMs) {
            client, options, queue in
            var topics: [OpaquePointer?] = [topic]
            rd_kafka_CreateTopics(client, &topics, topics.count, options, queue)
        } results: { event in
            guard let result = rd_kafka_event_CreateTopics_result(event) else { return nil }
            var count = 0
            let topics = rd_kafka_CreateTopics_result_topics(result, &count)
            return KafkaAdmin.firstFailure(topics, count, "cannot create topic")
        }
        // The controller answers before the other brokers know.
        while true {
            do throws(KafkaError) {
                if try handle.metadata(of: name, timeoutMs: timeoutMs).partitionCount >= partitions { return }
            } catch {
                guard error.code == .unknownTopic || error.isRetriable else { throw error }
            }
            guard monotonicMs() < deadline else {
                throw KafkaError(.timedOut, "topic \(name) was created but is not listed after \(timeoutMs) ms")
            }
            rd_kafka_poll(handle.client, 20)
        }
    }

    /// Creates a topic unless it is there; says whether it did.
    @discardableResult
    public func createTopicIfMissing(
        _ name: String, partitions: Int, replication: Int = 1, config: [(key: String, value: String)] = [],
        timeoutMs: Int32 = 10_000
    ) throws(KafkaError) -> Bool {
        do throws(KafkaError) {
            try createTopic(
                name, partitions: partitions, replication: replication, config: config, timeoutMs: timeoutMs)
            return true
        } catch {
            guard error.code == .alreadyExists else { throw error }
            return false
        }
    }

    /// Deletes a topic with everything in it.
    public func deleteTopic(_ name: String, timeoutMs: Int32 = 10_000) throws(KafkaError) {
        guard let topic = rd_kafka_DeleteTopic_new(name) else {
            throw KafkaError(.configuration, "topic \(name): not a topic name")
        }
        defer { rd_kafka_DeleteTopic_destroy(topic) }
        try request(RD_KAFKA_ADMIN_OP_DELETETOPICS, "cannot delete topic \(name)", timeoutMs: timeoutMs) {
            client, options, queue in
            var topics: [OpaquePointer?] = [topic]
            rd_kafka_DeleteTopics(client, &topics, topics.count, options, queue)
        } results: { event in
            guard let result = rd_kafka_event_DeleteTopics_result(event) else { return nil }
            var count = 0
            let topics = rd_kafka_DeleteTopics_result_topics(result, &count)
            return KafkaAdmin.firstFailure(topics, count, "cannot delete topic")
        }
    }

    /// All topics the client may see, by name.
    public func listTopics(timeoutMs: Int32 = 10_000) throws(KafkaError) -> [KafkaTopicMetadata] {
        try handle.topics(timeoutMs: timeoutMs).sorted { $0.name < $1.name }
    }

    /// One topic. Throws `.unknownTopic` when it is not there; never creates it.
    public func topic(_ name: String, timeoutMs: Int32 = 10_000) throws(KafkaError) -> KafkaTopicMetadata {
        try handle.metadata(of: name, timeoutMs: timeoutMs)
    }

    /// The cluster's id, nil when the broker tells none within the time.
    public func clusterID(timeoutMs: Int32 = 10_000) -> String? { handle.clusterID(timeoutMs: timeoutMs) }

    /// The offset of the next record of each partition. `timeoutMs` is for each question.
    public func endOffsets(topic: String, timeoutMs: Int32 = 10_000) throws(KafkaError) -> [KafkaPartition: Int64] {
        try watermarks(topic: topic, timeoutMs: timeoutMs).mapValues { $0.high }
    }

    /// Oldest offset and end offset of each partition. `timeoutMs` is for each question.
    public func watermarks(
        topic: String, timeoutMs: Int32 = 10_000
    ) throws(KafkaError) -> [KafkaPartition: (low: Int64, high: Int64)] {
        var watermarks: [KafkaPartition: (low: Int64, high: Int64)] = [:]
        for number in 0..<(try handle.metadata(of: topic, timeoutMs: timeoutMs).partitionCount) {
            let partition = KafkaPartition(topic: topic, partition: Int32(number))
            watermarks[partition] = try handle.queryWatermarks(of: partition, timeoutMs: timeoutMs)
        }
        return watermarks
    }

    /// Records between what the group has committed and the end, per partition; without a commit (or when the
    /// committed records are gone) counted from the oldest record.
    public func lag(
        group: String, topic: String, timeoutMs: Int32 = 10_000
    ) throws(KafkaError) -> [KafkaPartition: Int64] {
        let watermarks = try watermarks(topic: topic, timeoutMs: timeoutMs)
        // A client is bound to its group, hence one for the question.
        let member = try KafkaAdmin.makeHandle(options, group: group)
        let list = PartitionList(watermarks.keys)
        let answer = rd_kafka_committed(member.client, list.pointer, timeoutMs)
        guard answer == RD_KAFKA_RESP_ERR_NO_ERROR else {
            throw KafkaError(answer, "cannot read the committed offsets of group \(group)")
        }
        if let error = list.firstError("cannot read the committed offset of group \(group)") { throw error }
        var lag: [KafkaPartition: Int64] = [:]
        for element in list.pointer.elements {
            guard let (low, high) = watermarks[element.key] else { continue }
            lag[element.key] = max(0, high - max(low, element.offset))
        }
        return lag
    }

    private static func firstFailure(
        _ results: UnsafeMutablePointer<OpaquePointer?>?, _ count: Int, _ context: String
    ) -> KafkaError? {
        for index in 0..<count {
            guard let result = results?[index] else { continue }
            let code = rd_kafka_topic_result_error(result)
            guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { continue }
            let name = rd_kafka_topic_result_name(result).map { String(cString: $0) } ?? ""
            let said = rd_kafka_topic_result_error_string(result).map { " (" + String(cString: $0) + ")" } ?? ""
            return KafkaError(code, "\(context) \(name)\(said)")
        }
        return nil
    }

    private func request(
        _ operation: rd_kafka_admin_op_t, _ context: String, timeoutMs: Int32,
        start: (_ client: OpaquePointer, _ options: OpaquePointer?, _ queue: OpaquePointer) -> Void,
        results: (_ event: OpaquePointer) -> KafkaError?
    ) throws(KafkaError) {
        guard let queue = rd_kafka_queue_new(handle.client) else { throw KafkaError(.other, "cannot make a queue") }
        defer { rd_kafka_queue_destroy(queue) }
        let options = rd_kafka_AdminOptions_new(handle.client, operation)
        defer { rd_kafka_AdminOptions_destroy(options) }
        var text = [CChar](repeating: 0, count: 512)
        for set in [rd_kafka_AdminOptions_set_request_timeout, rd_kafka_AdminOptions_set_operation_timeout] {
            guard set(options, timeoutMs, &text, text.count) == RD_KAFKA_RESP_ERR_NO_ERROR else {
                throw KafkaError(.configuration, "\(context): timeout of \(timeoutMs) ms: \(string(fromBuffer: text))")
            }
        }
        start(handle.client, options, queue)
        // The request has its own timeout; the margin lets librdkafka tell why it failed.
        guard let event = rd_kafka_queue_poll(queue, timeoutMs &+ 1_000) else {
            throw KafkaError(RD_KAFKA_RESP_ERR__TIMED_OUT, "\(context): no answer within \(timeoutMs) ms")
        }
        defer { rd_kafka_event_destroy(event) }
        let failure = rd_kafka_event_error(event)
        guard failure == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaError(failure, context) }
        if let error = results(event) { throw error }
    }
}
