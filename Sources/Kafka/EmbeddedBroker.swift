import CLibrdkafka
import Synchronization

/// librdkafka's mock cluster: a broker inside this process that speaks Kafka's protocol over real TCP sockets.
///
/// For tests, demos and `--embedded`: nothing is stored, each partition keeps about the last 5 MB. Topics that a
/// producer asks for are made with 4 partitions. Thread-safe.
public final class EmbeddedBroker: @unchecked Sendable {
    /// The request to disturb, by its number in Kafka's protocol.
    public struct Request: Sendable, Hashable {
        public let apiKey: Int16
        public init(apiKey: Int16) { self.apiKey = apiKey }

        public static let produce = Request(apiKey: 0)
        public static let fetch = Request(apiKey: 1)
        public static let listOffsets = Request(apiKey: 2)
        public static let metadata = Request(apiKey: 3)
        public static let offsetCommit = Request(apiKey: 8)
        public static let offsetFetch = Request(apiKey: 9)
        public static let findCoordinator = Request(apiKey: 10)
        public static let joinGroup = Request(apiKey: 11)
        public static let heartbeat = Request(apiKey: 12)
        public static let leaveGroup = Request(apiKey: 13)
        public static let syncGroup = Request(apiKey: 14)
        public static let initProducerID = Request(apiKey: 22)
    }

    /// What the broker answers instead, by its number in Kafka's protocol.
    public struct Fault: Sendable, Hashable {
        public let errorCode: Int32
        public init(errorCode: Int32) { self.errorCode = errorCode }

        public static let none = Fault(errorCode: 0)
        public static let offsetOutOfRange = Fault(errorCode: 1)
        public static let unknownTopic = Fault(errorCode: 3)
        public static let notLeader = Fault(errorCode: 6)
        public static let requestTimedOut = Fault(errorCode: 7)
        public static let messageTooLarge = Fault(errorCode: 10)
        public static let notCoordinator = Fault(errorCode: 16)
        public static let illegalGeneration = Fault(errorCode: 22)
        public static let unknownMember = Fault(errorCode: 25)
        public static let rebalanceInProgress = Fault(errorCode: 27)
        public static let topicAuthorizationFailed = Fault(errorCode: 29)
        public static let fencedInstance = Fault(errorCode: 82)
        /// The connection breaks.
        public static let disconnect = Fault(errorCode: -195)
    }

    private struct Cluster: @unchecked Sendable {
        let handle: ClientHandle
        let cluster: OpaquePointer
    }

    /// `host:port` of all brokers, separated by commas.
    public let bootstrapServers: String
    public let brokerCount: Int
    private let defaultPartitions: Int
    private let running: Mutex<Cluster?>

    /// - Parameter defaultPartitions: of `createTopic` where none are given.
    public init(
        brokers: Int = 1, defaultPartitions: Int = 4, onLog: (@Sendable (KafkaLogLine) -> Void)? = nil
    ) throws(KafkaError) {
        let builder = ConfigurationBuilder()
        try builder.set("client.id", "tailrace-embedded-broker")
        let handle = try ClientHandle(RD_KAFKA_PRODUCER, builder, context: ClientContext(onLog: onLog))
        guard let cluster = rd_kafka_mock_cluster_new(handle.client, Int32(clamping: max(1, brokers))),
            let servers = rd_kafka_mock_cluster_bootstraps(cluster)
        else { throw KafkaError(.other, "cannot start the embedded broker with \(brokers) broker(s)") }
        bootstrapServers = String(cString: servers)
        brokerCount = max(1, brokers)
        self.defaultPartitions = defaultPartitions
        running = Mutex(Cluster(handle: handle, cluster: cluster))
    }

    deinit { close() }

