import OTLP
import Pipeline
import Tailrace
import TraceModel

/// A pipeline of which one sampler is compared.
package struct ComparedPipeline: Sendable {
    /// As the user named it.
    package var path: String
    package var plan: PipelinePlan
    package var sampler: String

    package init(path: String, plan: PipelinePlan, sampler: String) {
        self.path = path
        self.plan = plan
        self.sampler = sampler
    }
}

/// Runs two pipelines' samplers over the same recorded spans and counts what each keeps.
///
/// Every partition has a task of its own on either side, as it has in a worker: budgets and limits are those of a partition.
/// Besides the open windows it holds about two hundred bytes per trace and no spans. Owned by one thread.
package final class TraceComparison {
    private struct Tasks {
        var deciders: PerSide<OfflineDecider>
        /// Stream time, milliseconds.
        var time: Int64
    }

    package let pipelines: PerSide<ComparedPipeline>
    private let tally = ComparisonTally()
    private let collectors: PerSide<SideCollector>
    private var tasks: [PartitionID: Tasks] = [:]
    private var scanner = OTLPScanner()
    private let batch = SpanBatch()
    /// Services of the record at hand, by unit.
    private var services: [UnsafeRawBufferPointer?] = []

    package init(old: ComparedPipeline, new: ComparedPipeline) {
        pipelines = PerSide(old: old, new: new)
        let tally = tally
        collectors = PerSide(
            old: SideCollector(side: .old, sampler: old.sampler, policies: Self.policies(old), tally: tally),
            new: SideCollector(side: .new, sampler: new.sampler, policies: Self.policies(new), tally: tally))
    }

    package var spanCount: Int { tally.offered.spans }

    /// Takes the next record of a partition.
    ///
    /// - Parameters:
    ///   - payload: an OTLP request, borrowed for the call.
    ///   - time: the record's time, milliseconds since the Unix epoch.
    /// - Throws: where a pipeline cannot run, and a `ScanError` for a record that is no OTLP request; the comparison can go on.
    package func process(_ payload: UnsafeRawBufferPointer, at time: Int64, partition: PartitionID) throws {
        guard !payload.isEmpty else { return }
        var tasks = try tasks(of: partition)
        tasks.time = max(tasks.time, time)
        self.tasks[partition] = tasks
        try scanner.scan(payload, into: batch)
        addFacts(at: tasks.time)
        batch.forget()
        for side in Side.allCases { tasks.deciders[side].process(payload, timestamp: tasks.time) }
    }

    /// Closes all windows and says what came out. Nothing may be processed afterwards.
    ///
    /// - Parameter exampleCount: at most so many traces are named where examples are given.
    package func finish(slow: SlowRule, exampleCount: Int) -> ComparisonResult {
        for partition in tasks.keys.sorted() {
            guard let tasks = tasks[partition] else { continue }
            for side in Side.allCases { tasks.deciders[side].finish() }
        }
        return ComparisonResult(
            pipelines: pipelines, tally: tally, collectors: collectors, slow: slow, exampleCount: exampleCount)
    }

    private func tasks(of partition: PartitionID) throws -> Tasks {
        if let known = tasks[partition] { return known }
        func decider(_ side: Side) throws -> OfflineDecider {
            try OfflineDecider(
                plan: pipelines[side].plan, sampler: pipelines[side].sampler, observer: collectors[side],
                partition: partition)
        }
        return Tasks(deciders: PerSide(old: try decider(.old), new: try decider(.new)), time: 0)
    }

    /// Enters what the record says of its traces, as it came: before filters, scrubbers and windows.
    private func addFacts(at time: Int64) {
        services.removeAll(keepingCapacity: true)
        services.append(contentsOf: repeatElement(nil, count: batch.units.count))
        let rejected = Set(scanner.rejectedSpans.map(\.index))
        tally.rejectedSpans += rejected.count
        var count = 0
        for (index, head) in batch.heads.enumerated() where rejected.isEmpty || !rejected.contains(index) {
            let unit = Int(head.unit)
            let service = services[unit] ?? ServiceName.find(in: batch.bytes(batch.units[unit].resource))
            services[unit] = service
            let operation = tally.operations.place(service: service, name: batch.bytes(head.name))
            tally.operations.countSpan(operation)
            tally.add(head, operation: operation)
            count += 1
        }
        tally.series.addOffered(count, at: time)
        tally.times = (min(tally.times?.first ?? time, time), max(tally.times?.last ?? time, time))
    }

    /// Names of the policies as the pipeline lists them.
    private static func policies(_ pipeline: ComparedPipeline) -> [String] {
        let settings = pipeline.plan.stage(named: pipeline.sampler)?.settings
        return (settings?.value["policies"]?.elements ?? []).compactMap { $0["name"]?.scalar }
    }
}

/// `service.name` in the bytes of a resource.
enum ServiceName {
    private static let key = Array("service.name".utf8)

    static func find(in resource: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        if case .string(let name) = AttributeLookup.value(of: key, in: resource, .resource) { return name }
        return UnsafeRawBufferPointer(start: nil, count: 0)
    }
}
