import Glibc
public import Pipeline

/// The stage kind `tail_sampler`: windows, policies, decisions.
public enum TailSamplerStage {
    static let windowOptions: [StageOption] = [
        StageOption("max", .duration, default: "30s", summary: "hard cap from a trace's first span"),
        StageOption("settle", .duration, default: "10s", summary: "time after the root span"),
        StageOption("idle", .duration, default: "15s", summary: "time after the last span"),
        StageOption(
            "tick", .duration, default: "1s", summary: "traces whose window closes within a tick are decided together"),
        StageOption(
            "buffer", .enumeration(WindowSettings.Buffer.allCases.map(\.rawValue)), default: "memory",
            summary: "where undecided spans are held"),
        StageOption(
            "spill", .enumeration(["auto", "never"]), default: "auto",
            summary: "with buffer: memory, whether the oldest spans go to disk when max_bytes is reached"),
        StageOption(
            "spill_directory", .string, summary: "where spans on disk are; the store's directory spill without it"),
        StageOption("max_bytes", .size, default: "2GiB", summary: "memory for the windows of a worker"),
    ]

    public static let definition = StageDefinition(
        kind: "tail_sampler", role: .sampler,
        summary: "Holds the spans of each trace until its window closes, then keeps or drops the whole trace.",
        inputs: [.spans],
        outputs: [
            OutputPort("kept", .traces, summary: "traces that a policy keeps"),
            OutputPort("dropped", .summaries, isSide: true, summary: "one summary per dropped trace"),
        ],
        options: [
            StageOption("window", .object(windowOptions), summary: "when a trace's window closes"),
            StageOption(
                "policies", .list(.form(.policy)), required: true, isNonEmpty: true,
                summary: "which traces to keep; the first policy that matches counts"),
            StageOption(
                "annotate", .boolean, default: "true",
                summary: "write the decision into kept spans: ot=th in the tracestate, tailrace.policy on the root"),
            StageOption(
                "decision_horizon", .duration, default: "1h",
                summary: "how long decisions are remembered for late spans"),
            StageOption(
                "max_spans_per_trace", .integer(1...100_000_000), default: "100000",
                summary: "a larger trace is decided at once"),
            StageOption("max_bytes_per_trace", .size, default: "256MiB", summary: "a larger trace is decided at once"),
        ] + collectorOptions,
        check: check,
        attributeKeysRead: PolicyAttributeKeys.keys,
        make: .sampler { settings, context in
            sampler(settings, context, spillFiles: spillFiles(settings, context.environment))
        })

    /// The sampler that the settings describe.
    ///
    /// - Parameters:
    ///   - spillFiles: makes the files of spans on disk; nil where none may go there.
    ///   - chunkSize: of the arena, bytes; nil for the usual one.
    package static func sampler(
        _ settings: StageSettings, _ context: SamplerContext, spillFiles: (any SpillFileSource)?, chunkSize: Int? = nil
    ) -> any Sampler {
        WindowSampler(
            settings: windowSettings(settings), policies: PolicyParser.make(settings), context: context,
            clock: monotonicNanoseconds, spillFiles: spillFiles, chunkSize: chunkSize)
    }

    /// Milliseconds: a year. `KeptDecisions` shortens times to little more.
    private static let longestHorizon: Int64 = 366 * 86_400_000