    /// Makes a topic. Does nothing when it is there.
    public func createTopic(_ name: String, partitions: Int? = nil) throws(KafkaError) {
        let count = Int32(clamping: partitions ?? defaultPartitions)
        try perform("cannot create topic \(name) with \(count) partition(s)") { cluster in
            let answer = rd_kafka_mock_topic_create(cluster, name, count, 1)
            return answer == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS ? RD_KAFKA_RESP_ERR_NO_ERROR : answer
        }
    }

    /// The next requests of this kind get these answers, in order.
    public func pushErrors(_ request: Request, _ faults: [Fault]) throws(KafkaError) {
        try perform("cannot push errors") { cluster in
            let codes = faults.map { rd_kafka_resp_err_t($0.errorCode) }
            rd_kafka_mock_push_request_errors_array(cluster, request.apiKey, codes.count, codes)
            return RD_KAFKA_RESP_ERR_NO_ERROR
        }
    }

    /// Takes back what `pushErrors` left.
    public func clearErrors(_ request: Request) throws(KafkaError) {
        try perform("cannot clear errors") { cluster in
            rd_kafka_mock_clear_request_errors(cluster, request.apiKey)
            return RD_KAFKA_RESP_ERR_NO_ERROR
        }
    }

    /// The topic is answered for with this error until `.none` is set.
    public func setTopicError(_ name: String, _ fault: Fault) throws(KafkaError) {
        try perform("cannot set the error of topic \(name)") { cluster in
            rd_kafka_mock_topic_set_error(cluster, name, rd_kafka_resp_err_t(fault.errorCode))
            return RD_KAFKA_RESP_ERR_NO_ERROR
        }
    }

    /// Delays every answer. - Parameter broker: counted from 1, nil for all.
    public func setRoundTripTime(_ milliseconds: Int, broker: Int? = nil) throws(KafkaError) {
        try perform("cannot set the round trip time") { cluster in
            forEach(broker) { rd_kafka_mock_broker_set_rtt(cluster, $0, Int32(clamping: milliseconds)) }
        }
    }

    /// Breaks the connections and refuses new ones. - Parameter broker: counted from 1, nil for all.
    public func setDown(broker: Int? = nil) throws(KafkaError) {
        try perform("cannot take the broker down") { cluster in
            forEach(broker) { rd_kafka_mock_broker_set_down(cluster, $0) }
        }
    }

    /// Undoes `setDown`.
    public func setUp(broker: Int? = nil) throws(KafkaError) {
        try perform("cannot bring the broker up") { cluster in
            forEach(broker) { rd_kafka_mock_broker_set_up(cluster, $0) }
        }
    }

    /// Makes a broker (counted from 1) the leader of a partition.
    public func setLeader(of partition: KafkaPartition, broker: Int) throws(KafkaError) {
        try perform("cannot set the leader of \(partition)") { cluster in
            rd_kafka_mock_partition_set_leader(
                cluster, partition.topic, partition.partition, Int32(clamping: broker))
        }
    }

    /// Ends the brokers; clients see broken connections. Idempotent.
    public func close() {
        guard
            let running = running.withLock({ running in
                defer { running = nil }
                return running
            })
        else { return }
        rd_kafka_mock_cluster_destroy(running.cluster)
    }

    private func forEach(_ broker: Int?, _ body: (Int32) -> rd_kafka_resp_err_t) -> rd_kafka_resp_err_t {
        for number in broker.map({ $0...$0 }) ?? 1...brokerCount {
            let answer = body(Int32(clamping: number))
            guard answer == RD_KAFKA_RESP_ERR_NO_ERROR else { return answer }
        }
        return RD_KAFKA_RESP_ERR_NO_ERROR
    }

    // Under the lock, so that no call meets a destroyed cluster.
    private func perform(
        _ context: String, _ body: (OpaquePointer) -> rd_kafka_resp_err_t
    ) throws(KafkaError) {
        let answer = running.withLock { running in running.map { body($0.cluster) } }
        guard let answer else { throw KafkaError(.closed, "\(context): the embedded broker is closed") }
        guard answer == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaError(answer, context) }
    }
}
