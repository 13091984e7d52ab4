extension KafkaConsumer {
    /// How partitions are shared among the members of a group. All members must agree.
    public enum AssignmentStrategy: String, Sendable {
        /// Everything is given back and handed out anew at each change (`range,roundrobin`).
        case eager
        /// Only what moves is given back (`cooperative-sticky`).
        case cooperativeSticky

        var option: String { self == .eager ? "range,roundrobin" : "cooperative-sticky" }
    }

    /// What to do with a position that is not in the log (any more).
    public enum OffsetReset: String, Sendable {
        /// Report `KafkaEvent.offsetOutOfRange` and wait for a `seek`.
        case error
        /// Go on at the oldest record. Silent: for tests and tools.
        case earliest
        /// Go on at the end. Silent: loses records.
        case latest
    }

    /// Where a group starts that has committed nothing yet.
    public enum StartPosition: String, Sendable {
        case earliest, latest
    }

    /// The settings of a consumer. Times are milliseconds.
    public struct Configuration: Sendable {
        public var client: KafkaClientOptions
        /// nil for a consumer that only uses `assign`; it cannot commit.
        public var groupID: String?
        /// Makes the member static: it keeps its partitions over a restart within the session timeout.
        public var groupInstanceID: String?
        public var clientID: String = "tailrace"
        public var assignmentStrategy: AssignmentStrategy = .cooperativeSticky
        public var sessionTimeoutMs: Int = 45_000
        public var heartbeatIntervalMs: Int = 3_000
        /// The longest time between two polls before the member is expelled.
        public var maxPollIntervalMs: Int = 300_000
        public var offsetReset: OffsetReset = .error
        public var startAt: StartPosition = .earliest
        /// Whether records of aborted and open transactions are withheld.
        public var readCommitted: Bool = true
        /// Prefetched bytes, all partitions together, in KiB. A fetch response that is under way comes on top. Unless set,
        /// 64 MiB, and 256 MiB with a librdkafka before 2.2.0: at the bound its fetcher sleeps for up to a second.
        public var queuedMaxKBytes: Int?
        /// How long the broker may wait for a fetch to fill.
        public var fetchWaitMaxMs: Int = 100
        /// Bytes asked for per partition and fetch. A larger record is still delivered.
        public var fetchMessageMaxBytes: Int = 4 << 20
        /// The largest response accepted; bounds the largest record (a 64 MB one fits).
        public var receiveMessageMaxBytes: Int = 192 << 20
        /// The longest wait for the committed offsets of newly assigned partitions.
        public var committedTimeoutMs: Int32 = 5_000
        /// Whether `KafkaEvent.partitionEnd` is reported.
        public var reportPartitionEnd: Bool = false
        /// 0 switches `statistics` off.
        public var statisticsIntervalMs: Int = 0

        public init(client: KafkaClientOptions, groupID: String?) {
            self.client = client
            self.groupID = groupID
        }
    }

    static let groupOfNobody = "tailrace.ungrouped"

    private static let reserved = [
        "group.id": "set groupID instead", "group.instance.id": "set groupInstanceID instead",
        "partition.assignment.strategy": "set assignmentStrategy instead",
        "auto.offset.reset": "set offsetReset instead", "topic.auto.offset.reset": "set offsetReset instead",
        "isolation.level": "set readCommitted instead",
        "enable.auto.commit": "offsets are committed by hand, after the data is durable",
        "auto.commit.enable": "offsets are committed by hand, after the data is durable",
        "enable.auto.offset.store": "offsets are committed by hand, after the data is durable",
    ]

    static func builder(for configuration: Configuration) throws(KafkaError) -> ConfigurationBuilder {
        if configuration.groupID == "" { throw KafkaError(.configuration, "the group id is empty") }
        let builder = ConfigurationBuilder()
        try builder.set("client.id", configuration.clientID)
        // librdkafka has no consumer queue without a group id; nobody ever joins this one.
        try builder.set("group.id", configuration.groupID ?? groupOfNobody)
        if let instance = configuration.groupInstanceID { try builder.set("group.instance.id", instance) }
        try builder.set("enable.auto.commit", "false")
        try builder.set("enable.auto.offset.store", "false")
        try builder.set("partition.assignment.strategy", configuration.assignmentStrategy.option)
        try builder.set("session.timeout.ms", configuration.sessionTimeoutMs)
        try builder.set("heartbeat.interval.ms", configuration.heartbeatIntervalMs)
        try builder.set("max.poll.interval.ms", configuration.maxPollIntervalMs)
        try builder.set("auto.offset.reset", configuration.offsetReset.rawValue)
        try builder.set("isolation.level", configuration.readCommitted ? "read_committed" : "read_uncommitted")
        // Far above need: the bound is the bytes.
        try builder.set("queued.min.messages", 10_000_000)
        // At the bound the fetcher sleeps for up to a second, and only librdkafka 2.2.0 and newer let one shorten that. With
        // an older one the queue must last while it sleeps: 64 MiB halved the speed of catching up, 256 MiB do not.
        let sleepsShortly = builder.setIfKnown("fetch.queue.backoff.ms", "5")
        try builder.set(
            "queued.max.messages.kbytes", configuration.queuedMaxKBytes ?? (sleepsShortly ? 65_536 : 262_144))
        try builder.set("fetch.wait.max.ms", configuration.fetchWaitMaxMs)
        try builder.set("fetch.message.max.bytes", configuration.fetchMessageMaxBytes)
        try builder.set("fetch.max.bytes", 64 << 20)
        try builder.set("receive.message.max.bytes", configuration.receiveMessageMaxBytes)
        try builder.set("enable.partition.eof", configuration.reportPartitionEnd ? "true" : "false")
        try builder.set("statistics.interval.ms", configuration.statisticsIntervalMs)
        try builder.set(configuration.client, reserved: reserved)
        return builder
    }
}
