extension TraceExplanation {
    /// For people: what became of the trace and why, in a few lines, each ended.
    public func text(usesColour: Bool = false) -> String {
        let style = TerminalText.Style(isOn: usesColour)
        var lines: [String] = []
        for decision in decisions { lines += Self.lines(decision, traceID, style) }
        for trace in waiting { lines += Self.lines(trace, traceID, style) }
        if decision == .unknown { lines += unknownLines(style) }
        for problem in problems {
            lines.append(style.red("not read, something may be missing: \(TerminalText.clean(problem))"))
        }
        return lines.map { $0 + "\n" }.joined()
    }

    private static func lines(_ decision: Decision, _ traceID: String, _ style: TerminalText.Style) -> [String] {
        let isOutline = decision.outline == true
        let word = decision.decision == .drop ? "dropped" : isOutline ? "kept in outline" : "kept"
        var rows = [("why", decision.reason)]
        rows.append(("policy", policy(decision)))
        rows.append(("probability", GanttRenderer.probability(decision.probability)))
        if let whole = decision.wholeProbability {
            rows.append(("", "\(GanttRenderer.probability(whole)) for the whole trace"))
        }
        rows += adaptiveRows(decision)
        rows.append(("trigger", decision.trigger))
        rows.append(("decided at", time(decision.decidedAtUnixMilli) + " (stream time)"))
        if !decision.sampler.isEmpty { rows.append(("sampler", decision.sampler)) }
        rows.append(
            (
                "spans",
                "\(decision.spans), \(decision.errors == 0 ? "none" : "\(decision.errors)") with an error, "
                    + "\(decision.bytes) bytes, \(DurationText.format(decision.durationNano)) from first start to last end"
            ))
        if isOutline { rows.append(("stored", "those with an error, those above them, and the root")) }
        rows.append(
            (
                "late spans",
                decision.lateSpans == 0
                    ? "none"
                    : "\(decision.lateSpans), "
                        + (decision.decision == .drop
                            ? "dropped too" : isOutline ? "stored where they have an error" : "stored too")
            ))
        var source = "\(decision.topic)/\(decision.partition)"
        if let first = decision.firstOffset, let last = decision.lastOffset {
            source += first == last ? ", offset \(first)" : ", offsets \(first) to \(last)"
        }
        if let epoch = decision.epoch { source += ", epoch \(epoch)" }
        rows.append(("read from", source))
        if decision.decision == .keep {
            rows.append(
                ("stored in", decision.segments.isEmpty ? "no segment that is still there" : decision.segments[0]))
            for segment in decision.segments.dropFirst() { rows.append(("", segment)) }
        }
        rows.append(("known from", decision.source))
        return [style.bold("Trace \(traceID) was \(word).")] + table(rows)
    }

    /// What an adaptive policy says.
    private static func adaptiveRows(_ decision: Decision) -> [(String, String)] {
        var rows: [(String, String)] = []
        if let budget = decision.budget {
            var tier = budget.tier
            if let rule = budget.rule { tier += ", rule \(rule)" }
            if budget.oversize { tier += ", larger than its tier's budget" }
            if budget.dryRun { tier += ", dry run: the budget would drop it" }
            rows.append(("tier", tier))
            rows.append(("key", budget.key ?? budget.keyHash))
            if let shape = budget.shape { rows.append(("shape", shape)) }
            rows.append(("threshold", budget.threshold))
            rows.append(
                ("tick", "\(budget.tick), with \(GanttRenderer.probability(budget.share)) of the budget"))
        }
        if let rate = decision.sampleRate {
            let policy = rate.policy.map { " (policy \($0))" } ?? ""
            rows.append(("key", rate.key ?? rate.keyHash))
            rows.append(("sample rate", "one in \((rate.rate * 1000).rounded() / 1000)\(policy)"))
        }
        return rows
    }

    private static func policy(_ decision: Decision) -> String {
        let version = String(decision.policyVersion, radix: 16)
        let padded = String(repeating: "0", count: 8 - version.count) + version
        let name = decision.policy.map { $0.isEmpty ? "none" : $0 } ?? "not known (an old decision file)"
        return "\(TerminalText.clean(name)), version \(padded)"
    }

    private static func lines(_ trace: Waiting, _ traceID: String, _ style: TerminalText.Style) -> [String] {
        let left = max(0, trace.closesAtUnixMilli - trace.streamTimeUnixMilli)
        return [style.bold("Trace \(traceID) is not decided yet: it waits in its window.")]
            + table([
                ("sampler", trace.sampler),
                (
                    "spans so far",
                    "\(trace.spans), \(trace.errors == 0 ? "none" : "\(trace.errors)") with an error, \(trace.bytes) bytes"
                ),
                ("root span", trace.hasRoot ? "has come" : "has not come yet"),
                ("first seen", time(trace.firstSeenUnixMilli) + " (stream time)"),
                ("last seen", time(trace.lastSeenUnixMilli) + " (stream time)"),
                ("closes in", "\(DurationText.format(UInt64(left) * 1_000_000)) if no more spans come"),
                ("read from", "\(trace.topic)/\(trace.partition)"),
            ])
    }

    private func unknownLines(_ style: TerminalText.Style) -> [String] {
        var lines = [style.bold("Nothing is known of trace \(traceID).")]
        if let earliest = log.earliestUnixMilli, let latest = log.latestUnixMilli {
            lines.append(
                "  The decision log covers \(Self.time(earliest)) to \(Self.time(latest)) (stream time): "
                    + "\(log.decisions) decisions in \(log.files) files.")
        } else {
            lines.append("  The decision log is empty.")
        }
        lines.append("  It may be that")
        if !askedWorkers {
            lines.append("  - it is not decided yet: ask a running worker with --server http://127.0.0.1:16687")
        } else {
            lines.append(
                "  - it is in a window of another worker, or was decided in the last seconds and not written yet")
        }
        lines.append("  - it was decided before that time")
        lines.append("  - its spans never came: look at the producer, and for its records in the dead letters")
        return lines
    }

    private static func table(_ rows: [(String, String)]) -> [String] {
        rows.map { "  " + TerminalText.fit($0.0, 12) + "  " + TerminalText.clean($0.1) }
    }

    /// UTC with milliseconds.
    private static func time(_ milliseconds: Int64) -> String {
        TimeText.utc(UInt64(max(0, min(milliseconds, Int64.max / 1_000_000))) * 1_000_000) + " UTC"
    }
}
