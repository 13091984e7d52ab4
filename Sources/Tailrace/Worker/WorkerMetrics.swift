import Glibc
import Pipeline

/// A worker's metrics in Prometheus' text format. Names and units are documented in docs/metrics.md.
struct WorkerMetrics {
    let pipeline: String
    let snapshots: [WorkerSnapshot]
    let sources: [(name: String, status: SourceStatus)]
    /// Milliseconds since the Unix epoch.
    let startedAt: Int64
    let partitioning: [(source: String, status: PartitioningStatus)]
    let configuration: ConfigurationStatus
    let configurationHash: UInt32
    /// Files of the store that nobody needed any more.
    var removedFiles: UInt64 = 0
    /// How budgets are shared with other workers.
    var budgets: [BudgetStatus] = []
    /// Milliseconds since the Unix epoch.
    var now: Int64 = WallClock.now()
    /// Whether the figures are those of a process, whose own are shown too.
    var isProcess = true
    var remoteSampling: [(stage: String, status: RemoteSamplingStatus)] = []

    func render() -> String {
        var text = MetricsText(constantLabels: [("pipeline", pipeline)])
        let totals = WorkerTotals(snapshots)
        spans(totals, &text)
        policies(&text)
        budgets(&text)
        partitions(&text)
        worker(totals, &text)
        configuration(&text)
        RemoteSamplingStatus.render(remoteSampling, &text)
        return text.rendered
    }

    private func configuration(_ text: inout MetricsText) {
        text.gauge(
            "tailrace_config_generation", "1 at the start, one more with each accepted reload.",
            configuration.generation)
        text.gauge(
            "tailrace_config_hash", "Hash of the configuration in force, the contents of named files left out.",
            Int(configurationHash))
        text.header("tailrace_config_reloads_total", "counter", "Requests to reload, by result.")
        text.sample("tailrace_config_reloads_total", [("result", "accepted")], configuration.accepted)
        text.sample("tailrace_config_reloads_total", [("result", "refused")], configuration.refused)
        text.gauge(
            "tailrace_config_last_reload_successful", "1 unless the last reload was refused.",
            configuration.lastWasAccepted ? 1 : 0)
        if let lastAt = configuration.lastAt {
            text.gauge(
                "tailrace_config_last_reload_timestamp_seconds", "When a reload was last asked for, Unix time.",
                Int(lastAt / 1000))
        }
    }

    private func spans(_ totals: WorkerTotals, _ text: inout MetricsText) {
        let counters = totals.counters
        text.counter("tailrace_records_total", "Records read from the source.", counters.records)
        text.counter("tailrace_record_bytes_total", "Bytes of those records.", counters.bytes)
        text.counter(
            "tailrace_records_replayed_total", "Records read again after a restart that had nothing left to do.",
            counters.replayedRecords)
        text.counter(
            "tailrace_spans_received_total",
            "Spans received. received + branched = kept + dropped + late + rejected + duplicate + filtered + forwarded + returned + in window.",
            counters.received)
        text.counter(
            "tailrace_spans_branched_total", "Further copies of spans sent to a second sampler or sink.",
            counters.branched)
        text.counter("tailrace_spans_kept_total", "Spans of kept traces.", counters.kept)
        text.counter("tailrace_spans_dropped_total", "Spans of dropped traces.", counters.dropped)
        text.header(
            "tailrace_spans_late_total", "counter", "Spans that came after their trace's decision, by that decision.")
        text.sample("tailrace_spans_late_total", [("decision", "kept")], counters.lateKept)
        text.sample("tailrace_spans_late_total", [("decision", "dropped")], counters.lateDropped)
        text.header(
            "tailrace_spans_rejected_total", "counter",
            "Spans and unreadable records sent to the dead letters, by reason.")
        for (reason, count) in counters.rejectedByReason.sorted(by: { $0.key < $1.key }) {
            text.sample("tailrace_spans_rejected_total", [("reason", reason)], count)
        }
        text.counter(
            "tailrace_spans_duplicate_total", "Spans merged with an equal one of the same trace.", counters.duplicate)
        text.counter(
            "tailrace_spans_filtered_total", "Spans that a filter sent to a port that nobody reads.", counters.filtered)
        text.counter(
            "tailrace_spans_forwarded_total", "Spans written by a sink without a sampler between.", counters.forwarded)
        text.counter(
            "tailrace_spans_returned_total",
            "Spans of open traces whose partition went to another owner, who reads them again.",
            counters.returned)
        text.gauge("tailrace_spans_in_window", "Spans waiting for their trace's decision.", totals.gauges.openSpans)
        text.gauge("tailrace_traces_in_window", "Traces waiting for a decision.", totals.gauges.openTraces)
        text.gauge(
            "tailrace_ledger_imbalance_spans",
            "What the equation of tailrace_spans_received_total leaves over; always 0.",
            totals.imbalance)
        text.counter("tailrace_traces_kept_total", "Traces kept.", counters.keptTraces)
        text.counter("tailrace_traces_dropped_total", "Traces dropped.", counters.droppedTraces)
        text.counter("tailrace_kept_bytes_total", "Bytes of kept spans, scrubbed.", counters.keptBytes)
        text.counter(
            "tailrace_timestamps_clamped_total", "Records whose timestamp lay more than 5 s in the future.",
            counters.clampedTimestamps)
    }

