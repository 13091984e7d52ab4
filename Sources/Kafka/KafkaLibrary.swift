import CLibrdkafka

/// Facts about the librdkafka that is loaded, which may be newer than the headers this was compiled with.
public enum KafkaLibrary {
    /// Such as `2.0.2`.
    public static var version: String { String(cString: rd_kafka_version_str()) }

    /// Whether librdkafka takes `value` for the client option `key`. Makes no client and no connection.
    public static func supports(option key: String, value: String) -> Bool {
        guard let configuration = rd_kafka_conf_new() else { return false }
        defer { rd_kafka_conf_destroy(configuration) }
        return rd_kafka_conf_set(configuration, key, value, nil, 0) == RD_KAFKA_CONF_OK
    }
}
