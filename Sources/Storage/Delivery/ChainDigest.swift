import Pipeline

/// Which partitions the manifests of a chain have entries of, so that a long chain is read once, and not again for each partition
/// that is taken over and has nothing in it.
///
/// Says what reading the manifests one by one, from the newest to the oldest, would say: the caller lists the chain each time, and
/// what is there and was not read is read. A manifest that was read whole never changes.
struct ChainDigest {
    enum Answer: Equatable {
        /// The chain has no entry of this epoch.
        case nowhere
        /// Number of the newest manifest with one.
        case at(UInt64)
        /// A manifest cannot be read: one has to look at each.
        case unknown
    }

    /// Manifests after each other with entries of one epoch of a partition, as far as they have one.
    private struct Run {
        var epoch: UInt64
        /// The newest of them.
        var newest: UInt64
    }

    /// Newest first.
    private var runs: [PartitionID: [Run]] = [:]
    /// Numbers of the manifests that were read: the first one and older ones, descending; newer ones, ascending.
    private var older: [UInt64] = []
    private var newer: [UInt64] = []

    /// Manifests that are known.
    var count: Int { older.count + newer.count }

    private var lowest: UInt64? { older.last }
    private var highest: UInt64? { newer.last ?? older.first }

    /// Looks for the newest entry of a partition and an epoch. An older epoch's entry ends the search: before it there is none.
    ///
    /// - Parameters:
    ///   - numbers: of all manifests of the chain, as listed now, ascending.
    ///   - read: a manifest's entries; nil for one that is damaged or gone.
    mutating func find(
        _ partition: PartitionID, epoch: UInt64, in numbers: [UInt64], read: (UInt64) throws -> [TaskEntry]?
    ) rethrows -> Answer {
        if !hasRead(numbers) { self = ChainDigest() }
        if let highest {
            for number in numbers[numbers.firstPosition { $0 > highest }...] {
                guard let entries = try read(number) else { return .unknown }
                noteNewer(entries, number)
            }
        }
        if let answer = known(partition, epoch) { return answer }
        let rest = lowest.map { lowest in numbers.firstPosition { $0 >= lowest } } ?? numbers.count
        for number in numbers[..<rest].reversed() {
            guard let entries = try read(number) else { return .unknown }
            noteOlder(entries, number)
            if let answer = known(partition, epoch) { return answer }
        }
        return .nowhere
    }

    /// Whether all that is there between the oldest and the newest known manifest is known. A directory that is listed while files
    /// are put there may show the later ones only.
    private func hasRead(_ numbers: [UInt64]) -> Bool {
        guard let lowest, let highest else { return true }
        var position = 0
        for number in numbers[numbers.firstPosition { $0 >= lowest }...] {
            if number > highest { break }
            while position < count, self[position] < number { position += 1 }
            guard position < count, self[position] == number else { return false }
        }
        return true
    }

    /// The known numbers, ascending.
    private subscript(position: Int) -> UInt64 {
        position < older.count ? older[older.count - 1 - position] : newer[position - older.count]
    }

    private func known(_ partition: PartitionID, _ epoch: UInt64) -> Answer? {
        guard let run = runs[partition]?.first(where: { $0.epoch <= epoch }) else { return nil }
        return run.epoch == epoch ? .at(run.newest) : .nowhere
    }

    private mutating func noteNewer(_ entries: [TaskEntry], _ number: UInt64) {
        for entry in entries {
            if runs[entry.partition]?.first?.epoch == entry.epoch {
                runs[entry.partition]?[0].newest = number
            } else {
                runs[entry.partition, default: []].insert(Run(epoch: entry.epoch, newest: number), at: 0)
            }
        }
        newer.append(number)
    }

    private mutating func noteOlder(_ entries: [TaskEntry], _ number: UInt64) {
        for entry in entries where runs[entry.partition]?.last?.epoch != entry.epoch {
            runs[entry.partition, default: []].append(Run(epoch: entry.epoch, newest: number))
        }
        older.append(number)
    }
}

extension [UInt64] {
    /// In a sorted array: of the first element that is so, where all after it are; its end where none is.
    fileprivate func firstPosition(_ isSo: (UInt64) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if isSo(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
