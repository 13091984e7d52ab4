import CLibrdkafka
import Glibc

extension KafkaProducer {
    /// Sends one message; key, value and headers are copied. Waits while the local queue is full (back-pressure), at
    /// most `sendTimeoutMs`, then throws `.queueFull`.
    ///
    /// - Parameters:
    ///   - partition: nil lets the key choose, as the Java client does.
    ///   - value: nil sends a tombstone.
    ///   - timestampMs: milliseconds since 1970; nil is now.
    ///   - token: comes back in `KafkaDelivery`.
    public func send(
        topic: String, partition: Int32? = nil, key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?,
        timestampMs: Int64? = nil, headers: [(key: String, value: [UInt8])] = [], token: UInt = 0
    ) throws(KafkaError) {
        let handle = try handle()
        guard !topic.isEmpty else { throw KafkaError(.configuration, "cannot send to a topic without a name") }
        let deadline = monotonicMs() + Int64(configuration.sendTimeoutMs)
        while true {
            let failure = topic.withCString { topic in
                enqueue(handle.client, topic, partition, key, value, timestampMs, headers, token)
            }
            guard let failure else { return }
            let place = partition.map { "\(topic)[\($0)]" } ?? "topic \(topic)"
            let size = (value?.count ?? 0) + (key?.count ?? 0)
            guard rd_kafka_error_code(failure) == RD_KAFKA_RESP_ERR__QUEUE_FULL else {
                let code = rd_kafka_error_code(failure)
                if code == RD_KAFKA_RESP_ERR__FATAL {
                    rd_kafka_error_destroy(failure)
                    throw .fatal(of: handle.client, "cannot send to \(place)")
                }
                rd_kafka_error_destroy(failure)
                throw KafkaError(code, "cannot send \(size) bytes to \(place)")
            }
            rd_kafka_error_destroy(failure)
            let remaining = deadline - monotonicMs()
            guard remaining > 0 else {
                throw KafkaError(
                    RD_KAFKA_RESP_ERR__QUEUE_FULL,
                    "cannot send to \(place): \(rd_kafka_outq_len(handle.client)) messages wait and none was"
                        + " acknowledged in \(configuration.sendTimeoutMs) ms")
            }
            // Serves reports itself. The producer's thread may be faster, so this must not wait for one for long.
            rd_kafka_poll(handle.client, Int32(min(remaining, 10)))
        }
    }

    /// The same for arrays.
    public func send(
        topic: String, partition: Int32? = nil, key: [UInt8]?, value: [UInt8]?, timestampMs: Int64? = nil,
        headers: [(key: String, value: [UInt8])] = [], token: UInt = 0
    ) throws(KafkaError) {
        // rethrows does not carry typed errors through two closures
        let result: Result<Void, KafkaError> = withBytes(key) { key in
            withBytes(value) { value in
                do throws(KafkaError) {
                    try send(
                        topic: topic, partition: partition, key: key, value: value, timestampMs: timestampMs,
                        headers: headers, token: token)
                    return .success(())
                } catch {
                    return .failure(error)
                }
            }
        }
        try result.get()
    }

    private func withBytes<R>(_ bytes: [UInt8]?, _ body: (UnsafeRawBufferPointer?) -> R) -> R {
        guard let bytes else { return body(nil) }
        return bytes.withUnsafeBytes { buffer in
            // An empty array may have no address, and librdkafka reads a null pointer as "no value".
            guard buffer.baseAddress == nil else { return body(buffer) }
            var nothing: UInt8 = 0
            return withUnsafePointer(to: &nothing) { body(UnsafeRawBufferPointer(start: $0, count: 0)) }
        }
    }

    private func enqueue(
        _ client: OpaquePointer, _ topic: UnsafePointer<CChar>, _ partition: Int32?, _ key: UnsafeRawBufferPointer?,
        _ value: UnsafeRawBufferPointer?, _ timestampMs: Int64?, _ headers: [(key: String, value: [UInt8])],
        _ token: UInt
    ) -> OpaquePointer? {
        var list: OpaquePointer?
        if !headers.isEmpty {
            list = rd_kafka_headers_new(headers.count)
            for header in headers {
                header.value.withUnsafeBytes { bytes in
                    _ = rd_kafka_header_add(list, header.key, -1, bytes.baseAddress, bytes.count)
                }
            }
        }
        let failure = withUnsafeTemporaryAllocation(of: rd_kafka_vu_t.self, capacity: 8) { fields in
            var count = 0
            func add(_ type: rd_kafka_vtype_t, _ set: (inout rd_kafka_vu_t) -> Void) {
                var field = rd_kafka_vu_t()
                field.vtype = type
                set(&field)
                fields.initializeElement(at: count, to: field)
                count += 1
            }
            add(RD_KAFKA_VTYPE_TOPIC) { $0.u.cstr = topic }
            add(RD_KAFKA_VTYPE_PARTITION) { $0.u.i32 = partition ?? RD_KAFKA_PARTITION_UA }
            add(RD_KAFKA_VTYPE_MSGFLAGS) { $0.u.i = RD_KAFKA_MSG_F_COPY }
            add(RD_KAFKA_VTYPE_KEY) {
                $0.u.mem.ptr = UnsafeMutableRawPointer(mutating: key?.baseAddress)
                $0.u.mem.size = key?.count ?? 0
            }
            add(RD_KAFKA_VTYPE_VALUE) {
                $0.u.mem.ptr = UnsafeMutableRawPointer(mutating: value?.baseAddress)
                $0.u.mem.size = value?.count ?? 0
            }
            add(RD_KAFKA_VTYPE_OPAQUE) { $0.u.ptr = UnsafeMutableRawPointer(bitPattern: token) }
            if let timestampMs { add(RD_KAFKA_VTYPE_TIMESTAMP) { $0.u.i64 = timestampMs } }
            if let list { add(RD_KAFKA_VTYPE_HEADERS) { $0.u.headers = list } }
            return rd_kafka_produceva(client, fields.baseAddress, count)
        }
        // On success the message owns the headers.
        if failure != nil, let list { rd_kafka_headers_destroy(list) }
        return failure
    }
}

/// Milliseconds of a clock that never jumps.
func monotonicMs() -> Int64 {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return Int64(now.tv_sec) * 1_000 + Int64(now.tv_nsec) / 1_000_000
}
