/// What a worker thread asks of its process.
package protocol WorkerControl: AnyObject, Sendable {
    func commit(_ offsets: [PartitionID: CommittedOffset], wait: Bool)
    func setPaused(_ isPaused: Bool, _ partitions: [PartitionID], worker: Int, for reason: PauseReason)
    /// Another worker has taken over partitions that the log says are ours: their tasks are gone, and the log is to be asked
    /// whose they are.
    func fenced(_ partitions: [PartitionID])
    /// Offsets that were seen before are not in the log any more.
    func dataLoss(_ partition: PartitionID, from: Int64, to: Int64, explanation: String)
    /// The pipeline cannot go on.
    func failed(_ error: any Error)
    func log(_ message: String)
}
