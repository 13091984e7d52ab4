import ArgumentParser
import DemoTraffic
import OTLP
import Pipeline

struct GenerateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate", abstract: "Makes believable traffic of a web shop, to Kafka or to a file.",
        discussion: """
            To Kafka it runs in real time until it is stopped; to a file it is as fast as it can be, and the same seed gives
            the same spans.
            Example: tailrace generate --output shop.jsonl.gz --traces 10000
            Example: tailrace generate --brokers localhost:9092 --topic otlp_spans --rate 100
            """)

    @Option(help: "Brokers to write to, host:port with commas between.") var brokers: String?
    @Option(help: "Topic to write to.") var topic = "otlp_spans"
    @Option(help: "Create the topic with this many partitions if it is missing.") var partitions: Int?
    @Option(name: [.long, .short], help: "File to write: .jsonl or .pb, with .gz or .zst compressed; - for stdout.")
    var output: String?
    @Option(help: "Mean number of traces per second.") var rate = 50.0
    @Option(help: "Stop after this many traces.") var traces: Int?
    @Option(help: "Stop after this much traffic, for example 60s.") var duration: String?
    @Option(help: "Same seed, same traffic.") var seed: UInt64 = 1
    @Flag(help: "Write to Kafka as fast as possible instead of in real time.") var fast = false

    func validate() throws {
        if (brokers == nil) == (output == nil) {
            throw ValidationError("name where to write: --brokers HOST:PORT or --output FILE")
        }
        if !(rate > 0 && rate <= 1_000_000) { throw ValidationError("--rate must be above 0 and at most 1000000") }
        if let traces, traces < 1 { throw ValidationError("--traces must be at least 1") }
        if let duration, Units.duration(duration) == nil {
            throw ValidationError("--duration \(duration) has no unit or is no duration; write 60s")
        }
        if output != nil, traces == nil, duration == nil {
            throw ValidationError("say how much to write: --traces N or --duration 60s")
        }
    }

    func run() throws {
        let start = WallClock.now()
        var traffic = DemoTraffic(
            DemoTrafficConfiguration(seed: seed, tracesPerSecond: rate, startTime: startTime(start)))
        let limit = duration.flatMap(Units.duration)
        let progress = ProgressLine()
        let first = Int64(startTime(start) / 1_000_000)
        let sink = try makeSink(first: first)
        while let record = traces.map({ traffic.next(ofFirst: $0) }) ?? traffic.next() {
            let time = Int64(record.emitTime / 1_000_000)
            if let limit, time - first > limit { break }
            if brokers != nil, !fast {
                while WallClock.now() < time {
                    NamedThread.pause(milliseconds: Int(min(100, time - WallClock.now() + 1)))
                }
            }
            try sink.write(record, time)
            progress.show("\(Figures.grouped(traffic.traces)) traces, \(Figures.grouped(traffic.spans)) spans")
        }
        try sink.finish()
        let truth = traffic.groundTruth
        progress.finish(
            "\(Figures.grouped(traffic.traces)) traces, \(Figures.grouped(traffic.spans)) spans "
                + "(\(truth.errorTraces) traces with errors, \(truth.slowTraces) slow, \(truth.piiSpans) spans with "
                + "personal data) in \(Figures.rounded(Double(WallClock.now() - start) / 1000)) s")
    }

    /// Files are reproducible: they start at a fixed moment.
    private func startTime(_ now: Int64) -> UInt64 {
        output == nil ? UInt64(now) * 1_000_000 : 1_750_000_000_000_000_000
    }

    private struct Output {
        var write: (DemoRecord, _ time: Int64) throws -> Void
        var finish: () throws -> Void
    }

    private func makeSink(first: Int64) throws -> Output {
        if let brokers {
            let feed = try KafkaFeed(brokers: brokers, topic: topic, partitions: partitions)
            return Output(
                write: { record, time in
                    do {
                        try feed.send(
                            traceID: record.traceID, payload: OTLPEncoder.encode(record.resourceSpans), timestamp: time)
                    } catch {
                        throw CommandFailure("cannot write to \(topic): \(error)")
                    }
                }, finish: { try feed.finish() })
        }
        do {
            let writer = try SpanFileWriter(path: output ?? "-")
            return Output(
                write: { record, time in try writer.append(record.resourceSpans, arrivalMilliseconds: time - first) },
                finish: { try writer.close() })
        } catch {
            throw CommandFailure("\(error)")
        }
    }
}
