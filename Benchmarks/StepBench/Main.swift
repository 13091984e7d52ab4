import Glibc

/// The steps of the Kafka comparison, each a process of its own. Run by Benchmarks/run.sh, which says what the figures are.
@main
struct Main {
    static func main() throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        switch arguments.first {
        case "decisions": DecisionBenchmarks.run()
        case "restore" where arguments.count == 3:
            let options = Array(arguments.dropFirst())
            try RestoreBenchmarks.run(directory: options[0], decisions: Int(options[1]) ?? 1_000_000)
        case "takeover" where arguments.count == 5:
            let counts = arguments.dropFirst(2).compactMap { Int($0) }.filter { $0 > 0 }
            guard counts.count == 3 else { exit(2) }
            try TakeOverBenchmark.run(
                directory: arguments[1], partitions: counts[0], flushes: counts[1], decisions: counts[2])
        case "window" where arguments.count == 4:
            let options = Array(arguments.dropFirst())
            try SpillBenchmarks.run(buffer: options[0], directory: options[1], minutes: Int(options[2]) ?? 7)
        case "policies" where arguments.count == 4:
            let options = arguments.dropFirst().compactMap { Int($0) }
            guard options.count == 3 else { exit(2) }
            try PolicyBenchmarks.run(set: options[0], rounds: options[1], spans: options[2])
        case "policies": try PolicyBenchmarks.run()
        case "samplers": try SamplerBenchmarks.run()
        case "traceql": try TraceQLBenchmarks.run()
        case "produce" where (4...6).contains(arguments.count):
            try KafkaBenchmarks.produce(Array(arguments.dropFirst()))
        case "broker" where arguments.count == 3: try KafkaBenchmarks.broker(Array(arguments.dropFirst()))
        case "drain" where arguments.count == 3: try KafkaBenchmarks.drain(Array(arguments.dropFirst()))
        case "watch" where arguments.count == 3: try KafkaBenchmarks.watch(Array(arguments.dropFirst()))
        case "recover" where arguments.count == 4: try KafkaBenchmarks.recover(Array(arguments.dropFirst()))
        default:
            print(
                """
                usage: StepBench produce BROKERS TOPIC SPANS [PER-SECOND [COMPRESSION]] | broker TOPIC PARTITIONS | drain BROKERS TOPIC | watch PORT SPANS
                       StepBench recover PORT POSITION LAG
                       StepBench policies [SET ROUNDS SPANS] | samplers | traceql | decisions | restore DIRECTORY DECISIONS | takeover DIRECTORY PARTITIONS FLUSHES DECISIONS-PER-FLUSH | window memory-or-disk DIRECTORY MINUTES
                """)
            exit(2)
        }
    }
}
