import CLibrdkafka

/// Collects options in an `rd_kafka_conf_t`, and what librdkafka does not know of the user's.
final class ConfigurationBuilder {
    let configuration: OpaquePointer
    private(set) var unsupported: [KafkaUnsupportedOption] = []
    private var isOwner = true

    init() { configuration = rd_kafka_conf_new() }

    deinit { if isOwner { rd_kafka_conf_destroy(configuration) } }

    /// A client took the configuration over.
    func handedOver() { isOwner = false }

    /// Sets an option that every supported librdkafka knows.
    func set(_ key: String, _ value: String) throws(KafkaError) { try set(key, value, isOptional: false) }

    func set(_ key: String, _ value: Int) throws(KafkaError) { try set(key, String(value)) }

    /// Sets an option of the module's own that only some versions know. Where it is left out nobody is told: nobody asked for it.
    ///
    /// - Returns: whether it is known, and set.
    func setIfKnown(_ key: String, _ value: String) -> Bool {
        rd_kafka_conf_set(configuration, key, value, nil, 0) == RD_KAFKA_CONF_OK
    }

    /// Sets the user's options after the module's own, so that they win; refuses those that are `reserved`.
    func set(_ options: KafkaClientOptions, reserved: [String: String]) throws(KafkaError) {
        guard !options.brokers.isEmpty else {
            throw KafkaError(.configuration, "no brokers given; expected host:port[,host:port…]")
        }
        try set("bootstrap.servers", options.brokers)
        for option in options.options {
            if let instead = reserved[option.key] ?? ConfigurationBuilder.alwaysReserved[option.key] {
                throw KafkaError(.configuration, "option \(option.key) cannot be passed through: \(instead)")
            }
            try set(option.key, option.value, isOptional: option.isOptional)
        }
    }

    private static let alwaysReserved = [
        "bootstrap.servers": "set brokers instead", "metadata.broker.list": "set brokers instead",
        "log.queue": "log lines go to onLog",
    ]

    private func set(_ key: String, _ value: String, isOptional: Bool) throws(KafkaError) {
        var text = [CChar](repeating: 0, count: 512)
        let answer = rd_kafka_conf_set(configuration, key, value, &text, text.count)
        guard answer != RD_KAFKA_CONF_OK else { return }
        // librdkafka quotes values it refuses, and this text ends up in logs.
        let isSecret = ["password", "secret", ".key", "oauthbearer.config"].contains { key.contains($0) }
        let said = isSecret ? "value not accepted" : string(fromBuffer: text)
        let reason =
            answer == RD_KAFKA_CONF_UNKNOWN ? "librdkafka \(KafkaLibrary.version) has no such option" : said
        guard isOptional else {
            throw KafkaError(.configuration, "option \(key): \(reason)")
        }
        unsupported.append(KafkaUnsupportedOption(key: key, value: isSecret ? "***" : value, reason: reason))
    }
}
