import CLibrdkafka

extension KafkaError {
    /// Makes an error of a librdkafka code; `context` says where and, if known, what to do.
    init(_ error: rd_kafka_resp_err_t, _ context: String) {
        let code = Code(error)
        var message = context.isEmpty ? "" : context + ": "
        message += String(cString: rd_kafka_err2str(error))
        if let advice = code.advice { message += "; " + advice }
        self.init(code, message, librdkafkaCode: error.rawValue)
    }

    /// Takes over and destroys an `rd_kafka_error_t`; nil when there is none.
    static func consuming(_ error: OpaquePointer?, _ context: String) -> KafkaError? {
        guard let error else { return nil }
        defer { rd_kafka_error_destroy(error) }
        let librdkafkaCode = rd_kafka_error_code(error)
        var code = Code(librdkafkaCode)
        if rd_kafka_error_is_fatal(error) != 0, code != .fenced { code = .fatal }
        let text = String(cString: rd_kafka_error_string(error))
        return KafkaError(code, "\(context): \(text)", librdkafkaCode: librdkafkaCode.rawValue)
    }

    /// `RD_KAFKA_RESP_ERR__FATAL` only says that there is a fatal error; the cause has to be asked for.
    static func fatal(of client: OpaquePointer, _ context: String) -> KafkaError {
        var text = [CChar](repeating: 0, count: 512)
        let cause = rd_kafka_fatal_error(client, &text, text.count)
        guard cause != RD_KAFKA_RESP_ERR_NO_ERROR else { return KafkaError(RD_KAFKA_RESP_ERR__FATAL, context) }
        let code: Code = Code(cause) == .fenced ? .fenced : .fatal
        return KafkaError(
            code, "\(context): \(string(fromBuffer: text)); close this client and make a new one",
            librdkafkaCode: cause.rawValue)
    }

    static let closedClient = KafkaError(.closed, "the client is closed")
}

/// The text of a zero-terminated buffer that a C function filled.
func string(fromBuffer buffer: [CChar]) -> String {
    String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

extension KafkaError.Code {
    init(_ error: rd_kafka_resp_err_t) {
        self =
            switch error {
            case RD_KAFKA_RESP_ERR__INVALID_ARG, RD_KAFKA_RESP_ERR__CONFLICT, RD_KAFKA_RESP_ERR_INVALID_CONFIG,
                RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT, RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL,
                RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR, RD_KAFKA_RESP_ERR_INVALID_PARTITIONS,
                RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, RD_KAFKA_RESP_ERR_INVALID_REQUEST:
                .configuration
            case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION,
                RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
                .unknownTopic
            case RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, RD_KAFKA_RESP_ERR__RESOLVE,
                RD_KAFKA_RESP_ERR__NODE_UPDATE, RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
                RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE,
                RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION,
                RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
                RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR, RD_KAFKA_RESP_ERR_NOT_CONTROLLER,
                RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH, RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH:
                .brokerUnavailable
            case RD_KAFKA_RESP_ERR__AUTHENTICATION, RD_KAFKA_RESP_ERR__SSL,
                RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM,
                RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE, RD_KAFKA_RESP_ERR_SECURITY_DISABLED:
                .authentication
            case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
                RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
                .authorization
            case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
                .messageTooLarge
            case RD_KAFKA_RESP_ERR__TIMED_OUT, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE,
                RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
                .timedOut
            case RD_KAFKA_RESP_ERR__QUEUE_FULL:
                .queueFull
            case RD_KAFKA_RESP_ERR__FENCED, RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, RD_KAFKA_RESP_ERR_PRODUCER_FENCED,
                RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION,
                RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST:
                .fenced
            case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE, RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET,
                RD_KAFKA_RESP_ERR__NO_OFFSET:
                .offsetOutOfRange
            case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
                RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, RD_KAFKA_RESP_ERR__WAIT_COORD:
                .coordinator
            case RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
                .rebalancing
            case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE, RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION,
                RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED:
                .unsupported
            case RD_KAFKA_RESP_ERR__DESTROY:
                .closed
            case RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS:
                .alreadyExists
            case RD_KAFKA_RESP_ERR__FATAL:
                .fatal
            default:
                .other
            }
    }

    /// What a user can do about it, where the code alone says so.
    var advice: String? {
        switch self {
        case .unknownTopic: "create the topic or correct its name, and check that the client may describe it"
        case .brokerUnavailable: "check bootstrap.servers and that the broker is up; the client keeps retrying"
        case .authentication: "check security.protocol, sasl.* and ssl.* options"
        case .authorization: "grant the client the access it needs"
        case .messageTooLarge: "raise message.max.bytes here and on the broker, or send smaller messages"
        case .offsetOutOfRange: "the position is no longer, or not yet, in the log: choose another one explicitly"
        case .fenced: "another member took over: publish and commit nothing more for these partitions"
        default: nil
        }
    }
}
