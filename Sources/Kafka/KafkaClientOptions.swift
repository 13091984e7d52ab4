/// How to reach a cluster: addresses and librdkafka options that are passed through as they are.
///
/// Options given here override this module's tuning defaults. The few that the module's promises rest on
/// (`enable.auto.commit`, `group.id`, …) have their own settings and are refused here.
public struct KafkaClientOptions: Sendable {
    /// One librdkafka option. See librdkafka's CONFIGURATION.md for names and values.
    public struct Option: Sendable, Hashable {
        public var key: String
        public var value: String
        /// An optional one that this librdkafka does not know is left out and reported; any other is an error.
        public var isOptional: Bool

        public init(_ key: String, _ value: String, isOptional: Bool = false) {
            self.key = key
            self.value = value
            self.isOptional = isOptional
        }
    }

    /// `host:port`, several separated by commas.
    public var brokers: String
    /// Set in this order, after the module's own defaults.
    public var options: [Option]
    /// Receives librdkafka's log lines on its own threads: must be quick, must not call the client, and should limit
    /// the rate of what it prints. Without it the lines are dropped; nothing is ever written to stderr.
    public var onLog: (@Sendable (KafkaLogLine) -> Void)?

    public init(brokers: String, options: [Option] = [], onLog: (@Sendable (KafkaLogLine) -> Void)? = nil) {
        self.brokers = brokers
        self.options = options
        self.onLog = onLog
    }
}

/// An option that was left out because the librdkafka in use does not take it.
public struct KafkaUnsupportedOption: Sendable, Hashable, CustomStringConvertible {
    public let key: String
    public let value: String
    /// librdkafka's words, with its version.
    public let reason: String

    public var description: String { "\(key) is left out: \(reason)" }
}

/// One line of librdkafka's log.
public struct KafkaLogLine: Sendable {
    /// Syslog's levels: 0 emergency … 3 error, 4 warning, 6 info, 7 debug.
    public let level: Int32
    /// librdkafka's short name of the place, such as `FAIL` or `REQTMOUT`.
    public let facility: String
    public let message: String
}
