import CLibrdkafka
import Glibc

/// Owns an `rd_kafka_topic_partition_list_t`.
struct PartitionList: ~Copyable {
    let pointer: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>

    init(capacity: Int) {
        pointer = rd_kafka_topic_partition_list_new(Int32(clamping: capacity))
    }

    init(_ partitions: some Collection<KafkaPartition>) {
        self.init(capacity: partitions.count)
        for partition in partitions { add(partition) }
    }

    init(_ offsets: [KafkaPartition: Int64]) {
        self.init(capacity: offsets.count)
        for (partition, offset) in offsets { add(partition, offset: offset) }
    }

    deinit { rd_kafka_topic_partition_list_destroy(pointer) }

    func add(_ partition: KafkaPartition, offset: Int64? = nil, metadata: String = "") {
        guard let element = rd_kafka_topic_partition_list_add(pointer, partition.topic, partition.partition) else {
            return
        }
        if let offset { element.pointee.offset = offset }
        guard !metadata.isEmpty else { return }
        // The list frees the metadata with free(), so it has to come from malloc().
        var text = metadata
        text.withUTF8 { bytes in
            guard let source = bytes.baseAddress, let copy = malloc(bytes.count) else { return }
            memcpy(copy, source, bytes.count)
            element.pointee.metadata = copy
            element.pointee.metadata_size = bytes.count
        }
    }

    /// The first element that has an error of its own.
    func firstError(_ context: String) -> KafkaError? { pointer.firstError(context) }
}

extension UnsafeMutablePointer<rd_kafka_topic_partition_list_t> {
    var elements: UnsafeMutableBufferPointer<rd_kafka_topic_partition_t> {
        UnsafeMutableBufferPointer(start: pointee.elems, count: Int(Swift.max(0, pointee.cnt)))
    }

    var partitions: [KafkaPartition] { elements.map(\.key) }

    func firstError(_ context: String) -> KafkaError? {
        for element in elements where element.err != RD_KAFKA_RESP_ERR_NO_ERROR {
            return KafkaError(element.err, "\(context) \(element.key) offset \(element.offset)")
        }
        return nil
    }
}

extension rd_kafka_topic_partition_t {
    var key: KafkaPartition {
        KafkaPartition(topic: topic.map { String(cString: $0) } ?? "", partition: partition)
    }

    var metadataText: String {
        guard let metadata, metadata_size > 0 else { return "" }
        return String(decoding: UnsafeRawBufferPointer(start: metadata, count: metadata_size), as: UTF8.self)
    }
}
