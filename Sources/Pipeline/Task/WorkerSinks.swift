/// The sinks of one worker thread, shared by its tasks.
package final class WorkerSinks {
    private var sinks: [Int: any Sink] = [:]
    /// Takes the rejects of stages whose `rejected` port nobody reads: a bad record is never silently skipped.
    package let deadLetters: any Sink

    package convenience init(plan: PipelinePlan, environment: StageEnvironment, deadLetters: any Sink) throws {
        self.init(sinks: try Self.make(plan.sinks, plan, environment), deadLetters: deadLetters)
    }

    /// Sinks given by hand: tests and offline runs.
    package init(sinks: [Int: any Sink], deadLetters: any Sink) {
        self.sinks = sinks
        self.deadLetters = deadLetters
    }

    /// Makes some of a plan's sinks, by their index.
    package static func make(
        _ indices: [Int], _ plan: PipelinePlan, _ environment: StageEnvironment
    ) throws -> [Int: any Sink] {
        var sinks: [Int: any Sink] = [:]
        for index in indices {
            if case .sink(let make) = plan.stages[index].definition.make {
                var environment = environment
                environment.inputTypes = plan.inputTypes(of: index)
                sinks[index] = try make(plan.stages[index].settings, environment)
            }
        }
        return sinks
    }

    /// The sinks of a new plan: those that did not change go on, with what they hold open.
    func adapted(from old: PipelinePlan, to plan: PipelinePlan, made: [Int: any Sink]) -> WorkerSinks {
        var adapted = made
        for index in plan.sinks where adapted[index] == nil {
            if let before = old.index(of: plan.stages[index].name) { adapted[index] = sinks[before] }
        }
        return WorkerSinks(sinks: adapted, deadLetters: deadLetters)
    }

    subscript(stage: Int) -> (any Sink)? { sinks[stage] }

    package var bufferedBytes: Int {
        sinks.values.reduce(deadLetters.bufferedBytes) { $0 + $1.bufferedBytes }
    }

    func saveSpace(_ isShort: Bool) {
        for sink in sinks.values { sink.saveSpace(isShort) }
    }

    /// Tells each sink how far the tasks have come that write to it.
    func note(_ tasks: [(stages: [Int], progress: TaskProgress)], now: Int64) {
        for (stage, sink) in sinks {
            sink.note(tasks.filter { $0.stages.contains(stage) }.map(\.progress), now: now)
        }
    }

    package func seal() -> [any SinkFlush] {
        // Dead letters first: the watermark passes a bad record only when its dead letter is durable (I15).
        #if TAILRACE_MUTATIONS
            if ProtocolMutation.active == .deadLetterNotInGroup {
                _ = deadLetters.seal()
                return sinks.sorted { $0.key < $1.key }.compactMap { $0.value.seal() }
            }
        #endif
        let flushes = [deadLetters.seal()] + sinks.sorted { $0.key < $1.key }.map { $0.value.seal() }
        return flushes.compactMap { $0 }
    }
}
