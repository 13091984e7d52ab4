import Sampling
import TraceModel

/// A trace as samplers under comparison see it: no spans, only what decisions are made of.
package struct SimulatedTrace: Sendable {
    package var trace: BudgetTrace
    /// Milliseconds from the beginning of its tick.
    package var offset: Double
    /// Number of the operation; the scenario's names say which.
    package var operation: Int
    package var isRare: Bool

    package init(trace: BudgetTrace, offset: Double, operation: Int, isRare: Bool) {
        self.trace = trace
        self.offset = offset
        self.operation = operation
        self.isRare = isRare
    }
}

/// Traffic that is decided tick by tick.
package protocol SimulatedTraffic {
    /// The traces of the next tick in order of arrival, or nil at the end.
    mutating func next() -> [SimulatedTrace]?
    /// Milliseconds.
    var tick: Int64 { get }
}
