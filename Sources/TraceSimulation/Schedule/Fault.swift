/// Something that goes wrong, once. A world's faults are a list made beforehand from the seed, so that a failing schedule
/// can be shortened by leaving some out.
package struct Fault: Sendable, Equatable, CustomStringConvertible {
    package enum Kind: String, Sendable, CaseIterable {
        /// SIGKILL; what was written but not synced stays in the page cache.
        case kill
        /// Every worker dies and the disk loses what was not synced.
        case powerFailure
        /// SIGSTOP, later SIGCONT.
        case stop
        /// SIGTERM: the worker drains and leaves; it is started again later.
        case terminate
        /// The worker does not reach the broker for some time.
        case partitioned
        /// No space left on the disk for some time.
        case diskFull
        /// One system call fails with EIO.
        case diskError
        /// Calls of one kind fail with EIO for some time, and the group is rebalanced meanwhile.
        case flakyDisk
        /// Every call on the disk takes long for some time.
        case slowDisk
        /// The group is rebalanced without a reason of ours.
        case rebalance
        /// The log forgets its oldest records.
        case retention
        /// The policy file changes: workers that start from now on have another one.
        case policyChange
        /// The policy file changes, and a worker takes it over without a restart.
        case reload
        /// Another worker joins.
        case addWorker
        /// The log forgets records that were not read yet, also those above the watermark.
        case deepRetention
        /// The log loses its newest records and gives their offsets to others.
        case cutLog
        /// The topic is deleted and made anew.
        case recreatedTopic
        /// The group's committed offset is forgotten.
        case lostOffset
        /// All workers die, and find an empty store.
        case lostStore
        /// All workers die, and a manifest or an epoch file has other bytes, until somebody restores it.
        case damagedFile
        /// No call on the store succeeds for some time.
        case unreachableStore

        /// What happens to logs, and voids what was known of them.
        static let ofTheLog: [Kind] = [.deepRetention, .cutLog, .recreatedTopic, .lostOffset]
    }

    package var kind: Kind
    /// Microseconds of virtual time from which on it is due.
    package var time: Int64
    /// Which worker it hits, by its place.
    package var worker: Int
    /// It happens at the worker's step with this number after `time`: between two system calls, or in the middle of one.
    package var steps: Int
    /// From that step on it waits for a call of this kind; nil for the step itself.
    var target: Step?
    /// How long it lasts, or until the worker is started again, microseconds.
    package var duration: Int64

    package var description: String {
        let place = "\(time / 1000) ms"
        let length = "\(duration / 1000) ms"
        let step = target.map { "step \(steps) or the next \($0.rawValue) after it" } ?? "step \(steps)"
        switch kind {
        case .kill: return "\(place): worker \(worker) is killed at its \(step), started again after \(length)"
        case .powerFailure:
            return "\(place): power fails at \(step) of worker \(worker), all start again after \(length)"
        case .stop: return "\(place): worker \(worker) is stopped at its \(step) for \(length)"
        case .terminate: return "\(place): worker \(worker) is terminated, started again after \(length)"
        case .partitioned: return "\(place): worker \(worker) does not reach the broker for \(length)"
        case .flakyDisk:
            let calls = target?.rawValue ?? Step.syncDirectory.rawValue
            return
                "\(place): from \(step) of worker \(worker) on each \(calls) fails with EIO for \(length), and the group is "
                + "rebalanced meanwhile"
        case .diskFull: return "\(place): the disk is full for \(length)"
        case .diskError: return "\(place): \(step) of worker \(worker) fails with EIO"
        case .slowDisk: return "\(place): the disk is slow for \(length), and the group is rebalanced meanwhile"
        case .rebalance: return "\(place): the group is rebalanced"
        case .retention: return "\(place): the log of partition \(worker) loses \(steps) records at its start"
        case .policyChange: return "\(place): the policy file changes"
        case .reload: return "\(place): worker \(worker) takes over another policy file"
        case .addWorker: return "\(place): another worker joins for \(length)"
        case .deepRetention:
            return "\(place): the log of partition \(worker) loses what is not read yet, but \(steps) records"
        case .cutLog: return "\(place): the log of partition \(worker) loses its last \(steps) records"
        case .recreatedTopic: return "\(place): the log of partition \(worker) is made anew"
        case .lostOffset: return "\(place): the committed offset of partition \(worker) is lost"
        case .lostStore: return "\(place): the store is lost, all start again after \(length)"
        case .damagedFile: return "\(place): a file is damaged for \(length), all start again"
        case .unreachableStore: return "\(place): the store does not answer for \(length)"
        }
    }
}
