import Pipeline
import Storage

/// The log of a partition, read from its start to its end at once by one task that nothing happens to.
enum ReferenceRun {
    private final class NoSink: Sink {
        func write(_ trace: KeptTrace) {}
        func write(_ rejected: RejectedRecord) {}
        var bufferedBytes: Int { 0 }
        func seal() -> (any SinkFlush)? { nil }
    }

    static func decisions(_ world: Simulation, _ partition: PartitionID) throws -> [DecisionRecord] {
        let plan = try world.pipeline.plan(version: 0)
        let source = try world.pipeline.sources(of: plan)[0]
        let environment = StageEnvironment(
            workingDirectory: ".", storeDirectory: ".", incarnation: "reference", pipelineName: SimulatedPipeline.name)
        let task = try PartitionTask(
            taskPlan: TaskPlan.make(plan: plan, source: source.stage, environment: environment),
            settings: source.settings, partition: partition, environment: environment,
            restored: RestoredTask(epoch: 1, entry: nil), startOffset: 0,
            sinks: WorkerSinks(sinks: [plan.sinks[0]: NoSink()], deadLetters: NoSink()))
        let records = world.broker.logs[partition]?.records ?? []
        let batch = SimulatedBatch(partition: partition, records: records)
        for index in 0..<batch.count { task.process(batch.record(at: index), now: .max) }
        task.closeAll()
        return task.seal().decisions.flatMap(\.records)
    }
}
