/// Open traces in the order in which they came: what is decided first when memory runs out.
///
/// Traces that were decided meanwhile are skipped, and dropped from the front as time goes on.
struct ArrivalQueue {
    private var entries: [(index: UInt32, generation: UInt32)] = []
    private var head = 0

    mutating func append(_ index: UInt32, generation: UInt32) {
        entries.append((index, generation))
    }

    /// Forgets all; for when no trace is open.
    mutating func removeAll() {
        entries = []
        head = 0
    }

    /// Takes the oldest trace that is still open.
    mutating func popOldest(in table: borrowing TraceTable) -> UInt32? {
        skipDecided(in: table)
        guard head < entries.count else { return nil }
        head += 1
        return entries[head - 1].index
    }

    /// Drops decided traces from the front, so that the queue is no longer than the window.
    mutating func skipDecided(in table: borrowing TraceTable) {
        while head < entries.count, !table.isCurrent(entries[head].index, generation: entries[head].generation) {
            head += 1
        }
        // Moving the rest to the front is paid for by the entries that were skipped.
        if head > 4096, head * 4 > entries.count {
            entries.removeFirst(head)
            head = 0
        }
    }
}
