import Kafka
public import Pipeline
public import Storage

/// Where a command finds a cluster: addresses and librdkafka options.
public struct ClusterAddress: Sendable {
    let client: KafkaClientOptions

    public init(brokers: String) { client = KafkaClientOptions(brokers: brokers) }

    /// As a stage of kind `kafka` or `kafka_sink` is told.
    public init(stage: StageSettings) { client = KafkaOptions.client(stage) }
}

/// Reads the dead letters of a topic, from its beginning to where it ended when reading began. Joins no group and commits
/// nothing.
public struct DeadLetterTopic: Sendable {
    private let address: ClusterAddress
    private let topic: String

    public init(_ address: ClusterAddress, topic: String) {
        self.address = address
        self.topic = topic
    }

    /// Visits the letters partition by partition as they come; `body` returns false to stop. Records that are no dead
    /// letters go to `onBadLine` with their place.
    ///
    /// - Throws: a `StageError` when the brokers do not answer, or stop answering for 30 s.
    public func forEach(
        onBadLine: (String) -> Void = { _ in }, _ body: (DeadLetter, _ location: String) throws -> Bool
    ) throws {
        try TopicRange(address, topic: topic).read { batch, index in
            let location = "\(batch.partition.topic)/\(batch.partition.partition)/\(batch.offset(index))"
            let letter = DeadLetterHeaders.read(
                batch.headers(index), key: batch.key(index).map(Array.init) ?? [], payload: Array(batch.payload(index)))
            guard let letter else {
                onBadLine(location)
                return true
            }
            return try body(letter, location)
        }
    }
}