    /// For the metric of policies' time.
    private static func monotonicNanoseconds() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }

    private static func check(_ settings: StageSettings, _ diagnostics: inout Diagnostics) {
        PolicyParser.check(settings, &diagnostics)
        checkCollectorOptions(settings, &diagnostics)
        if let wait = settings.value["decision_wait"], let window = settings.value["window"] {
            diagnostics.error(
                "decision_wait is the Collector's form of window; write one of the two (window is in line "
                    + "\(window.location.line))", at: wait.location)
        }
        if let settle = settings.value["decision_wait_after_root_received"], settings.value["decision_wait"] == nil {
            diagnostics.error(
                "decision_wait_after_root_received goes with decision_wait; here it is window.settle",
                at: settle.location)
        }
        let window = windowSettings(settings)
        let place = settings.value["window"]?.location ?? settings.value.location
        if window.decisionHorizon > longestHorizon {
            diagnostics.error(
                "decision_horizon is longer than a year", at: settings.value["decision_horizon"]?.location ?? place)
        }
        if window.tick < 1 { diagnostics.error("window.tick must be at least 1ms", at: place) }
        if window.max < window.tick {
            diagnostics.error("window.max \(window.max)ms is shorter than a tick of \(window.tick)ms", at: place)
        }
        if window.tick > 0, window.max / window.tick > 1_000_000 {
            diagnostics.error("window.max is more than a million ticks; use a longer window.tick", at: place)
        }
        if let settle = window.settle, settle > window.max, settings.object("window").isSet("settle") {
            diagnostics.warning("window.settle is longer than window.max and never counts", at: place)
        }
    }

    /// The window as the settings state it, in either form.
    static func windowSettings(_ settings: StageSettings) -> WindowSettings {
        var window = WindowSettings()
        let object = settings.object("window")
        window.max = object.duration("max") ?? window.max
        window.settle = object.duration("settle")
        window.idle = object.duration("idle")
        window.tick = object.duration("tick") ?? window.tick
        window.buffer = object.string("buffer").flatMap(WindowSettings.Buffer.init) ?? window.buffer
        window.spillsAtBudget = object.string("spill") != "never"
        if let wait = settings.duration("decision_wait") {
            window.max = wait
            window.settle = settings.duration("decision_wait_after_root_received").flatMap { $0 > 0 ? $0 : nil }
            window.idle = nil
            // The window is exact; the tick only groups decisions, and must not be longer than the wait.
            window.tick = Swift.max(1, Swift.min(window.tick, wait))
        }
        if settings.isSet("tail_storage") { window.buffer = .disk }
        window.decisionHorizon = settings.duration("decision_horizon") ?? window.decisionHorizon
        if let spans = settings.integer("max_spans_per_trace") { window.maximumSpansPerTrace = UInt32(clamping: spans) }
        if let bytes = settings.size("max_bytes_per_trace") { window.maximumBytesPerTrace = UInt64(clamping: bytes) }
        if let bytes = settings.integer("maximum_trace_size_bytes"), bytes > 0 {
            window.droppedAboveBytes = UInt64(bytes)
        }
        window.stopsAtFirstMatch = settings.boolean("sample_on_first_match") ?? false
        window.annotates = settings.boolean("annotate") ?? true
        return window
    }

    /// Where spans go that leave memory; nil where none may.
    private static func spillFiles(
        _ settings: StageSettings, _ environment: StageEnvironment
    ) -> (any SpillFileSource)? {
        let window = windowSettings(settings)
        guard window.buffer == .disk || window.spillsAtBudget else { return nil }
        if let directory = settings.object("window").string("spill_directory") { return SpillDirectory(directory) }
        // Offline runs have no store.
        let parent = environment.storeDirectory.isEmpty ? environment.workingDirectory : environment.storeDirectory
        return SpillDirectory(parent + "/spill")
    }

    /// What a running sampler cannot change, as sentences; empty where the new settings can be taken over.
    public static func needsRestart(from old: StageSettings, to new: StageSettings) -> [String] {
        let (before, after) = (windowSettings(old), windowSettings(new))
        var found: [String] = []
        func check(_ isSame: Bool, _ key: String) {
            if !isSame { found.append("stage \(new.name): \(key) changes: restart the worker") }
        }
        check(before.buffer == after.buffer, "window.buffer")
        check(before.spillsAtBudget == after.spillsAtBudget, "window.spill")
        check(
            old.object("window").string("spill_directory") == new.object("window").string("spill_directory"),
            "window.spill_directory")
        check(before.decisionHorizon == after.decisionHorizon, "decision_horizon")
        return found
    }

    /// Memory for the windows of a worker, bytes.
    public static func memoryBudget(_ settings: StageSettings) -> Int {
        Int(settings.object("window").size("max_bytes") ?? 2 << 30)
    }
}
