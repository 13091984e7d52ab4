/// What went wrong with Kafka, where, and what to do about it.
///
/// A plain value: safe to keep, send between threads and compare.
public struct KafkaError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kind of failure, for decisions in code. More kinds may be added, so a `switch` needs a default.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        private enum Kind: String {
            case configuration, unknownTopic, brokerUnavailable, authentication, authorization, messageTooLarge
            case timedOut, queueFull, fenced, offsetOutOfRange, coordinator, rebalancing, unsupported, closed
            case alreadyExists, fatal, other
        }

        private let kind: Kind

        /// An option is unknown, has a bad value, or contradicts another one.
        public static let configuration = Code(kind: .configuration)
        /// The topic or partition does not exist (or the client may not see it).
        public static let unknownTopic = Code(kind: .unknownTopic)
        /// No connection to the broker, or the partition has no leader at the moment.
        public static let brokerUnavailable = Code(kind: .brokerUnavailable)
        /// The broker refused the client's credentials, or the TLS handshake failed.
        public static let authentication = Code(kind: .authentication)
        /// The client is known but may not do this.
        public static let authorization = Code(kind: .authorization)
        /// A message is larger than the client or the broker accepts.
        public static let messageTooLarge = Code(kind: .messageTooLarge)
        /// No answer in time. The operation may still have happened.
        public static let timedOut = Code(kind: .timedOut)
        /// The local send queue stayed full for the whole time allowed.
        public static let queueFull = Code(kind: .queueFull)
        /// Another client took over: this one no longer owns its partitions, group instance or producer epoch.
        public static let fenced = Code(kind: .fenced)
        /// The position asked for is outside the partition's log.
        public static let offsetOutOfRange = Code(kind: .offsetOutOfRange)
        /// The group's coordinator is loading, moving or away.
        public static let coordinator = Code(kind: .coordinator)
        /// The group is rebalancing at the moment.
        public static let rebalancing = Code(kind: .rebalancing)
        /// The broker or this librdkafka does not offer the operation.
        public static let unsupported = Code(kind: .unsupported)
        /// The client was closed before.
        public static let closed = Code(kind: .closed)
        /// The topic to be created is there already.
        public static let alreadyExists = Code(kind: .alreadyExists)
        /// librdkafka's client is beyond repair: close it and make a new one.
        public static let fatal = Code(kind: .fatal)
        /// Anything else; see `librdkafkaCode` and `message`.
        public static let other = Code(kind: .other)

        public var description: String { kind.rawValue }
    }

    public let code: Code
    /// What was wrong, where (topic, partition, offset, broker) and what to do. Lowercase, no full stop.
    public let message: String
    /// The `rd_kafka_resp_err_t` behind it, 0 where librdkafka had no part in it.
    public let librdkafkaCode: Int32

    public init(_ code: Code, _ message: String, librdkafkaCode: Int32 = 0) {
        self.code = code
        self.message = message
        self.librdkafkaCode = librdkafkaCode
    }

    /// Whether the same call may succeed later without anybody changing anything.
    public var isRetriable: Bool {
        switch code {
        case .brokerUnavailable, .timedOut, .queueFull, .coordinator, .rebalancing: true
        default: false
        }
    }

    /// Whether this client instance is finished and has to be replaced.
    public var isFatal: Bool { code == .fatal || code == .fenced || code == .closed }

    public var description: String { "\(code): \(message)" }
}