    /// All threads' counters together, by sampler.
    var policySums: [(sampler: String, counters: [PolicyCounters])] {
        var sums: [(sampler: String, counters: [PolicyCounters])] = []
        for (sampler, counters) in snapshots.flatMap(\.policies) {
            if let index = sums.firstIndex(where: { $0.sampler == sampler }) {
                sums[index].counters = PolicyCounters.sum(sums[index].counters, counters)
            } else {
                sums.append((sampler, counters))
            }
        }
        return sums
    }

    private func policies(_ text: inout MetricsText) {
        let sums = policySums
        let families: [(String, String, KeyPath<PolicyCounters, UInt64>)] = [
            ("tailrace_policy_evaluated_traces_total", "Traces a policy was asked about.", \.evaluatedTraces),
            ("tailrace_policy_matched_traces_total", "Traces a policy voted to keep, or to drop.", \.matchedTraces),
            ("tailrace_policy_decided_traces_total", "Traces whose fate a policy decided.", \.decidedTraces),
            ("tailrace_policy_kept_traces_total", "Traces kept because of a policy.", \.keptTraces),
            ("tailrace_policy_kept_spans_total", "Spans kept because of a policy.", \.keptSpans),
            ("tailrace_policy_kept_bytes_total", "Bytes of spans, as received, kept because of a policy.", \.keptBytes),
        ]
        for (name, help, path) in families {
            text.header(name, "counter", help)
            for (sampler, counters) in sums {
                for policy in counters {
                    text.sample(name, [("sampler", sampler), ("policy", policy.name)], policy[keyPath: path])
                }
            }
        }
        text.header(
            "tailrace_policy_seconds_total", "counter",
            "Time a policy took to vote, sub-policies included; extrapolated from one decision in 64.")
        for (sampler, counters) in sums {
            for policy in counters {
                text.sample(
                    "tailrace_policy_seconds_total", [("sampler", sampler), ("policy", policy.name)],
                    Double(policy.nanoseconds) / 1e9)
            }
        }
        var scrubbed: [String: UInt64] = [:]
        for (rule, count) in snapshots.flatMap(\.scrubbed) { scrubbed[rule, default: 0] += count }
        text.header("tailrace_scrubbed_total", "counter", "Values changed by a scrub rule.")
        for (rule, count) in scrubbed.sorted(by: { $0.key < $1.key }) {
            text.sample("tailrace_scrubbed_total", [("rule", rule)], count)
        }
    }

