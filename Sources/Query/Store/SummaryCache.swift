import Storage
import Synchronization

/// Keeps the summaries of segments that were searched lately, up to a number of bytes.
final class SummaryCache: Sendable {
    private struct Entry {
        var columns: SummaryColumns
        var lastUse: UInt64
    }

    private struct State {
        var entries: [String: Entry] = [:]
        var bytes = 0
        var uses: UInt64 = 0
    }

    private let byteLimit: Int
    private let state = Mutex(State())

    init(byteLimit: Int) { self.byteLimit = byteLimit }

    var bytes: Int { state.withLock { $0.bytes } }

    /// Loads outside the lock: two threads that miss at once both read, which costs less than making everybody wait.
    func columns(of segment: OpenSegment) throws -> SummaryColumns {
        let cached: SummaryColumns? = state.withLock { state in
            state.uses += 1
            state.entries[segment.path]?.lastUse = state.uses
            return state.entries[segment.path]?.columns
        }
        if let cached { return cached }
        let columns = SummaryColumns(
            try segment.reader.summaries(), dropped: try segment.reader.droppedTallies())
        state.withLock { state in
            if let old = state.entries.updateValue(Entry(columns: columns, lastUse: state.uses), forKey: segment.path) {
                state.bytes -= old.columns.bytes
            }
            state.bytes += columns.bytes
            while state.bytes > byteLimit, state.entries.count > 1 {
                guard let oldest = state.entries.min(by: { $0.value.lastUse < $1.value.lastUse }) else { break }
                state.entries[oldest.key] = nil
                state.bytes -= oldest.value.columns.bytes
            }
        }
        return columns
    }

    /// Forgets what is not among `paths`.
    func keepOnly(_ paths: Set<String>) {
        state.withLock { state in
            for (path, entry) in state.entries where !paths.contains(path) {
                state.entries[path] = nil
                state.bytes -= entry.columns.bytes
            }
        }
    }
}

/// Summaries behind one reference, so that handing them out does not touch two dozen arrays' counts.
final class SummaryColumns: Sendable {
    let rows: SegmentSummaries
    /// Counts of the traces that were dropped beside them.
    let dropped: [DroppedTally]
    let bytes: Int

    init(_ rows: SegmentSummaries, dropped: [DroppedTally] = []) {
        self.rows = rows
        self.dropped = dropped
        bytes = rows.estimatedBytes + dropped.reduce(0) { $0 + 160 + 16 * $1.durations.ranges.count }
    }

    /// The number of each of these strings, in one pass; nil where the segment does not have it.
    func positions(of wanted: [String]) -> [UInt32?] {
        var found = [UInt32?](repeating: nil, count: wanted.count)
        var missing = wanted.count
        for (position, string) in rows.strings.enumerated() {
            for index in wanted.indices where found[index] == nil && wanted[index] == string {
                found[index] = UInt32(truncatingIfNeeded: position)
                missing -= 1
            }
            if missing == 0 { break }
        }
        return found
    }
}
