import Pipeline

/// The top-level options of the Collector's `tail_sampling`: what they mean here, or why they cannot mean anything.
extension TailSamplerStage {
    static let collectorOptions: [StageOption] = [
        StageOption(
            "decision_wait", .duration, summary: "the Collector's name for window.max; turns settle and idle off"),
        StageOption(
            "decision_wait_after_root_received", .duration,
            summary: "the Collector's name for window.settle, together with decision_wait"),
        StageOption(
            "sample_on_first_match", .boolean, default: "false",
            summary: "policies after the first that keeps a trace are not asked; drop policies always are"),
        StageOption(
            "maximum_trace_size_bytes", .integer(0...Int64.max), default: "0",
            summary: "a trace with more bytes of spans is dropped at once; 0 means no limit"),
        StageOption(
            "num_traces", .integer(0...Int64.max), isInert: true,
            summary: "accepted for the Collector's sake; memory is bounded by window.max_bytes instead"),
        StageOption(
            "expected_new_traces_per_sec", .integer(0...Int64.max), isInert: true,
            summary: "accepted for the Collector's sake; not needed"),
        StageOption(
            "block_on_overflow", .boolean, isInert: true,
            summary: "accepted for the Collector's sake; a full window always slows its source, and loses nothing"),
        StageOption(
            "decision_cache",
            .object([
                StageOption(
                    "sampled_cache_size", .integer(0...Int64.max), isInert: true,
                    summary: "accepted; see decision_horizon"),
                StageOption(
                    "non_sampled_cache_size", .integer(0...Int64.max), isInert: true,
                    summary: "accepted; see decision_horizon"),
            ]), isInert: true,
            summary: "accepted for the Collector's sake; decisions are always remembered for decision_horizon"),
        StageOption(
            "drop_pending_traces_on_shutdown", .boolean,
            summary: "false is what happens here: undecided traces are read again after the restart; true is refused"),
        StageOption(
            "sampling_strategy", .enumeration(["trace-complete", "span-ingest"]),
            summary: "trace-complete is what happens here; span-ingest is refused"),
        StageOption(
            "num_shards", .integer(0...256), isInert: true,
            summary: "accepted for the Collector's sake; each partition has a task of its own"),
        StageOption(
            "tail_storage", .string,
            summary:
                "the Collector's name for window.buffer: disk, whatever extension it names; goes with decision_wait"),
    ]

    static func checkCollectorOptions(_ settings: StageSettings, _ diagnostics: inout Diagnostics) {
        if let value = settings.value["drop_pending_traces_on_shutdown"],
            settings.boolean("drop_pending_traces_on_shutdown") == true
        {
            diagnostics.error(
                "drop_pending_traces_on_shutdown: true would lose undecided traces at each restart. Here they are neither dropped "
                    + "nor decided early: they are read again after the restart; leave the option out",
                at: value.location)
        }
        if let value = settings.value["sampling_strategy"], settings.string("sampling_strategy") == "span-ingest" {
            diagnostics.error(
                "sampling_strategy: span-ingest decides on parts of traces, those that came in one batch, so that the result "
                    + "depends on how spans were batched; leave it out: a trace is decided on all its spans. For earlier "
                    + "decisions set decision_wait_after_root_received (window.settle)",
                at: value.location)
        }
        if let value = settings.value["tail_storage"], settings.value["window"] != nil {
            diagnostics.error(
                "tail_storage is the Collector's form of window.buffer: disk; write it there", at: value.location)
        }
    }
}
