import CLibrdkafka

/// Messages of one partition in offset order, in librdkafka's own memory: nothing is copied.
///
/// Whoever holds the batch owns the messages and gives them back with `destroy()` (or by dropping the last reference).
/// It may be handed to another thread, but only one thread may use it at a time. Pointers got from it are valid until
/// `destroy()`. A batch may outlive its consumer: librdkafka's client is torn down when the last batch is gone.
public final class KafkaMessageBatch: @unchecked Sendable {
    public let partition: KafkaPartition
    /// Sum of the payloads, in bytes.
    public private(set) var byteCount = 0
    private var messages: [UnsafeMutablePointer<rd_kafka_message_t>] = []
    // librdkafka's destroy would wait for ever for messages that are still out, so they keep the client alive.
    private var client: ClientHandle?

    init(partition: KafkaPartition, client: ClientHandle) {
        self.partition = partition
        self.client = client
    }

    deinit { destroy() }

    func append(_ message: UnsafeMutablePointer<rd_kafka_message_t>) {
        messages.append(message)
        byteCount += message.pointee.payload == nil ? 0 : message.pointee.len
    }

    /// Number of messages; 0 after `destroy()`.
    public var count: Int { messages.count }

    /// The offset of the first message, nil when empty.
    public var firstOffset: Int64? { messages.first?.pointee.offset }

    /// The offset of the last message, nil when empty.
    public var lastOffset: Int64? { messages.last?.pointee.offset }

    /// The value's bytes. Empty for a tombstone; `isTombstone` tells it from an empty value.
    public func payload(_ index: Int) -> UnsafeRawBufferPointer {
        let message = messages[index].pointee
        guard let start = message.payload else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(start: start, count: message.len)
    }

    public func isTombstone(_ index: Int) -> Bool { messages[index].pointee.payload == nil }

    /// The key's bytes, nil when the record has no key.
    public func key(_ index: Int) -> UnsafeRawBufferPointer? {
        let message = messages[index].pointee
        guard let start = message.key else { return nil }
        return UnsafeRawBufferPointer(start: start, count: message.key_len)
    }

    public func offset(_ index: Int) -> Int64 { messages[index].pointee.offset }

    /// Milliseconds since 1970, -1 when the record has none.
    public func timestampMs(_ index: Int) -> Int64 { rd_kafka_message_timestamp(messages[index], nil) }

    /// Whether the timestamp is the broker's (LogAppendTime) and not the producer's.
    public func isLogAppendTime(_ index: Int) -> Bool {
        var type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
        _ = rd_kafka_message_timestamp(messages[index], &type)
        return type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME
    }

    /// The record's headers, copied, in their order.
    public func headers(_ index: Int) -> [(key: String, value: [UInt8])] {
        var list: OpaquePointer?
        guard rd_kafka_message_headers(messages[index], &list) == RD_KAFKA_RESP_ERR_NO_ERROR, let list else {
            return []
        }
        var headers: [(key: String, value: [UInt8])] = []
        var name: UnsafePointer<CChar>?
        var value: UnsafeRawPointer?
        var size = 0
        while rd_kafka_header_get_all(list, headers.count, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR {
            let bytes = value.map { Array(UnsafeRawBufferPointer(start: $0, count: size)) } ?? []
            headers.append((name.map { String(cString: $0) } ?? "", bytes))
        }
        return headers
    }

    /// Everything about one message, with one look at the list; the view's pointers are valid until `destroy()`.
    public func message(_ index: Int) -> KafkaMessageView {
        let pointer = messages[index]
        var type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
        let timestamp = rd_kafka_message_timestamp(pointer, &type)
        let message = pointer.pointee
        return KafkaMessageView(
            offset: message.offset, timestampMs: timestamp, isLogAppendTime: type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME,
            key: message.key.map { UnsafeRawBufferPointer(start: $0, count: message.key_len) },
            payload: UnsafeRawBufferPointer(start: message.payload, count: message.payload == nil ? 0 : message.len))
    }

    /// Calls `body` with everything about one message; the view's pointers are valid until `destroy()`.
    public func withMessage<R>(_ index: Int, _ body: (KafkaMessageView) throws -> R) rethrows -> R {
        try body(message(index))
    }

    /// Gives the messages back to librdkafka. Calling it again does nothing.
    public func destroy() {
        for message in messages { rd_kafka_message_destroy(message) }
        messages = []
        client = nil
    }
}

/// One message of a batch. Borrowed: valid only as long as the batch's messages are.
public struct KafkaMessageView {
    public let offset: Int64
    /// Milliseconds since 1970, -1 when the record has none.
    public let timestampMs: Int64
    public let isLogAppendTime: Bool
    public let key: UnsafeRawBufferPointer?
    public let payload: UnsafeRawBufferPointer
}
