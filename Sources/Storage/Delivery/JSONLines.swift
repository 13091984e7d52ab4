import OTLP
public import Pipeline
import TraceModel

/// The JSON lines of dead letters and of summaries of dropped traces. Each ends with a line feed.
public enum JSONLines {
    /// Reason, where it came from, and the untouched bytes in base64.
    public static func deadLetter(
        _ rejected: RejectedRecord, pipeline: String
    ) -> [UInt8] {
        var line = JSONWriter()
        line.object { line in
            line.member("pipeline", pipeline)
            if let configVersion = rejected.configVersion { line.member("config_version", hex(configVersion)) }
            line.member("stage", rejected.stage)
            line.member("code", rejected.code)
            line.member("reason", rejected.reason)
            line.member("cluster", rejected.partition.cluster)
            line.member("topic", rejected.partition.topic)
            line.member("partition", rejected.partition.partition)
            line.member("offset", rejected.offset)
            line.member("timestamp_ms", rejected.timestamp)
            line.key("key")
            line.base64(rejected.key)
            line.key("payload")
            line.base64(rejected.payload)
        }
        line.endLine()
        return line.bytes
    }

    /// Eight hex digits, as configuration hashes are shown everywhere.
    public static func hex(_ hash: UInt32) -> String {
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }

    /// Durations in nanoseconds, times in milliseconds since the Unix epoch.
    public static func summary(_ dropped: DroppedTrace) -> [UInt8] {
        var line = JSONWriter()
        line.object { line in
            line.member("trace_id", dropped.summary.traceID.hex)
            line.member("root_service", dropped.summary.rootService)
            line.member("root_operation", dropped.summary.rootName)
            line.member("start_unix_nano", String(dropped.summary.startTime))
            line.member("duration_nano", dropped.summary.duration)
            line.member("spans", dropped.summary.spanCount)
            line.member("errors", dropped.summary.errorCount)
            line.member("bytes", dropped.summary.byteCount)
            line.member("policy", dropped.decision.policy)
            line.member("probability", dropped.decision.probability)
            line.member("trigger", dropped.decision.trigger.name)
            line.member("reason", dropped.decision.reason)
            line.member("decided_at_ms", dropped.decision.decidedAt)
        }
        line.endLine()
        return line.bytes
    }
}
