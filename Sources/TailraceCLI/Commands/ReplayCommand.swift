import ArgumentParser
import OTLP
import Pipeline
import TraceModel

struct ReplayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay", abstract: "Writes recorded spans into Kafka, one record per trace and request.",
        discussion: """
            Without --rate the recording's own arrival times are kept (as far as it has them), --speed times as fast.
            Example: tailrace replay recorded.jsonl.gz --brokers localhost:9092 --topic otlp_spans --rate 20000
            """)

    @Argument(help: "Recorded spans: OTLP/JSON lines (plain, gzip, zstd), length-delimited protobuf, or - for stdin.")
    var spans: String
    @Option(help: "Brokers, host:port with commas between.") var brokers: String
    @Option(help: "Topic to write to.") var topic: String
    @Option(help: "Spans per second; 0 is as fast as possible.") var rate: Double?
    @Option(help: "Times as fast as it was recorded.") var speed = 1.0
    @Option(help: "Create the topic with this many partitions if it is missing.") var partitions: Int?

    func validate() throws {
        if let rate, rate < 0 { throw ValidationError("--rate must not be negative") }
        if !(speed > 0) { throw ValidationError("--speed must be above 0") }
    }

    func run() throws {
        let reader: SpanFileReader
        do { reader = try SpanFileReader(path: spans) } catch { throw CommandFailure("\(error)") }
        let feed = try KafkaFeed(brokers: brokers, topic: topic, partitions: partitions)
        let progress = ProgressLine()
        let start = WallClock.monotonic()
        var count = 0
        var records = 0
        var malformed = 0
        do {
            while let item = try reader.next() {
                guard case .request(let record) = item else {
                    if case .malformed(let error) = item { Terminal.line("\(error)") }
                    malformed += 1
                    continue
                }
                pace(start: start, spans: count, arrival: record.arrivalMilliseconds)
                let request: [ResourceSpans]
                do {
                    request = try OTLPDecoder.decode(record.protobuf)
                } catch {
                    Terminal.line("\(spans): record \(record.position.record): \(error)")
                    malformed += 1
                    continue
                }
                for part in TraceSplitter.split(request) {
                    try feed.send(traceID: part.traceID, payload: OTLPEncoder.encode(part.request))
                    records += 1
                    count += part.request.reduce(0) { $0 + $1.scopeSpans.reduce(0) { $0 + $1.spans.count } }
                }
                let seconds = max(0.001, Double(WallClock.monotonic() - start) / 1000)
                progress.show(
                    "\(Figures.grouped(count)) spans in \(Figures.grouped(records)) records, "
                        + "\(Figures.grouped(Int(Double(count) / seconds))) spans/s")
            }
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            throw CommandFailure("\(error)")
        }
        try feed.finish()
        let seconds = Double(WallClock.monotonic() - start) / 1000
        progress.finish(
            "\(Figures.grouped(count)) spans in \(Figures.grouped(records)) records written to \(topic) in "
                + "\(Figures.rounded(seconds)) s")
        if malformed > 0 {
            throw CommandFailure("\(malformed) records of \(spans) could not be read and were left out")
        }
    }

    private func pace(start: Int64, spans: Int, arrival: Int64?) {
        var due = start
        if let rate {
            if rate == 0 { return }
            due += Int64(Double(spans) / rate * 1000)
        } else if let arrival {
            due += Int64(Double(arrival) / speed)
        } else {
            return
        }
        while WallClock.monotonic() < due {
            NamedThread.pause(milliseconds: Int(min(100, due - WallClock.monotonic() + 1)))
        }
    }
}
