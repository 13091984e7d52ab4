import Pipeline
import Storage

/// How a dead letter travels in a topic: the bytes as they came, everything else in headers.
enum DeadLetterHeaders {
    static func make(
        _ rejected: RejectedRecord, pipeline: String
    ) -> [(key: String, value: [UInt8])] {
        var headers = [
            ("tailrace.code", rejected.code), ("tailrace.reason", rejected.reason), ("tailrace.stage", rejected.stage),
            ("tailrace.pipeline", pipeline), ("tailrace.cluster", rejected.partition.cluster),
            ("tailrace.topic", rejected.partition.topic),
            ("tailrace.partition", String(rejected.partition.partition)), ("tailrace.offset", String(rejected.offset)),
            ("tailrace.timestamp_ms", String(rejected.timestamp)),
        ]
        if let configVersion = rejected.configVersion {
            headers.append(("tailrace.config_version", JSONLines.hex(configVersion)))
        }
        return headers.map { (key: $0.0, value: Array($0.1.utf8)) }
    }

    /// Nil for a record without these headers: somebody else wrote it.
    static func read(
        _ headers: [(key: String, value: [UInt8])], key: [UInt8], payload: [UInt8]
    ) -> DeadLetter? {
        func text(_ name: String) -> String? {
            headers.last { $0.key == name }.map { String(decoding: $0.value, as: UTF8.self) }
        }
        guard let topic = text("tailrace.topic"), let partition = text("tailrace.partition").flatMap(Int32.init),
            let offset = text("tailrace.offset").flatMap(Int64.init)
        else { return nil }
        return DeadLetter(
            pipeline: text("tailrace.pipeline") ?? "", configVersion: text("tailrace.config_version") ?? "",
            stage: text("tailrace.stage") ?? "", code: text("tailrace.code") ?? "",
            reason: text("tailrace.reason") ?? "", cluster: text("tailrace.cluster") ?? "", topic: topic,
            partition: partition, offset: offset,
            timestamp: text("tailrace.timestamp_ms").flatMap(Int64.init) ?? 0, key: key, payload: payload)
    }
}
