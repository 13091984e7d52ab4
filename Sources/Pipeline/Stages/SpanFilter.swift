public import OTLP

/// A stage that sends each span to one of its output ports: filters, validators, branches.
///
/// One instance per task, used by one thread; it may keep state and need not be `Sendable`. Called once per record.
public protocol SpanFilter: AnyObject {
    /// Sorts the selected spans of a record to ports.
    ///
    /// - Parameters:
    ///   - batch: the record's spans; borrowed for the call.
    ///   - selection: indices into `batch.heads` of the spans that reached this stage, ascending.
    ///   - outputs: one list of indices per declared output port, empty at the start.
    func sort(
        _ batch: SpanBatch, _ selection: borrowing [UInt32], context: borrowing RecordContext,
        into outputs: inout SpanFilterOutputs)
}

/// Where a `SpanFilter` puts spans.
public struct SpanFilterOutputs {
    /// Indices into the batch's heads, one list per output port in declared order.
    public var ports: [[UInt32]]
    /// Spans that leave as dead letters on the stage's `rejected` port, with the reason.
    public var rejected: [(index: UInt32, code: String, reason: String)] = []

    public init(portCount: Int) {
        ports = Array(repeating: [], count: portCount)
    }

    package mutating func clear() {
        for index in ports.indices { ports[index].removeAll(keepingCapacity: true) }
        if !rejected.isEmpty { rejected.removeAll(keepingCapacity: true) }
    }
}
