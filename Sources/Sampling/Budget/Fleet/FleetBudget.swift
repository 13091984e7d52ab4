/// How the workers of a fleet hold one budget together without a leader: each tells the others what it is offered, and all
/// compute the same shares from the same entries.
///
/// A pure state machine: entries and monotonic milliseconds in, shares and entries out; no clock, no socket. One per worker and
/// topic, used by one thread.
///
/// A worker counts itself by its own entry as it comes back from the topic, as the others do: so all divide by the same
/// numbers, and the shares add up to 1 but for entries that are under way. Where its own entries do not come back, the topic is
/// out of reach, and the worker's share is that of its partitions.
package struct FleetBudget: Sendable {
    package struct Settings: Sendable, Equatable {
        /// Between two entries of a worker, milliseconds.
        package var interval: Int64 = 1000
        /// A worker that was silent for longer is no member, milliseconds.
        package var staleAfter: Int64 = 10_000
        /// Part of a budget that all members share evenly.
        package var floor = 0.1

        package init() {}
    }

    /// What a share was computed from.
    package enum Basis: String, Sendable {
        /// What the members are offered.
        case demand
        /// How many of the partitions the worker owns: the topic is out of reach, or not to be used.
        case partitions
    }

    package struct Share: Sendable, Equatable {
        /// 0…1.
        package var value: Double
        package var basis: Basis
        /// Workers that the budget is divided among, this one included.
        package var members: Int
        /// What all of them are offered, in the budget's unit per second; 0 where that is not known.
        package var fleetDemand: Double

        package init(value: Double, basis: Basis, members: Int = 1, fleetDemand: Double = 0) {
            self.value = value
            self.basis = basis
            self.members = members
            self.fleetDemand = fleetDemand
        }
    }

    private struct Member: Sendable {
        var sequence: UInt64
        var demands: [String: FleetEntry.Demand]
        /// Monotonic milliseconds.
        var heardAt: Int64
    }

    private static let maximumMembers = 4096

    package let worker: String
    package let settings: Settings
    private var members: [String: Member] = [:]
    private var sequence: UInt64 = 0
    private var lastReport = Int64.min
    /// Partitions by budget in the last entry.
    private var reported: [String: Int] = [:]
    /// The first entry with these partitions.
    private var reportedSince: UInt64 = 0
    /// Members that were silent for too long.
    package private(set) var expired: UInt64 = 0

    package init(worker: String, settings: Settings = Settings()) {
        self.worker = worker
        self.settings = settings
    }

    // MARK: - Entries in

    /// Takes note of an entry, also of the worker's own.
    ///
    /// - Parameter isBacklog: it was in the topic before this worker read it: its worker may be long gone, and counts for three
    ///   intervals only unless it says something new.
    package mutating func receive(_ entry: FleetEntry, at now: Int64, isBacklog: Bool = false) {
        if isBacklog, entry.worker == worker { return }
        if let known = members[entry.worker] {
            guard entry.sequence > known.sequence else { return }
        } else if members.count >= Self.maximumMembers {
            return
        }
        var demands: [String: FleetEntry.Demand] = [:]
        for demand in entry.demands where demand.demand.isFinite && demand.demand >= 0 {
            demands[demand.budget] = demand
        }
        let heardAt = isBacklog ? now - max(0, settings.staleAfter - 3 * settings.interval) : now
        members[entry.worker] = Member(sequence: entry.sequence, demands: demands, heardAt: heardAt)
    }

    /// A worker has said that it leaves.
    package mutating func receiveDeparture(of worker: String) { members[worker] = nil }

    // MARK: - Entries out

    /// Tells what this worker is offered. To be called several times per interval.
    ///
    /// - Returns: the entry to be sent, when it is time for one or partitions have come or gone.
    package mutating func report(_ demands: [FleetEntry.Demand], at now: Int64) -> FleetEntry? {
        var partitions: [String: Int] = [:]
        for demand in demands { partitions[demand.budget] = demand.partitions }
        let isChanged = partitions != reported || sequence == 0
        guard isChanged || now - lastReport >= settings.interval else { return nil }
        lastReport = now
        sequence &+= 1
        if isChanged {
            reported = partitions
            reportedSince = sequence
        }
        return FleetEntry(worker: worker, sequence: sequence, demands: demands)
    }

    // MARK: - Shares

    /// This worker's part of a budget.
    ///
    /// - Parameter partitionShare: the worker's partitions of those of the topic, 0…1.
    package mutating func share(of budget: String, partitionShare: Double, at now: Int64) -> Share {
        expire(at: now)
        let fallback = Share(value: partitionShare, basis: .partitions)
        guard let own = members[worker] else { return fallback }
        // In an order that all workers share, so that rounding is the same everywhere.
        let sharing = members.filter { ($0.value.demands[budget]?.partitions ?? 0) > 0 }.sorted { $0.key < $1.key }
        let demands = sharing.map { $0.value.demands[budget]?.demand ?? 0 }
        var share = Share(
            value: 0, basis: .demand, members: sharing.count, fleetDemand: demands.reduce(0, +))
        if let index = sharing.firstIndex(where: { $0.key == worker }) {
            share.value = DemandShare.shares(demands, floor: settings.floor)[index]
        }
        // Partitions that the others do not know of yet were another's a moment ago, who no longer spends for them.
        if own.sequence < reportedSince { share.value = max(share.value, partitionShare) }
        return share
    }

    private mutating func expire(at now: Int64) {
        for (name, member) in members where now - member.heardAt > settings.staleAfter {
            members[name] = nil
            if name != worker { expired &+= 1 }
        }
    }
}
