import Pipeline
import Synchronization

/// Where the blocks of each partition are in a decision file, so that the headers of all blocks are read once, not once for each
/// partition that is taken over.
///
/// It knows only what a manifest vouches for: that part of a file never changes, while what is behind it may be written again.
/// What a block says is checked each time it is read. Thread-safe; blocks on files. No thread waits for another one's disk: two
/// that want the same read it both, and what the one that knows more has read stays.
final class DecisionFileIndex: Sendable {
    /// Bytes of a file.
    struct Place: Sendable, Equatable {
        var offset: UInt64
        var length: Int
    }

    private struct Group {
        var group: DecisionFileReader.Group
        /// By partition, those of one in the order of the file; nil until they are needed.
        var blocks: [DecisionFileReader.BlockHeader]?
    }

    private struct State {
        var groups: [Group] = []
        /// Where the next group begins; nil before the first was looked for.
        var end: UInt64?
        /// Groups whose blocks are known, and these.
        var loadedGroups = 0
        var loadedBlocks = 0
    }

    private let state = Mutex(State())
    private let remembered = Atomic<Int>(0)

    /// Headers of blocks that are remembered, 16 bytes each. Does not wait for a thread that is reading.
    var blockCount: Int { remembered.load(ordering: .relaxed) }

    /// The blocks of a partition in the groups that have decisions of `oldest` or later, in the order of the file.
    ///
    /// - Parameter reader: of this file, as far as a manifest vouches for it; not of version 1.
    func places(
        of partition: PartitionID, since oldest: Int64, in reader: DecisionFileReader
    ) throws -> [Place] {
        let wanted = DecisionFile.partitionHash(partition)
        var known = state.withLock { $0 }
        try Self.extend(&known, reader)
        var places: [Place] = []
        for index in known.groups.indices {
            let group = known.groups[index].group
            if group.offset >= reader.length { break }
            // A longer part was vouched for before, and this one ends inside of a group.
            guard group.end <= reader.length else {
                throw StoreError.damaged("\(StoreError.truncated) (at byte \(group.offset))")
            }
            guard group.reaches(oldest) else { continue }
            let blocks = try known.groups[index].blocks ?? reader.blockHeaders(of: group).sorted()
            if known.groups[index].blocks == nil {
                known.groups[index].blocks = blocks
                known.loadedGroups += 1
                known.loadedBlocks += blocks.count
            }
            var position = blocks.firstPosition(of: wanted)
            while position < blocks.count, blocks[position].partitionHash == wanted {
                places.append(
                    Place(
                        offset: group.blocksOffset + UInt64(blocks[position].offset),
                        length: Int(blocks[position].length)))
                position += 1
            }
        }
        keep(known)
        return places
    }

    /// Errors are not remembered: what was read before one is read again.
    private func keep(_ known: State) {
        state.withLock { state in
            guard (known.loadedGroups, known.groups.count) > (state.loadedGroups, state.groups.count) else { return }
            state = known
            remembered.store(known.loadedBlocks, ordering: .relaxed)
        }
    }

    /// Learns of the groups up to the end of what is vouched for.
    private static func extend(_ state: inout State, _ reader: DecisionFileReader) throws {
        var position = state.end ?? reader.firstGroupOffset
        while let group = try reader.group(at: position) {
            state.groups.append(Group(group: group))
            position = group.end
            state.end = position
        }
    }
}

extension [DecisionFileReader.BlockHeader] {
    /// In a sorted array: of the first block of this partition or, where it has none, of a later one.
    fileprivate func firstPosition(of partitionHash: UInt64) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if self[middle].partitionHash < partitionHash { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

/// The indexes of the decision files that were read lately.
///
/// Thread-safe; does not block on files.
final class DecisionFileIndexes: Sendable {
    private struct Kept {
        var index: DecisionFileIndex
        /// Counted in `uses`.
        var usedAt: UInt64
        /// Counted in `flushes`.
        var usedAtFlush: UInt64
    }

    private struct State {
        var kept: [String: Kept] = [:]
        var uses: UInt64 = 0
        var flushes: UInt64 = 0
    }

    /// An index that was not used for this many flushes is forgotten: all partitions have been taken over.
    private static let flushesUnused: UInt64 = 16

    private let state = Mutex(State())
    private let maximumBlocks: Int

    /// - Parameter maximumBlocks: headers of blocks that are remembered, 16 bytes each. Of more, those of the file that was not used
    ///   for longest are forgotten; a file with more of its own is read again for each partition.
    init(maximumBlocks: Int = 1 << 20) { self.maximumBlocks = maximumBlocks }

    /// The index of a file, to which what is read of it is added.
    func index(of path: String) -> DecisionFileIndex {
        state.withLock { state in
            state.uses += 1
            let index = state.kept[path]?.index ?? DecisionFileIndex()
            state.kept[path] = Kept(index: index, usedAt: state.uses, usedAtFlush: state.flushes)
            return index
        }
    }

    /// Forgets what is too much; called when something was read.
    func trim() {
        state.withLock { state in
            var excess = state.kept.values.reduce(0) { $0 + $1.index.blockCount } - maximumBlocks
            while excess > 0, let oldest = state.kept.min(by: { $0.value.usedAt < $1.value.usedAt }) {
                excess -= oldest.value.index.blockCount
                state.kept[oldest.key] = nil
            }
        }
    }

    /// A flush was published.
    func noteFlush() {
        state.withLock { state in
            state.flushes += 1
            let now = state.flushes
            if state.kept.isEmpty { return }
            state.kept = state.kept.filter { now - $0.value.usedAtFlush <= Self.flushesUnused }
        }
    }

    /// Files whose index is remembered, for tests.
    var paths: [String] { state.withLock { $0.kept.keys.sorted() } }
}
