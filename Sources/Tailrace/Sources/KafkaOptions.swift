import Kafka
import Pipeline

/// Options that everything that talks to Kafka shares.
enum KafkaOptions {
    static let brokers = StageOption(
        "brokers", .string, default: "localhost:9092", summary: "host:port of one or more brokers, separated by commas")
    static let client = StageOption(
        "options", .map(.string),
        summary: "librdkafka client options passed through, for example security.protocol or sasl.password")

    static func client(_ settings: StageSettings) -> KafkaClientOptions {
        let options = settings.value["options"]?.entries ?? []
        return KafkaClientOptions(
            brokers: settings.string("brokers") ?? "localhost:9092",
            options: options.compactMap { entry in
                entry.value.scalar.map { KafkaClientOptions.Option(entry.key, $0) }
            })
    }
}
