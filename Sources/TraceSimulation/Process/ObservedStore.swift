import Pipeline
import Storage

/// The production store with the oracle looking over its shoulder.
final class ObservedStore: DeliveryStore, @unchecked Sendable {
    private let store: FileDeliveryStore
    private unowned let process: SimulatedProcess

    init(store: FileDeliveryStore, process: SimulatedProcess) {
        self.store = store
        self.process = process
    }

    func acquire(_ partition: PartitionID) throws -> RestoredTask {
        let restored = try store.acquire(partition)
        if process.isAlive { process.world.oracle.acquired(partition, restored, by: process) }
        return restored
    }

    func readDecisions(
        of entry: TaskEntry, since oldest: Int64, _ body: (String, [DecisionRecord]) throws -> Void
    ) throws {
        var read: [DecisionRecord] = []
        try store.readDecisions(of: entry, since: oldest) { sampler, records in
            read += records
            try body(sampler, records)
        }
        process.world.oracle.restored(read, of: entry, since: oldest, by: process)
    }

    func space() -> StoreSpace? { store.space() }

    func publish(_ group: CommitGroup, writer: Int) throws -> [TaskEntry] {
        try store.publish(group, writer: writer)
    }
}
