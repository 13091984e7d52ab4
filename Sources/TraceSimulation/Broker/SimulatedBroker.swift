import Pipeline

/// Logs, and a consumer group that shares them among its members as Kafka's coordinator does: members that are silent for
/// the session timeout are expelled; commits of an old generation are refused.
final class SimulatedBroker {
    enum Answer {
        case fine
        /// The member must join again.
        case rebalance
        /// The member's share, in the generation that has begun.
        case assignment(generation: Int, Set<PartitionID>)
        /// Expelled, or never known.
        case unknownMember
    }

    enum Fetched {
        case records([PartitionLog.Record])
        case outOfRange(start: Int64, end: Int64)
    }

    private struct Member {
        var lastContact: Int64
        var owned: Set<PartitionID> = []
        var hasJoined = false
        var assignment: Set<PartitionID>?
    }

    let logs: [PartitionID: PartitionLog]
    let partitions: [PartitionID]
    private let isCooperative: Bool
    private let sessionTimeout: Int64
    private var random: SimulationRandom
    private var members: [Int: Member] = [:]
    private var nextMember = 1
    private(set) var generation = 0
    private var joiningUntil: Int64?
    private var isShuffling = false
    private(set) var rebalances = 0
    private let commitFailurePercent: Int

    /// - Parameter stream: of randomness; each group has its own.
    init(plan: WorldPlan, partitions: [PartitionID], stream: UInt64 = 4) {
        self.partitions = partitions
        logs = Dictionary(uniqueKeysWithValues: partitions.map { ($0, PartitionLog(partition: $0)) })
        isCooperative = plan.isCooperative
        sessionTimeout = plan.sessionTimeout
        commitFailurePercent = plan.commitFailurePercent
        random = SimulationRandom(seed: plan.seed).stream(stream)
    }

    // MARK: - Members

    /// Joins the group; nil for a new member.
    func join(_ member: Int?, owned: Set<PartitionID>, now: Int64) -> Int {
        let number = member.flatMap { members[$0] == nil ? nil : $0 } ?? nextMember
        if number == nextMember { nextMember += 1 }
        members[number, default: Member(lastContact: now)].lastContact = now
        members[number]?.owned = owned
        members[number]?.assignment = nil
        if joiningUntil == nil { beginRebalance(now: now) }
        members[number]?.hasJoined = true
        completeIfAllJoined()
        return number
    }

    func leave(_ member: Int?, now: Int64) {
        guard let member, members.removeValue(forKey: member) != nil else { return }
        beginRebalance(now: now)
        completeIfAllJoined()
    }

    /// A heartbeat of a member whose poll is held up.
    func touch(_ member: Int?, now: Int64) {
        if let member { members[member]?.lastContact = now }
    }

    func heartbeat(_ member: Int?, now: Int64) -> Answer {
        guard let member, var state = members[member] else { return .unknownMember }
        state.lastContact = now
        defer { members[member] = state }
        if let assignment = state.assignment {
            state.assignment = nil
            state.owned = assignment
            return .assignment(generation: generation, assignment)
        }
        return joiningUntil != nil && !state.hasJoined ? .rebalance : .fine
    }

    /// Expels silent members; called now and then.
    func expelSilentMembers(now: Int64) {
        let silent = members.filter { now - $0.value.lastContact > sessionTimeout }.keys.sorted()
        for member in silent { members[member] = nil }
        if !silent.isEmpty { beginRebalance(now: now) }
        if let until = joiningUntil, now > until {
            for member in members.filter({ !$0.value.hasJoined }).keys { members[member] = nil }
        }
        completeIfAllJoined()
    }

    /// - Parameter shuffling: members need not keep what they have.
    func beginRebalance(now: Int64, shuffling: Bool = false) {
        isShuffling = isShuffling || shuffling
        if joiningUntil == nil { for member in members.keys { members[member]?.hasJoined = false } }
        joiningUntil = joiningUntil ?? now + sessionTimeout
    }

    private func completeIfAllJoined() {
        guard joiningUntil != nil, members.values.allSatisfy(\.hasJoined) else { return }
        joiningUntil = nil
        generation += 1
        rebalances += 1
        let names = members.keys.sorted()
        guard !names.isEmpty else { return }
        let target = shares(names)
        isShuffling = false
        for name in names {
            var share = target[name] ?? []
            if isCooperative {
                // What another member still holds it must give up first; it joins again when it has.
                for other in names where other != name { share.subtract(members[other]?.owned ?? []) }
            }
            members[name]?.assignment = share
        }
    }

    private func shares(_ names: [Int]) -> [Int: Set<PartitionID>] {
        var shares: [Int: Set<PartitionID>] = [:]
        var free = partitions
        let most = (partitions.count + names.count - 1) / names.count
        if isCooperative {
            for name in names {
                for partition in (members[name]?.owned ?? []).sorted() {
                    guard free.contains(partition), shares[name]?.count ?? 0 < most,
                        random.chance(isShuffling ? 20 : 90)
                    else { continue }
                    shares[name, default: []].insert(partition)
                    free.removeAll { $0 == partition }
                }
            }
        }
        let turn = random.pick(0...names.count - 1)
        for partition in free {
            let order = names.indices.map { names[($0 + turn) % names.count] }
            let least = order.min { shares[$0]?.count ?? 0 < shares[$1]?.count ?? 0 } ?? names[0]
            shares[least, default: []].insert(partition)
        }
        return shares
    }

    // MARK: - Offsets and records

    /// Returns false when the member's generation is over, or the coordinator does not answer.
    func commit(_ member: Int?, generation: Int, _ offsets: [PartitionID: CommittedOffset]) -> Bool {
        guard let member, members[member] != nil, generation == self.generation else { return false }
        if commitFailurePercent > 0, random.chance(commitFailurePercent) { return false }
        for (partition, offset) in offsets { logs[partition]?.committed = offset.offset }
        return true
    }

    func fetch(_ partition: PartitionID, from offset: Int64, count: Int) -> Fetched {
        guard let log = logs[partition] else { return .records([]) }
        if offset < log.start || offset > log.end { return .outOfRange(start: log.start, end: log.end) }
        let first = log.firstIndex(from: offset)
        return .records(Array(log.records[first..<min(log.records.count, first + count)]))
    }
}
