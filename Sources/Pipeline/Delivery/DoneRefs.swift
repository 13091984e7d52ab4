/// Refs at or above a watermark whose effect is durable: what a replay skips. Exact; content is not looked at.
///
/// Runs of records in ascending order, since behind the oldest open trace nearly all records are done: a window of a
/// million records is a few thousand runs.
public struct DoneRefs: Sendable, Equatable {
    /// Which spans of one record are done.
    public enum Spans: Sendable, Equatable {
        case all
        /// Bit *i* of the words is span *i*.
        case some([UInt64])
    }

    /// Records with consecutive offsets; more than one only where all their spans are done.
    public struct Run: Sendable, Equatable {
        public var first: Int64
        public var count: Int64
        public var spans: Spans

        /// The offset of its last record.
        var last: Int64 { first + (count - 1) }
    }

    /// Ascending, without overlap.
    public private(set) var runs: [Run] = []

    public init() {}

    public var isEmpty: Bool { runs.isEmpty }

    /// Adds records behind those that are there.
    ///
    /// - Returns: false, and nothing is added, for an offset that is not behind them, or a run that reaches past the
    ///   highest offset there is.
    @discardableResult
    public mutating func add(offset: Int64, count: Int64 = 1, _ spans: Spans) -> Bool {
        guard count > 0, offset <= Int64.max - count else { return false }
        guard let last = runs.last else {
            runs.append(Run(first: offset, count: count, spans: spans))
            return true
        }
        guard offset > last.last else { return false }
        if spans == .all, last.spans == .all, last.last + 1 == offset {
            runs[runs.count - 1].count += count
        } else {
            runs.append(Run(first: offset, count: count, spans: spans))
        }
        return true
    }

    /// Adds what another set knows about offsets from `offset` on. All of it must lie behind what is here.
    public mutating func append(_ other: DoneRefs, from offset: Int64) {
        var index = other.firstRun(reaching: offset)
        while index < other.runs.count {
            let run = other.runs[index]
            let first = max(run.first, offset)
            add(offset: first, count: run.last - first + 1, run.spans)
            index += 1
        }
    }

    /// What is known of offsets before one.
    func before(_ offset: Int64) -> DoneRefs {
        var kept = DoneRefs()
        for run in runs where run.first < offset {
            kept.add(offset: run.first, count: min(run.count, offset - run.first), run.spans)
        }
        return kept
    }

    /// Which spans of a record are done; nil for none.
    public func spans(of offset: Int64) -> Spans? {
        let index = firstRun(reaching: offset)
        return index < runs.count && runs[index].first <= offset ? runs[index].spans : nil
    }

    /// Index of the first run that ends at or behind `offset`.
    private func firstRun(reaching offset: Int64) -> Int {
        var low = 0
        var high = runs.count
        while low < high {
            let middle = (low + high) / 2
            if runs[middle].last < offset { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

extension DoneRefs.Spans {
    public func contains(_ index: UInt32) -> Bool {
        switch self {
        case .all: true
        case .some(let words):
            Int(index / 64) < words.count && words[Int(index / 64)] & (1 << UInt64(index % 64)) != 0
        }
    }
}
