import Glibc

/// Measures the hot path. Run by Benchmarks/run.sh, which says what the figures are.
@main
struct Main {
    static func main() throws {
        let arguments = CommandLine.arguments.dropFirst()
        switch arguments.first {
        case "memory": try MemoryBenchmarks.run()
        case "traceql": try TraceQLBenchmarks.run()
        case "produce" where arguments.count == 4: try KafkaBenchmarks.produce(Array(arguments.dropFirst()))
        case "drain" where arguments.count == 3: try KafkaBenchmarks.drain(Array(arguments.dropFirst()))
        case "watch" where arguments.count == 3: try KafkaBenchmarks.watch(Array(arguments.dropFirst()))
        default:
            print(
                "usage: TailraceBench memory | traceql | produce BROKERS TOPIC TRACES | drain BROKERS TOPIC | watch PORT SPANS"
            )
            exit(2)
        }
    }
}
