import Glibc

/// The steps of the Kafka comparison, each a process of its own. Run by Benchmarks/run.sh, which says what the figures are.
@main
struct Main {
    static func main() throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        switch arguments.first {
        case "produce" where arguments.count == 4: try KafkaBenchmarks.produce(Array(arguments.dropFirst()))
        case "drain" where arguments.count == 3: try KafkaBenchmarks.drain(Array(arguments.dropFirst()))
        case "watch" where arguments.count == 3: try KafkaBenchmarks.watch(Array(arguments.dropFirst()))
        default:
            print("usage: KafkaBench produce BROKERS TOPIC SPANS | drain BROKERS TOPIC | watch PORT SPANS")
            exit(2)
        }
    }
}
