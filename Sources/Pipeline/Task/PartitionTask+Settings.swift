extension PartitionTask {
    /// Settings of the task's source.
    package struct Settings: Sendable {
        package var encoding: RecordEncoding
        /// A larger record is a dead letter.
        package var maximumRecordBytes: Int
        /// Name of the source stage.
        package var sourceName: String
        /// Shared by the source's tasks; nil where the source's keys do not matter.
        package var partitioningCheck: PartitioningCheck?
        /// The topic is written by a repartition stage: its progress records move stream time.
        package var isRepartitioned = false

        package init(encoding: RecordEncoding, maximumRecordBytes: Int, sourceName: String) {
            self.encoding = encoding
            self.maximumRecordBytes = maximumRecordBytes
            self.sourceName = sourceName
        }

        /// As the plan's source states them.
        package init(_ taskPlan: TaskPlan) {
            let settings = taskPlan.plan.stages[taskPlan.source].settings
            self.init(
                encoding: settings.string("encoding").flatMap(RecordEncoding.init(rawValue:)) ?? .otlpProto,
                maximumRecordBytes: Int(settings.size("max_record_bytes") ?? 16 << 20), sourceName: settings.name)
            isRepartitioned = settings.string("keyed_by") == "repartition"
        }
    }
}
