import CLibrdkafka
import Synchronization

/// What librdkafka's callbacks need: it is their opaque pointer, and lives as long as the client.
final class ClientContext: @unchecked Sendable {
    /// Errors repeat for every broker and attempt; without a bound a caller that never polls would collect them all.
    private static let maximumEvents = 1024

    struct Shared {
        var events: [KafkaEvent] = []
        var droppedEvents = 0
        var statistics: String?
    }

    let onLog: (@Sendable (KafkaLogLine) -> Void)?
    let shared = Mutex(Shared())
    /// Producer only: called for every delivery report, on the thread that polls.
    let onDelivery: (@Sendable (UnsafePointer<rd_kafka_message_t>) -> Void)?
    /// Consumer only; touched on the polling thread alone.
    var rebalancer: Rebalancer?

    init(
        onLog: (@Sendable (KafkaLogLine) -> Void)?,
        onDelivery: (@Sendable (UnsafePointer<rd_kafka_message_t>) -> Void)? = nil
    ) {
        self.onLog = onLog
        self.onDelivery = onDelivery
    }

    static func from(_ opaque: UnsafeMutableRawPointer?) -> ClientContext? {
        opaque.map { Unmanaged<ClientContext>.fromOpaque($0).takeUnretainedValue() }
    }

    func add(_ event: KafkaEvent) {
        shared.withLock { shared in
            if shared.events.count < ClientContext.maximumEvents {
                shared.events.append(event)
            } else {
                shared.droppedEvents += 1
            }
        }
    }

    func takeEvents() -> [KafkaEvent] {
        shared.withLock { shared in
            defer { shared.events.removeAll() }
            return shared.events
        }
    }

    var hasEvents: Bool { shared.withLock { !$0.events.isEmpty } }

    /// Registers the callbacks every client has.
    func register(on configuration: OpaquePointer) {
        rd_kafka_conf_set_opaque(configuration, Unmanaged.passUnretained(self).toOpaque())
        // Always set: librdkafka's own default prints to stderr.
        rd_kafka_conf_set_log_cb(configuration) { client, level, facility, text in
            guard let client, let context = ClientContext.from(rd_kafka_opaque(client)), let onLog = context.onLog
            else { return }
            onLog(
                KafkaLogLine(
                    level: level, facility: facility.map { String(cString: $0) } ?? "",
                    message: text.map { String(cString: $0) } ?? ""))
        }
        rd_kafka_conf_set_error_cb(configuration) { client, code, reason, opaque in
            guard let context = ClientContext.from(opaque) else { return }
            let text = reason.map { String(cString: $0) } ?? ""
            let error = rd_kafka_resp_err_t(code)
            if error == RD_KAFKA_RESP_ERR__FATAL, let client {
                context.add(.error(.fatal(of: client, "fatal client error")))
            } else {
                context.add(.error(KafkaError(error, text)))
            }
        }
        rd_kafka_conf_set_stats_cb(configuration) { _, json, length, opaque in
            guard let context = ClientContext.from(opaque), let json else { return 0 }
            let bytes = UnsafeRawBufferPointer(start: json, count: length)
            let text = String(decoding: bytes, as: UTF8.self)
            context.shared.withLock { $0.statistics = text }
            return 0  // librdkafka frees the JSON
        }
    }
}
