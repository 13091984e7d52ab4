/// How the workers of a fleet hold one budget together without a leader: each tells the others which partitions it has and what
/// each of them is offered, and all compute the same shares from the same entries.
///
/// A pure state machine: entries and monotonic milliseconds in, shares and entries out; no clock, no socket. One per worker and
/// topic, used by one thread at a time.
///
/// The shares belong to partitions: a partition that nobody has for a while, in a rebalance or since its worker died, keeps
/// its share for `staleAfter`, since its records wait in the log and are decided later. After that the others divide it among
/// themselves, and whoever then takes the partition over owes what they have spent in its place.
///
/// A worker goes by its own entries as they come back from the topic, as the others do: all divide by the same numbers, and the
/// shares add up to 1 but for entries that are under way. Where its own entries do not come back, the topic is out of reach, and
/// the worker's share is that of its partitions.
package struct FleetBudget: Sendable {
    package struct Settings: Sendable, Hashable {
        /// Between two entries of a worker, milliseconds.
        package var interval: Int64 = 1000
        /// What was not heard of for longer has no share, milliseconds.
        package var staleAfter: Int64 = 10_000
        /// Part of a budget that all partitions share evenly.
        package var floor = 0.1

        package init() {}
    }

    /// What a share was computed from.
    package enum Basis: String, Sendable {
        /// What the partitions are offered.
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

    private struct Claim: Sendable {
        /// Nil where its last owner has let it go.
        var worker: String?
        var demand: Double
        /// Monotonic milliseconds.
        var heardAt: Int64
        /// Heard when it was said, not read from the past.
        var isLive: Bool
    }

    private static let maximumMembers = 4096
    private static let maximumClaims = 100_000
    /// Longer than this nobody owes anything, milliseconds: samplers remember no more.
    private static let longestLapse: Int64 = 300_000

    package let worker: String
    package let settings: Settings
    /// By worker.
    private var members: [String: (sequence: UInt64, heardAt: Int64)] = [:]
    /// By budget and partition.
    private var claims: [String: [String: Claim]] = [:]
    /// Since when the others have had a partition's share, monotonic milliseconds.
    private var lapses: [String: [String: Int64]] = [:]
    /// Milliseconds that this worker's partitions owe.
    private var debts: [String: [String: Int64]] = [:]
    private var sequence: UInt64 = 0
    private var lastReport = Int64.min
    private var lastExpiry = Int64.min
    /// When this worker's own entries began to come back, monotonic milliseconds.
    private var heardSince: Int64?
    /// Partitions by budget in the last entry.
    private var reported: [String: Set<String>] = [:]
    /// Workers that were silent for too long.
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
        expire(at: now)
        if let known = members[entry.worker] {
            guard entry.sequence > known.sequence else { return }
        } else if members.count >= Self.maximumMembers {
            return
        }
        let heardAt = isBacklog ? now - max(0, settings.staleAfter - 3 * settings.interval) : now
        members[entry.worker] = (entry.sequence, heardAt)
        if entry.worker == worker, heardSince == nil { heardSince = now }
        var named = Set<String>()
        for demand in entry.demands {
            named.insert(demand.budget)
            release(demand.budget, of: entry.worker, except: Set(demand.partitions.map(\.name)))
            for partition in demand.partitions where partition.demand.isFinite && partition.demand >= 0 {
                let claim = Claim(
                    worker: entry.worker, demand: partition.demand, heardAt: heardAt, isLive: !isBacklog)
                self.claim(partition.name, of: demand.budget, claim, at: now)
            }
        }
        for budget in claims.keys where !named.contains(budget) { release(budget, of: entry.worker, except: []) }
    }

    /// A worker has said that it leaves. Its partitions wait for their next owner.
    package mutating func receiveDeparture(of worker: String) {
        members[worker] = nil
        for budget in claims.keys { release(budget, of: worker, except: []) }
    }

    private mutating func claim(_ partition: String, of budget: String, _ claim: Claim, at now: Int64) {
        if claims[budget]?[partition] == nil, claims.values.reduce(0, { $0 + $1.count }) >= Self.maximumClaims {
            return
        }
        claims[budget, default: [:]][partition] = claim
        guard claim.isLive, let since = lapses[budget]?.removeValue(forKey: partition), claim.worker == worker else {
            return
        }
        debts[budget, default: [:]][partition, default: 0] += min(Self.longestLapse, now - since)
    }

    private mutating func release(_ budget: String, of worker: String, except kept: Set<String>) {
        guard let all = claims[budget] else { return }
        for (partition, claim) in all where claim.worker == worker && !kept.contains(partition) {
            claims[budget]?[partition]?.worker = nil
        }
    }

    // MARK: - Entries out

    /// Tells what this worker is offered. To be called several times per interval.
    ///
    /// - Returns: the entry to be sent, when it is time for one or partitions have come or gone.
    package mutating func report(_ demands: [FleetEntry.Demand], at now: Int64) -> FleetEntry? {
        var partitions: [String: Set<String>] = [:]
        for demand in demands { partitions[demand.budget] = Set(demand.partitions.map(\.name)) }
        guard sequence == 0 || partitions != reported || now - lastReport >= settings.interval else { return nil }
        lastReport = now
        reported = partitions
        sequence &+= 1
        return FleetEntry(worker: worker, sequence: sequence, demands: demands)
    }

    // MARK: - Shares

    /// This worker's part of a budget.
    ///
    /// - Parameters:
    ///   - partitions: that it owns now, whatever the topic says.
    ///   - partitionCount: of all workers together.
    package mutating func share(of budget: String, partitions: [String], partitionCount: Int, at now: Int64) -> Share {
        expire(at: now)
        let even = 1 / Double(max(1, partitionCount, partitions.count))
        guard members[worker] != nil else {
            return Share(value: even * Double(partitions.count), basis: .partitions)
        }
        // In an order that all workers share, so that rounding is the same everywhere.
        let all = (claims[budget] ?? [:]).sorted { $0.key < $1.key }
        let demands = all.map(\.value.demand)
        let parts = DemandShare.shares(demands, floor: settings.floor)
        var known: [String: Double] = [:]
        for (claim, part) in zip(all, parts) { known[claim.key] = part }
        // A partition that the topic does not name yet has an even part until it does.
        let unnamed = unnamedPartitions(of: budget, named: Set(known.keys), partitionCount, at: now)
        let named = max(0, 1 - even * Double(unnamed))
        let value = partitions.reduce(0) { $0 + (known[$1].map { $0 * named } ?? even) }
        return Share(
            value: min(1, value), basis: .demand, members: Set(all.compactMap(\.value.worker)).count,
            fleetDemand: demands.reduce(0, +))
    }

    /// Partitions that are somebody's although no entry names them for this budget. Their part is not for others: they are with
    /// workers that run another configuration, in which the budget has another name, or that have only just begun, as this one has.
    private func unnamedPartitions(
        of budget: String, named: Set<String>, _ partitionCount: Int, at now: Int64
    ) -> Int {
        let sampler = budget.prefix { $0 != "/" }
        var elsewhere = Set<String>()
        for (other, all) in claims where other != budget && other.prefix(while: { $0 != "/" }) == sampler {
            for (partition, claim) in all where claim.worker != nil && !named.contains(partition) {
                elsewhere.insert(partition)
            }
        }
        guard let heardSince, now - heardSince < 3 * settings.interval else { return elsewhere.count }
        return max(elsewhere.count, partitionCount - named.count)
    }

    /// For how long, in milliseconds, others had the share of partitions that this worker has taken over since the last call.
    package mutating func takeDebts(of budget: String) -> [String: Int64] {
        guard let taken = debts[budget], !taken.isEmpty else { return [:] }
        debts[budget] = [:]
        return taken
    }

    private mutating func expire(at now: Int64) {
        // A large fleet sends many entries per second; a tenth of an interval is early enough.
        guard lastExpiry == .min || now - lastExpiry >= settings.interval / 10 else { return }
        // Where the topic is out of reach nobody can tell what the others do: all go by partitions, and nobody spends for another.
        let isHeard = members[worker].map { now - $0.heardAt <= 3 * settings.interval } ?? false
        let stoodStill = lastExpiry != .min && now - lastExpiry > 3 * settings.interval
        lastExpiry = now
        for (name, member) in members where now - member.heardAt > settings.staleAfter {
            members[name] = nil
            if name == worker { heardSince = nil } else { expired &+= 1 }
        }
        for (budget, all) in claims {
            for (partition, claim) in all where now - claim.heardAt > settings.staleAfter {
                claims[budget]?[partition] = nil
                if claim.isLive, isHeard || stoodStill {
                    lapses[budget, default: [:]][partition] = claim.heardAt + settings.staleAfter
                }
            }
            if claims[budget]?.isEmpty == true { claims[budget] = nil }
        }
        for (budget, all) in lapses {
            for (partition, since) in all where now - since > Self.longestLapse { lapses[budget]?[partition] = nil }
            if lapses[budget]?.isEmpty == true { lapses[budget] = nil }
        }
    }
}
