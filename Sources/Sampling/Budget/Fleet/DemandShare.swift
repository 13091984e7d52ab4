import Glibc

/// Divides a whole among members by what each is offered.
package enum DemandShare {
    /// Every member has an equal part of `floor`, so that one whose traffic begins has something at once, and of the rest a part
    /// in proportion to its demand. Where nobody has demand all have the same.
    ///
    /// - Parameter demands: finite and not negative.
    /// - Returns: shares in the order of the demands; their sum is 1.
    package static func shares(_ demands: [Double], floor: Double) -> [Double] {
        guard !demands.isEmpty else { return [] }
        let even = 1 / Double(demands.count)
        let total = demands.reduce(0, +)
        guard total > 0, total.isFinite else { return demands.map { _ in even } }
        return demands.map { floor * even + (1 - floor) * ($0 / total) }
    }
}

/// The demand of tasks as a worker tells it: what samplers average over stream time, less what silence takes away. Stream time
/// stands still in a partition without traffic, and its average with it.
///
/// A pure state machine on monotonic milliseconds.
package struct DemandMeter<Task: Hashable & Sendable>: Sendable {
    /// A tick's traces may come a little later than the tick before: milliseconds.
    private static var patience: Int64 { 2500 }
    /// As fast as the samplers' own averages.
    private static var timeConstant: Double { 5000 }

    private var seen: [Task: (offered: Double, changedAt: Int64)] = [:]

    package init() {}

    /// - Parameters:
    ///   - average: units per second of stream time.
    ///   - offered: units since the task began.
    package mutating func demand(of task: Task, average: Double, offered: Double, at now: Int64) -> Double {
        guard average.isFinite, average > 0 else { return 0 }
        guard let known = seen[task], known.offered == offered else {
            seen[task] = (offered, now)
            return average
        }
        let silence = now - known.changedAt - Self.patience
        return silence > 0 ? average * exp(-Double(silence) / Self.timeConstant) : average
    }

    /// Forgets tasks that are gone.
    package mutating func keep(_ tasks: Set<Task>) {
        if seen.count > tasks.count { seen = seen.filter { tasks.contains($0.key) } }
    }
}
