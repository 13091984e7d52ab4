import CLibrdkafka
import Synchronization

/// Sends messages. Thread-safe.
///
/// `send` copies and returns; the delivery happens later. `flush` says whether everything arrived.
public final class KafkaProducer: @unchecked Sendable {
    struct Counts {
        var delivered: UInt64 = 0
        var failed: UInt64 = 0
        var lastError: KafkaError?
        var failuresSinceFlush = 0
        var firstFailureSinceFlush: KafkaError?
    }

    final class Tally: Sendable {
        let counts = Mutex(Counts())
    }

    private struct Running {
        let handle: ClientHandle
        let thread: PollThread
    }

    public let configuration: Configuration
    /// Options of the user's that the librdkafka in use does not know and that were therefore left out.
    public let unsupportedOptions: [KafkaUnsupportedOption]
    let tally: Tally
    private let running: Mutex<Running?>

    /// Makes the client. Does not wait for a connection: messages wait for the broker up to `deliveryTimeoutMs`.
    public init(_ configuration: Configuration) throws(KafkaError) {
        let builder = try KafkaProducer.builder(for: configuration)
        let tally = Tally()
        let onDelivery = configuration.onDelivery
        let context = ClientContext(onLog: configuration.client.onLog) { message in
            tally.count(message)
            onDelivery?(KafkaDelivery(message.pointee))
        }
        rd_kafka_conf_set_dr_msg_cb(builder.configuration) { _, message, opaque in
            guard let message, let context = ClientContext.from(opaque) else { return }
            context.onDelivery?(message)
        }
        let handle = try ClientHandle(RD_KAFKA_PRODUCER, builder, context: context)
        running = Mutex(Running(handle: handle, thread: try PollThread(handle)))
        self.configuration = configuration
        self.tally = tally
        unsupportedOptions = builder.unsupported
    }

    deinit { close(flushTimeoutMs: 0) }

    func handle() throws(KafkaError) -> ClientHandle {
        guard let handle = running.withLock({ $0?.handle }) else { throw .closedClient }
        return handle
    }

    /// Messages acknowledged by the broker.
    public var delivered: UInt64 { tally.counts.withLock { $0.delivered } }
    /// Messages that did not arrive, as far as the producer knows.
    public var failed: UInt64 { tally.counts.withLock { $0.failed } }
    /// The newest delivery failure.
    public var lastError: KafkaError? { tally.counts.withLock { $0.lastError } }

    /// Messages (and unread reports) that wait at the moment.
    public var pending: Int {
        guard let handle = try? handle() else { return 0 }
        return Int(rd_kafka_outq_len(handle.client))
    }

    /// Errors of the whole client (broker away, authentication) since the last call.
    public func takeErrors() -> [KafkaError] {
        guard let handle = try? handle() else { return [] }
        return handle.context.takeEvents().compactMap { if case .error(let error) = $0 { error } else { nil } }
    }

    /// Waits until everything sent so far is acknowledged or failed. Throws the first failure since the last flush
    /// (with the number of them), or `.timedOut` with the number of messages still on their way.
    public func flush(timeoutMs: Int32) throws(KafkaError) {
        let handle = try handle()
        let answer = rd_kafka_flush(handle.client, timeoutMs)
        let (count, first) = tally.counts.withLock { counts in
            defer {
                counts.failuresSinceFlush = 0
                counts.firstFailureSinceFlush = nil
            }
            return (counts.failuresSinceFlush, counts.firstFailureSinceFlush)
        }
        if let first {
            throw KafkaError(
                first.code, "\(count) message(s) not delivered, the first one: \(first.message)",
                librdkafkaCode: first.librdkafkaCode)
        }
        guard answer == RD_KAFKA_RESP_ERR_NO_ERROR else {
            let waiting = rd_kafka_outq_len(handle.client)
            throw KafkaError(answer, "flush: \(waiting) message(s) not acknowledged within \(timeoutMs) ms")
        }
    }

    /// Waits for what is under way up to `flushTimeoutMs`, gives up the rest (counted as failed) and ends the client.
    /// Idempotent.
    public func close(flushTimeoutMs: Int32 = 5_000) {
        guard
            let running = running.withLock({ running in
                defer { running = nil }
                return running
            })
        else { return }
        let client = running.handle.client
        if flushTimeoutMs > 0 { _ = rd_kafka_flush(client, flushTimeoutMs) }
        if rd_kafka_outq_len(client) > 0 {
            _ = rd_kafka_purge(client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT)
            _ = rd_kafka_flush(client, 1_000)
        }
        running.thread.stop()
    }
}

extension KafkaProducer.Tally {
    func count(_ message: UnsafePointer<rd_kafka_message_t>) {
        guard message.pointee.err != RD_KAFKA_RESP_ERR_NO_ERROR else {
            counts.withLock { $0.delivered += 1 }
            return
        }
        let error = KafkaDelivery(message.pointee).error
        counts.withLock { counts in
            counts.failed += 1
            counts.failuresSinceFlush += 1
            counts.lastError = error
            if counts.firstFailureSinceFlush == nil { counts.firstFailureSinceFlush = error }
        }
    }
}

extension KafkaDelivery {
    init(_ message: rd_kafka_message_t) {
        let topic = message.rkt.map { String(cString: rd_kafka_topic_name($0)) } ?? ""
        let partition = KafkaPartition(topic: topic, partition: message.partition)
        let place = message.partition < 0 ? "topic \(topic)" : "\(partition)"
        self.init(
            token: UInt(bitPattern: message._private), partition: partition,
            offset: message.err == RD_KAFKA_RESP_ERR_NO_ERROR ? message.offset : KafkaOffset.invalid,
            error: message.err == RD_KAFKA_RESP_ERR_NO_ERROR
                ? nil : KafkaError(message.err, "delivery of \(message.len) bytes to \(place)"))
    }
}
