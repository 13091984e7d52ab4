/// Open traces by the tick in which their window may close: a ring of buckets, one per tick.
///
/// Scheduling is an append. A trace whose deadline moved later stays where it is and is put forward when its bucket comes
/// up; one whose deadline moved earlier is entered again, and the stale entry is recognised by its generation or tick.
struct DeadlineWheel {
    struct Entry {
        var index: UInt32
        var generation: UInt32
    }

    private var buckets: [[Entry]]
    private let mask: Int64

    /// - Parameter span: ticks that the farthest deadline lies ahead.
    init(span: Int64) {
        var size: Int64 = 8
        while size < span + 4 { size *= 2 }
        buckets = Array(repeating: [], count: Int(size))
        mask = size - 1
    }

    mutating func schedule(_ entry: Entry, tick: Int64) {
        buckets[Int(tick & mask)].append(entry)
    }

    /// Empties a tick's bucket into `entries`.
    mutating func take(_ tick: Int64, into entries: inout [Entry]) {
        swap(&buckets[Int(tick & mask)], &entries)
        buckets[Int(tick & mask)].removeAll(keepingCapacity: true)
    }
}