    private func partitions(_ text: inout MetricsText) {
        let all = snapshots.flatMap(\.partitions).sorted { $0.id < $1.id }
        func family(_ name: String, _ help: String, _ value: (WorkerSnapshot.Partition) -> Int64?) {
            text.header(name, "gauge", help)
            for partition in all {
                guard let value = value(partition) else { continue }
                text.sample(name, Self.labels(partition.id), value)
            }
        }
        family("tailrace_partition_epoch", "Generation of the partition's owner.") { Int64(clamping: $0.epoch) }
        family("tailrace_partition_position_offset", "Next offset to be processed.") { $0.position }
        family("tailrace_partition_watermark_offset", "Lowest offset that is not yet durable: what is committed.") {
            $0.watermark
        }
        text.header(
            "tailrace_partition_watermark_age_seconds", "gauge",
            "Stream time minus the stream time of the watermark: how far back a restart reads.")
        for partition in all where partition.streamTime != .min && partition.watermarkTime != .min {
            text.sample(
                "tailrace_partition_watermark_age_seconds", Self.labels(partition.id),
                Double(max(0, partition.streamTime - partition.watermarkTime)) / 1000)
        }
        text.header("tailrace_partition_stream_time_lag_seconds", "gauge", "Wall clock minus stream time.")
        for partition in all where partition.streamTime != .min {
            text.sample(
                "tailrace_partition_stream_time_lag_seconds", Self.labels(partition.id),
                Double(now - partition.streamTime) / 1000)
        }
        text.header(
            "tailrace_partition_lag_records", "gauge", "Records between the last one read and the end of the log.")
        for source in sources {
            for (partition, lag) in source.status.lag.sorted(by: { $0.key < $1.key }) {
                text.sample("tailrace_partition_lag_records", Self.labels(partition), lag)
            }
        }
    }

    private static func labels(_ id: PartitionID) -> [(String, String)] {
        [("topic", id.topic), ("partition", String(id.partition))]
    }

    private func worker(_ totals: WorkerTotals, _ text: inout MetricsText) {
        text.gauge("tailrace_window_bytes", "Memory that holds undecided spans.", totals.gauges.windowBytes)
        spill(totals.gauges, &text)
        decisions(totals.gauges, &text)
        text.gauge(
            "tailrace_buffered_bytes", "Bytes waiting in sinks for the next flush.",
            snapshots.reduce(0) { $0 + $1.bufferedBytes })
        text.gauge(
            "tailrace_queued_bytes", "Bytes of records waiting for a worker thread.",
            snapshots.reduce(0) { $0 + $1.queuedBytes })
        text.counter("tailrace_flushes_total", "Commit groups published.", totals.flushes)
        text.counter(
            "tailrace_flush_failures_total", "Attempts to publish that failed.",
            snapshots.reduce(0) { $0 + $1.failedFlushes })
        text.counter(
            "tailrace_store_removed_files_total", "Files removed from the store that nobody needed any more.",
            removedFiles)
        text.header("tailrace_flush_seconds", "gauge", "Duration of the last flush, by worker thread.")
        for (index, snapshot) in snapshots.enumerated() {
            text.sample(
                "tailrace_flush_seconds", [("worker", String(index))], Double(snapshot.lastFlushMilliseconds) / 1000)
        }
        text.gauge(
            "tailrace_restoring_partitions",
            "Partitions that were taken over and wait for their decisions to be read back.",
            snapshots.reduce(0) { $0 + $1.restoringPartitions })
        text.counter(
            "tailrace_decisions_restored_total", "Decisions read back for partitions that were taken over.",
            snapshots.reduce(0) { $0 + $1.restoredDecisions })
        text.header(
            "tailrace_restore_seconds_total", "counter", "Time that reading decisions back took, when it was done.")
        text.sample(
            "tailrace_restore_seconds_total", [],
            Double(snapshots.reduce(0) { $0 + $1.restoreMilliseconds }) / 1000)
        text.gauge(
            "tailrace_paused_workers", "Worker threads whose partitions are paused.", snapshots.filter(\.isPaused).count
        )
        text.header(
            "tailrace_degradation_workers", "gauge", "Worker threads that have taken a step of the degradation ladder.")
        for kind in DegradationStep.Kind.allCases {
            let active = snapshots.filter { snapshot in snapshot.degradation.contains { $0.kind == kind } }
            text.sample("tailrace_degradation_workers", [("step", kind.rawValue)], UInt64(active.count))
        }
        text.header(
            "tailrace_degradation_steps_total", "counter", "How often a step of the degradation ladder was taken.")
        for kind in DegradationStep.Kind.allCases {
            text.sample(
                "tailrace_degradation_steps_total", [("step", kind.rawValue)],
                snapshots.reduce(0) { $0 + ($1.degradationsTaken[kind] ?? 0) })
        }
        text.header("tailrace_source_connected", "gauge", "1 while the source reaches its brokers.")
        for source in sources {
            text.sample("tailrace_source_connected", [("source", source.name)], source.status.isConnected ? 1 : 0)
        }
        keys(&text)
        if isProcess { process(&text) }
    }

