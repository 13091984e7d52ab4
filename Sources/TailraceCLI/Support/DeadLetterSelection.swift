import ArgumentParser
import Pipeline
import Query
import Storage
import Tailrace

/// Where dead letters are and which of them are meant; shared by the `deadletter` commands.
struct DeadLetterSelection: ParsableArguments {
    @Option(help: "Directory of the store whose dead letters are meant; it also keeps what became of retries.")
    var store = "./data"
    @Option(help: "A file of dead letters that a file_sink wrote, instead of the store's; may be repeated.")
    var file: [String] = []
    @Option(name: .customLong("dead-letter-topic"), help: "A topic of dead letters that a kafka_sink wrote, instead.")
    var deadLetterTopic: String?
    @Option(help: "Brokers of --dead-letter-topic and --to-topic, host:port with commas between.") var brokers: String?
    @Option(help: "Only letters with this code, for example truncated.") var reason: String?
    @Option(help: "Only letters of records at most this old (24h), or since a time (2026-11-21T03:00:00Z).")
    var since: String?
    @Option(help: "Only letters that came from this topic.") var topic: String?

    func validate() throws {
        if deadLetterTopic != nil, brokers == nil { throw ValidationError("--dead-letter-topic needs --brokers") }
        if deadLetterTopic != nil, !file.isEmpty {
            throw ValidationError("--file and --dead-letter-topic are two places; name one")
        }
        if since != nil { _ = try oldest() }
    }

    var layout: StoreLayout { StoreLayout(root: store) }

    /// Milliseconds since the Unix epoch.
    private func oldest() throws -> Int64? {
        try since.map { try PointInTime.parse($0, option: "--since") }
    }

    /// Visits every letter once, also where a crash made a worker write it twice; `body` returns false to stop.
    func visit(_ body: (DeadLetter, _ id: String, _ location: String) throws -> Bool) throws {
        let oldest = try oldest()
        var seen = Set<String>()
        var badLines = 0
        var firstBadLine = ""
        func note(_ place: String) {
            badLines += 1
            if badLines == 1 { firstBadLine = place }
        }
        func take(_ letter: DeadLetter, _ location: String) throws -> Bool {
            if let reason, letter.code != reason { return true }
            if let topic, letter.topic != topic { return true }
            if let oldest, letter.timestamp < oldest { return true }
            let id = letter.id
            guard seen.insert(id).inserted else { return true }
            return try body(letter, id, location)
        }
        do {
            if let deadLetterTopic, let brokers {
                try DeadLetterTopic(ClusterAddress(brokers: brokers), topic: deadLetterTopic).forEach(
                    onBadLine: note, take)
            } else if !file.isEmpty {
                try DeadLetterFiles(paths: file).forEach(onBadLine: note, take)
            } else {
                try DeadLetterFiles(layout: layout).forEach(onBadLine: note, take)
            }
        } catch let error as FileError {
            throw CommandFailure("\(error)")
        } catch let error as StageError {
            throw CommandFailure("\(error)")
        }
        if badLines > 0 {
            Terminal.line(
                "\(badLines) \(badLines == 1 ? "entry is" : "entries are") no dead letter, the first one: \(firstBadLine)"
            )
        }
    }

    /// What became of letters that were tried again.
    func states() throws -> [String: RetryJournal.State] {
        do { return try RetryJournal.read(layout: layout).states } catch { throw CommandFailure("\(error)") }
    }
}
