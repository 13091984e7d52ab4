package import TraceModel

/// A trace in some window of a worker.
public struct WaitingTrace: Sendable, Equatable {
    public var partition: PartitionID
    public var sampler: String
    /// Of the partition now, milliseconds since the Unix epoch.
    public var streamTime: Int64
    public var trace: OpenTrace

    public init(partition: PartitionID, sampler: String, streamTime: Int64, trace: OpenTrace) {
        self.partition = partition
        self.sampler = sampler
        self.streamTime = streamTime
        self.trace = trace
    }
}

extension WorkerCore {
    /// The windows of this worker that hold a trace now.
    package func waiting(_ id: TraceID) -> [WaitingTrace] {
        partitions.compactMap(task).flatMap { task in
            task.lanes.compactMap { lane in
                lane.sampler.openTrace(id).map {
                    WaitingTrace(
                        partition: task.partition, sampler: lane.name, streamTime: task.streamTime, trace: $0)
                }
            }
        }
    }
}