    private func spill(_ gauges: SamplerGauges, _ text: inout MetricsText) {
        text.gauge("tailrace_spill_bytes", "Undecided spans on disk.", gauges.spilledBytes)
        text.gauge("tailrace_spill_files", "Open files that hold them.", gauges.spillFiles)
        text.counter(
            "tailrace_spill_written_bytes_total", "Bytes of spans that went to disk, for partitions owned now.",
            gauges.spillWrittenBytes)
        text.counter(
            "tailrace_spill_reads_total", "Reads of spans on disk, for partitions owned now.", gauges.spillReads)
        text.counter(
            "tailrace_spill_failures_total", "Writes and reads of spans on disk that failed.", gauges.spillFailures)
    }

    private func decisions(_ gauges: SamplerGauges, _ text: inout MetricsText) {
        text.header("tailrace_decisions_remembered", "gauge", "Decisions remembered for late spans.")
        text.sample("tailrace_decisions_remembered", [("decision", "kept")], gauges.rememberedKept)
        text.sample(
            "tailrace_decisions_remembered", [("decision", "dropped")],
            gauges.rememberedDecisions - gauges.rememberedKept)
        text.gauge(
            "tailrace_decision_memory_bytes", "Memory of the remembered decisions; part of the budget.",
            gauges.decisionBytes)
        text.header(
            "tailrace_decision_horizon_seconds", "gauge", "How long decisions are remembered, in stream time.")
        text.sample("tailrace_decision_horizon_seconds", [], Double(gauges.decisionHorizon) / 1000)
        text.header(
            "tailrace_decision_false_positive_rate", "gauge",
            "Computed chance that a new trace is taken for one that was dropped: the highest of all partitions.")
        text.sample("tailrace_decision_false_positive_rate", [], gauges.decisionFalsePositiveRate)
    }

    private func keys(_ text: inout MetricsText) {
        text.header(
            "tailrace_partitioning_sampled_traces_total", "counter",
            "Traces that were checked for being in one partition, a sample of all.")
        for (source, status) in partitioning {
            text.sample("tailrace_partitioning_sampled_traces_total", [("source", source)], status.sampledTraces)
        }
        text.header(
            "tailrace_partitioning_split_traces_total", "counter", "Those of them that were seen in two partitions.")
        for (source, status) in partitioning {
            text.sample("tailrace_partitioning_split_traces_total", [("source", source)], status.splitTraces)
        }
        text.header(
            "tailrace_partitioning_record_keys_total", "counter", "Sightings of sampled traces by their record's key.")
        for (source, status) in partitioning {
            for (key, count) in [
                ("none", status.recordsWithoutKey), ("trace_id", status.recordsKeyedByTraceID),
                ("other", status.recordsWithOtherKey),
            ] {
                text.sample("tailrace_partitioning_record_keys_total", [("source", source), ("key", key)], count)
            }
        }
    }

    private func process(_ text: inout MetricsText) {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        let seconds =
            Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
        text.header("process_cpu_seconds_total", "counter", "CPU time of the process.")
        text.sample("process_cpu_seconds_total", [], seconds)
        text.gauge("process_resident_memory_bytes", "Resident memory of the process.", Self.residentBytes())
        text.header("process_start_time_seconds", "gauge", "Start of the process, seconds since the Unix epoch.")
        text.sample("process_start_time_seconds", [], Double(startedAt) / 1000)
    }

    /// The second number of /proc/self/statm is resident pages.
    private static func residentBytes() -> Int {
        guard let file = fopen("/proc/self/statm", "r") else { return 0 }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 128)
        guard fgets(&line, 128, file) != nil else { return 0 }
        let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let fields = text.split(separator: " ")
        return fields.count > 1 ? (Int(fields[1]) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE))) : 0
    }
}
