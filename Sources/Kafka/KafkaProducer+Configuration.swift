extension KafkaProducer {
    /// The settings of a producer. Times are milliseconds.
    public struct Configuration: Sendable {
        public var client: KafkaClientOptions
        public var clientID: String = "tailrace"
        /// Retries neither double nor reorder messages within a partition.
        public var idempotent: Bool = true
        /// How long a message may wait for company.
        public var lingerMs: Int = 20
        /// `none`, `gzip`, `snappy`, `lz4` or `zstd`.
        public var compression: String = "none"
        /// The largest message accepted, in bytes, key and headers included.
        public var maxMessageBytes: Int = 1_000_000
        /// Bounds of the local queue; a full one makes `send` wait.
        public var queueMaxMessages: Int = 100_000
        public var queueMaxKBytes: Int = 262_144
        /// How long a message is retried before it fails.
        public var deliveryTimeoutMs: Int = 30_000
        /// How long `send` waits for room in the local queue before it throws `.queueFull`.
        public var sendTimeoutMs: Int = 30_000
        /// How long a topic that is not there (yet) is waited for.
        public var unknownTopicTimeoutMs: Int = 10_000
        /// Called for each message, in any order, on the producer's own thread or in `send`, `flush` and `close`. Must
        /// be quick and must not call the producer.
        public var onDelivery: (@Sendable (KafkaDelivery) -> Void)?

        public init(client: KafkaClientOptions) { self.client = client }
    }

    private static let reserved = [
        "enable.idempotence": "set idempotent instead", "message.max.bytes": "set maxMessageBytes instead",
        "delivery.timeout.ms": "set deliveryTimeoutMs instead", "message.timeout.ms": "set deliveryTimeoutMs instead",
        "dr_msg_cb": "set onDelivery instead", "delivery.report.only.error": "every delivery is counted",
    ]

    static func builder(for configuration: Configuration) throws(KafkaError) -> ConfigurationBuilder {
        let builder = ConfigurationBuilder()
        try builder.set("client.id", configuration.clientID)
        try builder.set("enable.idempotence", configuration.idempotent ? "true" : "false")
        try builder.set("linger.ms", configuration.lingerMs)
        try builder.set("compression.codec", configuration.compression)
        try builder.set("message.max.bytes", configuration.maxMessageBytes)
        try builder.set("queue.buffering.max.messages", configuration.queueMaxMessages)
        try builder.set("queue.buffering.max.kbytes", configuration.queueMaxKBytes)
        try builder.set("message.timeout.ms", configuration.deliveryTimeoutMs)
        try builder.set("topic.metadata.propagation.max.ms", configuration.unknownTopicTimeoutMs)
        // The Java client's partitioner: the same key goes to the same partition whoever sends it.
        try builder.set("partitioner", "murmur2_random")
        try builder.set(configuration.client, reserved: reserved)
        return builder
    }
}

/// What became of a message.
public struct KafkaDelivery: Sendable {
    /// What was given to `send`.
    public let token: UInt
    public let partition: KafkaPartition
    /// Its offset, negative when it failed.
    public let offset: Int64
    /// Why it failed, nil on success.
    public let error: KafkaError?
}
