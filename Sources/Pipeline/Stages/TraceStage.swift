/// A stage between the sampler and the sinks: sees whole kept traces. Indexers are trace stages; so are filters of traces.
///
/// One instance per task, used by one thread.
public protocol TraceStage: AnyObject {
    /// Changes or annotates the trace; returns false to end its way here (it then counts as filtered).
    func process(_ trace: inout KeptTrace) -> Bool
}
