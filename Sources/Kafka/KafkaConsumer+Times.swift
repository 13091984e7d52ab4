import CLibrdkafka

extension KafkaConsumer {
    /// For each partition the offset of its first record at or after the time, nil where the broker knows none. Asks the
    /// broker.
    ///
    /// - Parameter time: milliseconds since 1970.
    public func offsets(
        of partitions: some Collection<KafkaPartition>, at time: Int64, timeoutMs: Int32 = 10_000
    ) throws(KafkaError) -> [KafkaPartition: Int64?] {
        guard !partitions.isEmpty else { return [:] }
        let list = PartitionList(capacity: partitions.count)
        // The question travels in the field that the answer comes back in.
        for partition in partitions { list.add(partition, offset: time) }
        let context = "cannot look up the offsets of a time"
        let answer = rd_kafka_offsets_for_times(try handle().client, list.pointer, timeoutMs)
        guard answer == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaError(answer, context) }
        if let error = list.firstError(context) { throw error }
        var offsets: [KafkaPartition: Int64?] = [:]
        // Negative ones are names, mostly that of the end.
        for element in list.pointer.elements {
            offsets.updateValue(element.offset >= 0 ? element.offset : nil, forKey: element.key)
        }
        return offsets
    }
}
