import Pipeline

extension TailraceWorker {
    /// What `/metrics` says of workers with these figures, the process's own left out: for tests of pipelines, under their clock.
    ///
    /// - Parameter now: milliseconds since the Unix epoch.
    package static func metrics(plan: PipelinePlan, snapshots: [WorkerSnapshot], now: Int64) -> String {
        WorkerMetrics(
            pipeline: plan.name, snapshots: snapshots, sources: [], startedAt: now, partitioning: [],
            configuration: ConfigurationStatus(), configurationHash: plan.configurationHash, now: now, isProcess: false
        ).render()
    }
}
