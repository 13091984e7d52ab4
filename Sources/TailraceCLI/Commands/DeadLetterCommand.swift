import ArgumentParser
import OTLP
import Pipeline
import Query
import Storage
import Tailrace

struct DeadLetterCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deadletter", abstract: "Lists, shows and retries records that a pipeline could not use.",
        discussion: """
            Dead letters hold raw bytes, which may be secret: what is shown here was never scrubbed.
            Example: tailrace deadletter list --store ./data --reason truncated
            """,
        subcommands: [DeadLetterListCommand.self, DeadLetterShowCommand.self, DeadLetterRetryCommand.self])
}

struct DeadLetterListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists dead letters.",
        discussion: """
            Letters that a retry sent are left out; --all shows them too.
            Example: tailrace deadletter list --store ./data --since 24h --format json
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

    @OptionGroup var selection: DeadLetterSelection
    @Option(help: "At most so many.") var limit = 100
    @Option(help: "text or json (one object per line, without the bytes).") var format = Format.text
    @Flag(help: "Also those that were sent again.") var all = false

    func validate() throws {
        if limit < 1 { throw ValidationError("--limit must be at least 1") }
    }

    func run() throws {
        let states = try selection.states()
        var shown = 0
        var total = 0
        var codes: [String: Int] = [:]
        try selection.visit { letter, id, location in
            let state = states[id] ?? RetryJournal.State()
            if state.isSent, !all { return true }
            total += 1
            codes[letter.code, default: 0] += 1
            if shown >= limit { return true }
            if shown == 0, format == .text {
                Terminal.output("ID                CODE                  FAILED  RECORD TIME (UTC)        FROM\n")
            }
            shown += 1
            return Terminal.output(
                format == .text ? Self.row(letter, id, state) : Self.json(letter, id, state, location))
        }
        guard format == .text else { return }
        if total == 0 {
            Terminal.line("no dead letters")
        } else {
            let parts = codes.sorted { $0.key < $1.key }.map { "\($0.key) \(Figures.grouped($0.value))" }
            Terminal.line(
                "\(Figures.grouped(total)) dead letters (\(parts.joined(separator: ", ")))"
                    + (shown < total ? ", \(Figures.grouped(shown)) shown; --limit shows more" : ""))
        }
    }

    private static func row(_ letter: DeadLetter, _ id: String, _ state: RetryJournal.State) -> [UInt8] {
        let failed = state.isSent ? "sent" : state.failedAttempts == 0 ? "-" : "\(state.failedAttempts)x"
        let time = TimeText.utc(UInt64(max(0, min(letter.timestamp, Int64.max / 1_000_000))) * 1_000_000)
        let columns = [(id, 16), (letter.code, 20), (failed, 6), (time, 23), (letter.place, 0)]
        let text = columns.map { text, width in
            let plain = ProtobufOutline.plain(text)
            return plain + String(repeating: " ", count: max(0, width - plain.count))
        }.joined(separator: "  ")
        return Array("\(text)\n".utf8)
    }

    private static func json(
        _ letter: DeadLetter, _ id: String, _ state: RetryJournal.State, _ location: String
    ) -> [UInt8] {
        var json = JSONWriter()
        json.object {
            $0.member("id", id)
            $0.member("code", letter.code)
            $0.member("reason", letter.reason)
            $0.member("pipeline", letter.pipeline)
            $0.member("config_version", letter.configVersion)
            $0.member("stage", letter.stage)
            $0.member("cluster", letter.cluster)
            $0.member("topic", letter.topic)
            $0.member("partition", letter.partition)
            $0.member("offset", letter.offset)
            $0.member("timestamp_ms", letter.timestamp)
            $0.member("bytes", letter.payload.count)
            $0.member("failed_retries", state.failedAttempts)
            $0.member("sent", state.isSent)
            $0.member("location", location)
        }
        json.endLine()
        return json.bytes
    }
}

struct DeadLetterShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Shows one dead letter: why it is one, and where its bytes break.",
        discussion: """
            ID is what list prints (or its beginning), or topic/partition/offset.
            Example: tailrace deadletter show 5f0c2a9be1d34476 --store ./data
            """)

    @Argument(help: "The letter's id, its beginning, or topic/partition/offset.") var id: String
    @OptionGroup var selection: DeadLetterSelection
    @Flag(help: "Write the untouched bytes to stdout, and nothing else.") var raw = false
    @Flag(help: "Show all bytes and fields, not only the beginning.") var full = false

    func run() throws {
        let states = try selection.states()
        var found: [(letter: DeadLetter, id: String, location: String)] = []
        try selection.visit { letter, letterID, location in
            if letterID.hasPrefix(id) || letter.place == id { found.append((letter, letterID, location)) }
            return found.count < 100
        }
        guard let first = found.first else {
            throw CommandFailure("there is no dead letter \(id); tailrace deadletter list --all shows what there is")
        }
        if raw {
            guard found.count == 1 else { throw CommandFailure("\(id) names \(found.count) dead letters; name one") }
            Terminal.output(first.letter.payload)
            return
        }
        for item in found {
            Terminal.output(text(item.letter, item.id, item.location, states[item.id] ?? RetryJournal.State()))
        }
    }

    private func text(
        _ letter: DeadLetter, _ letterID: String, _ location: String, _ state: RetryJournal.State
    ) -> String {
        var lines = ["Dead letter \(letterID)"]
        func row(_ name: String, _ value: String) {
            let padding = String(repeating: " ", count: max(0, 14 - name.count))
            lines.append("  \(name)\(padding)\(ProtobufOutline.plain(value))")
        }
        row("code", letter.code)
        row("reason", letter.reason)
        row(
            "refused by",
            "stage \(letter.stage) of pipeline \(letter.pipeline)"
                + (letter.configVersion.isEmpty ? "" : ", configuration \(letter.configVersion)"))
        row(
            "came from",
            "\(letter.topic), partition \(letter.partition), offset \(letter.offset)"
                + (letter.cluster.isEmpty ? "" : ", cluster \(letter.cluster)"))
        row(
            "record time",
            TimeText.utc(UInt64(max(0, min(letter.timestamp, Int64.max / 1_000_000))) * 1_000_000) + " UTC")
        row("key", letter.key.isEmpty ? "none" : String(decoding: letter.key.prefix(100), as: UTF8.self))
        row("kept in", location)
        if state.isSent {
            row("retries", "sent again; it has left the list")
        } else if state.failedAttempts > 0 {
            row("retries", "failed \(state.failedAttempts) times, the last time: \(state.lastReason)")
        }
        row("bytes", "\(letter.payload.count)")
        lines += contents(letter.payload)
        return lines.joined(separator: "\n") + "\n\n"
    }

    /// What can be read of the bytes, the defect, and the bytes around it.
    private func contents(_ payload: [UInt8]) -> [String] {
        if payload.isEmpty { return [] }
        var lines: [String] = []
        var defect: Int?
        if payload.first == UInt8(ascii: "{") {
            do {
                _ = try OTLPJSONDecoder.decode(payload)
                lines.append("  The bytes are a readable OTLP/JSON request.")
            } catch {
                lines.append("  As OTLP/JSON they break: \(error)")
            }
        } else {
            let outline = ProtobufOutline(payload, maximumLines: full ? .max : 60)
            lines.append("  Fields, with the byte at which each begins:")
            lines += outline.lines
            if outline.isCut { lines.append("  … --full shows the rest") }
            if let found = outline.defect {
                defect = found.offset
                lines.append("  Here it breaks, at byte \(found.offset): \(found.reason)")
            }
        }
        var range = 0..<payload.count
        if !full {
            let centre = defect ?? 0
            let start = max(0, centre - 64) / 16 * 16
            range = start..<min(payload.count, start + 256)
        }
        lines.append("  Bytes \(range.lowerBound) to \(range.upperBound - 1):")
        lines += ProtobufOutline.hexDump(payload, range)
        return lines
    }
}

struct DeadLetterRetryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry", abstract: "Sends dead letters to a topic again.",
        discussion: """
            With --pipeline each letter first runs through that pipeline's stages: one that would be refused again is not
            sent, stays on the list, and its failed attempts are counted. The others go to the topic that the pipeline
            reads, into the partition they came from. With --to-topic letters are sent as they are.
            A letter leaves the list when the broker has acknowledged it. Safe beside running workers.
            Exit code 1 where a letter failed.
            Example: tailrace deadletter retry --all --reason truncated --pipeline pipelines/kafka-tail-sampling.yaml
                     tailrace deadletter retry 5f0c2a9be1d34476 --to-topic inspect --brokers localhost:9092
            """)

    @Argument(help: "Ids (or their beginnings), or topic/partition/offset.") var ids: [String] = []
    @Flag(help: "All letters on the list that --reason, --topic and --since select.") var all = false
    @OptionGroup var selection: DeadLetterSelection
    @Option(help: "A pipeline file: its checks, its source's brokers and topic.") var pipeline: String?
    @Option(help: "A topic to send to, as they are; needs --brokers or --pipeline.") var toTopic: String?
    @Flag(help: "Say what would be sent and what would be refused; change nothing.") var dryRun = false

    func validate() throws {
        if all == !ids.isEmpty { throw ValidationError("name the letters to retry, or --all") }
        if pipeline == nil, toTopic == nil {
            throw ValidationError("say where letters go: --pipeline FILE, or --to-topic TOPIC with --brokers")
        }
        if toTopic != nil, pipeline == nil, selection.brokers == nil {
            throw ValidationError("--to-topic needs --brokers or --pipeline")
        }
    }

    func run() throws {
        let target = try RetryTarget(pipeline: pipeline, toTopic: toTopic, brokers: selection.brokers)
        if dryRun { return try rehearse(target) }
        guard let journal = try open() else {
            throw CommandFailure("another process retries dead letters of \(selection.store) at the moment")
        }
        var retries: [String: DeadLetterRetry] = [:]
        var outcome = DeadLetterRetry.Outcome()
        let progress = ProgressLine()
        let started = WallClock.monotonic()
        do {
            try forEachChosen(journal.states) { letter, _ in
                let destination = try target.destination(of: letter)
                if retries[destination.key] == nil {
                    retries[destination.key] = try DeadLetterRetry(
                        journal: journal, address: destination.address, topic: destination.topic,
                        check: destination.check)
                }
                try retries[destination.key]?.add(letter)
                progress.show("\(retries.values.reduce(0) { $0 + $1.outcome.sent }) sent")
            }
            for retry in retries.values {
                try retry.finish()
                outcome.sent += retry.outcome.sent
                outcome.failed += retry.outcome.failed
            }
        } catch let error as CommandFailure {
            throw error
        } catch {
            throw CommandFailure("\(error)")
        }
        let seconds = Double(WallClock.monotonic() - started) / 1000
        Terminal.line(
            "\(Figures.grouped(outcome.sent)) sent and off the list, \(Figures.grouped(outcome.failed)) failed and still "
                + "on it, in \(Figures.rounded(seconds)) s")
        if outcome.failed > 0 { throw ExitCode(1) }
    }

    private func open() throws -> RetryJournal? {
        do { return try RetryJournal.open(layout: selection.layout) } catch { throw CommandFailure("\(error)") }
    }

    private func rehearse(_ target: RetryTarget) throws {
        var good = 0
        var bad = 0
        try forEachChosen(try selection.states()) { letter, id in
            let destination = try target.destination(of: letter)
            let record = destination.check?.record(of: letter) ?? letter.payload
            if let refusal = destination.check?.refusal(of: record, key: letter.key) {
                bad += 1
                Terminal.output("\(id)  would fail again: \(ProtobufOutline.plain(refusal))\n")
            } else {
                good += 1
                Terminal.output("\(id)  would be sent to \(destination.topic)\n")
            }
        }
        Terminal.line(
            "\(Figures.grouped(good)) would be sent, \(Figures.grouped(bad)) would fail again; nothing was changed")
    }

    private func forEachChosen(
        _ states: [String: RetryJournal.State], _ body: (DeadLetter, String) throws -> Void
    ) throws {
        var unused = Set(ids)
        try selection.visit { letter, id, _ in
            if !all {
                let names = ids.filter { id.hasPrefix($0) || letter.place == $0 }
                if names.isEmpty { return true }
                unused.subtract(names)
            }
            if states[id]?.isSent != true { try body(letter, id) }
            return true
        }
        if !unused.isEmpty {
            throw CommandFailure(
                "there is no dead letter \(unused.sorted().joined(separator: ", ")); the others were tried")
        }
    }
}

/// Where retried letters go, and who checks them first.
private final class RetryTarget {
    struct Destination {
        /// Letters with the same key go the same way.
        var key: String
        var topic: String
        var address: ClusterAddress
        var check: DeadLetterCheck?
    }

    private let plan: PipelinePlan?
    private let toTopic: String?
    private let brokers: String?
    private var checks: [Int: DeadLetterCheck] = [:]

    init(pipeline: String?, toTopic: String?, brokers: String?) throws {
        plan = try pipeline.map(PipelineLoading.load)
        self.toTopic = toTopic
        self.brokers = brokers
        if let plan, !plan.sources.contains(where: { plan.stages[$0].kind == "kafka" }) {
            throw CommandFailure("pipeline \(plan.name) reads no topic that letters could be sent to")
        }
    }

    func destination(of letter: DeadLetter) throws -> Destination {
        guard let plan else {
            return Destination(
                key: "", topic: toTopic ?? "", address: ClusterAddress(brokers: brokers ?? ""), check: nil)
        }
        let sources = plan.sources.filter { plan.stages[$0].kind == "kafka" }
        let own = sources.first { plan.stages[$0].settings.string("topic") == letter.topic }
        guard let source = own ?? (sources.count == 1 ? sources.first : nil) else {
            throw CommandFailure(
                "pipeline \(plan.name) has several sources and none reads \(letter.topic); name the topic with --to-topic"
            )
        }
        if checks[source] == nil {
            do { checks[source] = try DeadLetterCheck(plan: plan, source: source) } catch {
                throw CommandFailure("cannot set up pipeline \(plan.name): \(error)")
            }
        }
        let settings = plan.stages[source].settings
        return Destination(
            key: plan.stages[source].name, topic: toTopic ?? settings.string("topic") ?? "",
            address: brokers.map(ClusterAddress.init(brokers:)) ?? ClusterAddress(stage: settings),
            check: checks[source])
    }
}
