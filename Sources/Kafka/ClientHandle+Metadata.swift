import CLibrdkafka

/// A topic as the cluster describes it.
public struct KafkaTopicMetadata: Sendable, Hashable {
    public let name: String
    public let partitionCount: Int
}

extension ClientHandle {
    func queryWatermarks(
        of partition: KafkaPartition, timeoutMs: Int32
    ) throws(KafkaError) -> (low: Int64, high: Int64) {
        var low: Int64 = 0
        var high: Int64 = 0
        let answer = rd_kafka_query_watermark_offsets(
            client, partition.topic, partition.partition, &low, &high, timeoutMs)
        guard answer == RD_KAFKA_RESP_ERR_NO_ERROR else {
            throw KafkaError(answer, "cannot read the end of \(partition)")
        }
        return (low, high)
    }

    func clusterID(timeoutMs: Int32) -> String? {
        guard let text = rd_kafka_clusterid(client, timeoutMs) else { return nil }
        defer { rd_kafka_mem_free(client, text) }
        let id = String(cString: text)
        return id.isEmpty ? nil : id
    }

    /// Describes one topic. Throws `.unknownTopic` when it is not there.
    func metadata(of topic: String, timeoutMs: Int32) throws(KafkaError) -> KafkaTopicMetadata {
        guard let local = rd_kafka_topic_new(client, topic, nil) else {
            throw KafkaError(rd_kafka_last_error(), "topic \(topic)")
        }
        defer { rd_kafka_topic_destroy(local) }
        guard let found = try metadata(local, "topic \(topic)", timeoutMs: timeoutMs).first else {
            throw KafkaError(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, "topic \(topic)")
        }
        return found
    }

    /// Describes all topics the client may see.
    func topics(timeoutMs: Int32) throws(KafkaError) -> [KafkaTopicMetadata] {
        try metadata(nil, "cannot list topics", timeoutMs: timeoutMs)
    }

    private func metadata(
        _ local: OpaquePointer?, _ place: String, timeoutMs: Int32
    ) throws(KafkaError) -> [KafkaTopicMetadata] {
        var document: UnsafePointer<rd_kafka_metadata>?
        let answer = rd_kafka_metadata(client, local == nil ? 1 : 0, local, &document, timeoutMs)
        guard answer == RD_KAFKA_RESP_ERR_NO_ERROR, let document else { throw KafkaError(answer, place) }
        defer { rd_kafka_metadata_destroy(document) }
        var topics: [KafkaTopicMetadata] = []
        for index in 0..<Int(max(0, document.pointee.topic_cnt)) {
            let topic = document.pointee.topics[index]
            if topic.err != RD_KAFKA_RESP_ERR_NO_ERROR {
                if local == nil { continue }
                throw KafkaError(topic.err, place)
            }
            topics.append(
                KafkaTopicMetadata(
                    name: topic.topic.map { String(cString: $0) } ?? "", partitionCount: Int(topic.partition_cnt)))
        }
        return topics
    }
}
