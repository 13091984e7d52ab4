import ArgumentParser
import Kafka
import OTLP
import Pipeline
import Query
import Storage
import Tailrace

/// Where `decide` and `compare` take spans from: a file, a topic, or a store. Shared by their options.
struct RecordedSpans: ParsableArguments {
    @Option(
        help: """
            Recorded spans: OTLP/JSON lines (plain, gzip, zstd), length-delimited protobuf, or - for stdin.
            """)
    var input: String?
    @Option(help: "A topic to read instead, in no consumer group, up to where it ends now. Nothing is committed.")
    var topic: String?
    @Option(help: "Brokers of the topic, host:port with commas between; those of the pipeline's source by default.")
    var brokers: String?
    @Option(help: "A store's kept traces instead.") var store: String?
    @Option(
        help: """
            With --topic or --store: only from so long ago (2h), or from a time (2026-11-21T03:00:00Z). Without them, the topic \
            of the pipeline's source.
            """)
    var from: String?

    func validate() throws {
        let places = [input != nil, topic != nil, store != nil].count { $0 }
        guard places <= 1 else { throw ValidationError("--input, --topic and --store are several places; name one") }
        if input != nil, from != nil || brokers != nil {
            throw ValidationError("--from and --brokers go with --topic, not with a file")
        }
        if store != nil, brokers != nil { throw ValidationError("--brokers goes with --topic, not with a store") }
        if places == 0, from == nil {
            throw ValidationError(
                "no spans; name a file (--input FILE), a topic (--topic TOPIC --brokers HOST:PORT) or a store (--store DIR)"
            )
        }
        if from != nil { _ = try start() }
    }

    /// Milliseconds since the Unix epoch.
    private func start() throws -> Int64? { try from.map { try PointInTime.parse($0, option: "--from") } }

    /// Whether what a sampler dropped is missing.
    var isSampled: Bool { store != nil }

    /// What is counted where something cannot be read.
    var unit: String { input != nil ? "lines" : store != nil ? "segments" : "records" }

    /// One OTLP request of the recording.
    struct Record {
        var partition: PartitionID
        /// Milliseconds: since the Unix epoch, or since the recording began.
        var timestamp: Int64
        /// Borrowed for the call.
        var payload: UnsafeRawBufferPointer
    }

    /// Visits the records, each partition's in their order. What cannot be read is written to stderr.
    ///
    /// - Parameter plan: names the topic and its brokers where the options do not.
    /// - Returns: what was read, for people, and how many records could not be.
    func read(
        plan: PipelinePlan, sampler: String, _ body: (Record) throws -> Void
    ) throws -> (source: String, unreadable: Int) {
        do {
            if let input { return (input, try readFile(input, body)) }
            if let store { return (store, try readStore(store, body)) }
            return try readTopic(plan, sampler, body)
        } catch let error as StageError {
            throw CommandFailure("\(error)")
        } catch let error as SpanFileError {
            throw CommandFailure("\(error)")
        } catch let error as FileError {
            throw CommandFailure("\(error)")
        }
    }

    private func readFile(_ path: String, _ body: (Record) throws -> Void) throws -> Int {
        let partition = PartitionID(cluster: "file", topic: "recording", partition: 0)
        let reader = try SpanFileReader(path: path)
        var clock = RecordingClock()
        var unreadable = 0
        while let item = try reader.next() {
            switch item {
            case .request(let record):
                let timestamp = clock.timestamp(of: record)
                try record.protobuf.withUnsafeBytes { payload in
                    try body(Record(partition: partition, timestamp: timestamp, payload: payload))
                }
            case .malformed(let error):
                unreadable += 1
                Terminal.line("\(error)")
            }
        }
        return unreadable
    }

    private func readStore(_ directory: String, _ body: (Record) throws -> Void) throws -> Int {
        guard (try? LocalFileSystem().size(directory + "/manifests")) != nil else {
            throw CommandFailure("\(directory) holds no store; it would have a folder manifests")
        }
        let problems = try Serving.store(directory).forEachRow(decidedSince: try start()) { row in
            try row.payload.withUnsafeBytes { payload in
                try body(Record(partition: row.partition, timestamp: row.decidedAt, payload: payload))
            }
            return true
        }
        for problem in problems { Terminal.line("\(problem.path): \(problem.explanation)") }
        return problems.count
    }

    private func readTopic(
        _ plan: PipelinePlan, _ sampler: String, _ body: (Record) throws -> Void
    ) throws -> (source: String, unreadable: Int) {
        let source = plan.source(of: sampler).flatMap { $0.kind == "kafka" ? $0 : nil }
        guard let topic = topic ?? source?.settings.string("topic") else {
            throw CommandFailure("pipeline \(plan.name) reads no topic; name one with --topic")
        }
        let address: ClusterAddress
        if let brokers {
            address = ClusterAddress(brokers: brokers)
        } else if let source {
            address = ClusterAddress(stage: source.settings)
        } else {
            throw CommandFailure("pipeline \(plan.name) reads no topic; name the brokers with --brokers")
        }
        var unreadable = 0
        try TopicRange(address, topic: topic, from: try start()).read { batch, index in
            let partition = PartitionID(cluster: "kafka", topic: topic, partition: batch.partition.partition)
            let payload = batch.payload(index)
            let timestamp = batch.timestampMs(index)
            func give(_ payload: UnsafeRawBufferPointer) throws {
                try body(Record(partition: partition, timestamp: timestamp, payload: payload))
            }
            // A protobuf request could begin with a brace only by an unknown group of field 15.
            guard payload.first == UInt8(ascii: "{") else {
                try give(payload)
                return true
            }
            do {
                try OTLPJSONDecoder.decode(payload).protobuf.withUnsafeBytes(give)
            } catch let error as OTLPJSONError {
                unreadable += 1
                Terminal.line("\(topic)/\(partition.partition)/\(batch.offset(index)): \(error)")
            }
            return true
        }
        return (from.map { "topic \(topic) from \($0)" } ?? "topic \(topic)", unreadable)
    }
}

extension PipelinePlan {
    /// The source that leads to a stage.
    func source(of name: String) -> Stage? {
        guard var index = index(of: name) else { return nil }
        while let edge = stages[index].inputs.first { index = edge.stage }
        return stages[index].role == .source ? stages[index] : nil
    }

    /// The sampler that a command is about.
    ///
    /// - Parameter option: what the user chooses it with, for messages.
    func chooseSampler(_ chosen: String?, option: String = "--stage") throws -> String {
        let names = samplers.map { stages[$0].name }
        if let chosen {
            guard names.contains(chosen) else {
                let known = names.isEmpty ? "it has none" : "it has \(names.joined(separator: ", "))"
                throw CommandFailure("pipeline \(name) has no sampler \"\(chosen)\"; \(known)")
            }
            return chosen
        }
        guard let first = names.first else { throw CommandFailure("pipeline \(name) has no sampler") }
        guard names.count == 1 else {
            throw CommandFailure(
                "pipeline \(name) has several samplers; choose one with \(option): \(names.joined(separator: ", "))")
        }
        return first
    }
}
