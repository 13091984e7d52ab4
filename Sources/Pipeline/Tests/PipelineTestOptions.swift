/// The keys of a pipeline file's `tests`, as the reader, suggestions and the reference documentation know them.
package enum PipelineTestOptions {
    /// Of one test.
    package static let test = [
        StageOption("name", .string, required: true, summary: "what the test promises"),
        StageOption(
            "ids", .map(.string),
            summary: "trace ids by the names of traces, 32 hex digits; others follow from the name"),
        StageOption("partitions", .integer(1...64), default: "1", summary: "partitions of each source's topic"),
        StageOption(
            "steps", .list(.form(.step)), required: true, summary: "what happens and what is expected, in this order"),
    ]

    /// Steps as messages name them, with an example each.
    package static let steps: [(word: String, example: String)] = [
        ("trace", "trace a: frontend \"GET /\" 120ms"),
        ("traces", "100 traces a: frontend \"GET /\" 120ms"),
        ("record", "record: { text: no spans }"),
        ("resend", "resend: a"),
        ("advance", "advance: 10s"),
        ("flush", "flush"),
        ("crash", "crash"),
        ("rebalance", "rebalance"),
        ("expect", "expect a: kept by errors"),
    ]

    /// Of the step `record`.
    package static let record = [
        StageOption("spans", .any, summary: "traces, as in steps; they come in one record"),
        StageOption("text", .string, summary: "the record's bytes as text, in place of spans"),
        StageOption("hex", .string, summary: "the record's bytes in hex, in place of spans"),
        StageOption("source", .string, summary: "the source it comes from, where there are several"),
        StageOption("partition", .integer(0...63), summary: "its partition; without it the one of its key"),
    ]

    /// Of `expect` with the name of a trace.
    package static let trace = [
        StageOption("decision", .enumeration(TraceFate.allCases.map(\.rawValue)), summary: "what became of it"),
        StageOption("policy", .string, summary: "the policy that decided"),
        StageOption(
            "trigger", .enumeration(Decision.Trigger.allCases.map(\.name)), summary: "what closed its window"),
        StageOption("probability", .string, summary: "of the decision, for example 0.1 or 0.05..0.2"),
        StageOption("reason", .string, summary: "a part of the decision's reason"),
        StageOption("span_count", .string, summary: "spans at the decision"),
        StageOption("sampler", .string, summary: "the sampler that is meant, where there are several"),
        StageOption("outputs", .list(.string), summary: "the sinks that it has reached, all of them"),
        StageOption(
            "spans", .string, summary: "spans as they have reached a sink; what is not written is not compared"),
        StageOption("index", .any, summary: "what it can be found by: keys with a value, a list of values or nothing"),
        StageOption("kept", .string, summary: "of a group: how many were kept"),
        StageOption("dropped", .string, summary: "of a group: how many were dropped"),
        StageOption("open", .string, summary: "of a group: how many wait for their decision"),
        StageOption("unseen", .string, summary: "of a group: how many have reached no sampler"),
    ]

    /// Of `expect` without a name.
    package static let overall = [
        StageOption(
            "outputs", .any,
            summary: "by stage: the traces that have reached it, the reasons of rejects, or how many there are"),
        StageOption("counters", .any, summary: "metrics by name, with labels where these matter, as in /metrics"),
    ]
}
