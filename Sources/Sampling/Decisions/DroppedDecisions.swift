/// Which traces were dropped: fingerprints in a few tables of fixed size.
///
/// A table is never rehashed, so growing costs no pause and no second copy: when the tables are full another one comes
/// beside them, large enough for what the present rate of decisions needs over the horizon. A small table takes no more
/// entries once there are large ones, and goes when its last entry has died. Mostly there are one to three.
struct DroppedDecisions: ~Copyable {
    private static let mostTables = 12
    private static let firstCapacity = 14_336

    private let tables: UnsafeMutablePointer<FingerprintTable>
    private var tableCount = 0
    /// The table that took the last entry.
    private var last = 0
    /// When the first entry came, and the latest: stream time, milliseconds.
    private var firstTime = Int64.max
    private var lastTime = Int64.min
    /// Entries that were there before the first of `lastTime` came: decisions come a tick at a time.
    private var countBeforeLast = 0
    private let horizon: Int64

    init(horizon: Int64) {
        self.horizon = max(1, horizon)
        tables = .allocate(capacity: Self.mostTables)
    }

    deinit {
        for index in 0..<tableCount { tables[index].release() }
        tables.deallocate()
    }

    var byteCount: Int { sum { $0.byteCount } }

    /// Entries of living periods.
    var count: Int { sum { $0.count } }

    /// Chance that an unknown trace is taken for a dropped one.
    var falsePositiveRate: Double {
        var rate = 0.0
        for index in 0..<tableCount { rate += tables[index].falsePositiveRate }
        return rate
    }

    @inline(__always)
    func contains(_ hash: UInt64) -> Bool {
        // Without a branch on what is found: the tables' memory is waited for together, and the next look-up goes on meanwhile.
        var found: UInt64 = 0
        for index in 0..<tableCount { found |= tables[index].matches(hash) }
        return found != 0
    }

    mutating func insert(_ hash: UInt64, tag: UInt8, time: Int64, _ periods: DecisionPeriods) {
        firstTime = min(firstTime, time)
        if time > lastTime {
            lastTime = time
            countBeforeLast = count
        }
        if last < tableCount, tables[last].isOpen, tables[last].hasRoom,
            tables[last].insert(hash, tag: tag, periods)
        {
            return
        }
        for index in (0..<tableCount).reversed() where tables[index].isOpen && tables[index].hasRoom {
            if tables[index].insert(hash, tag: tag, periods) {
                last = index
                return
            }
        }
        grow()
        if tableCount > 0, tables[tableCount - 1].insert(hash, tag: tag, periods) {
            last = tableCount - 1
        }
    }

    private mutating func grow() {
        removeEmpty()
        let open = sum { $0.isOpen ? $0.capacity : 0 }
        let needed = neededCapacity
        // The rate of a short time says little.
        let isMeasured = measuredTime > horizon / 160
        var capacity = min(max(needed - open, open / (isMeasured ? 16 : 1)), max(open, Self.firstCapacity) * 16)
        // One table is looked up faster than two: the small ones of the start take no more, and go within the horizon.
        if isMeasured, needed > open * 4, needed <= open * 256 {
            capacity = needed
            closeAll()
        }
        if tableCount == Self.mostTables {
            // After much growth in small steps, from here on one table takes all.
            capacity = max(needed, open)
            remove((0..<tableCount).min { tables[$0].count < tables[$1].count } ?? 0)
            closeAll()
        }
        // Out of address space: the same end as a failed allocation.
        guard let table = FingerprintTable(capacity: max(Self.firstCapacity, capacity)) else {
            fatalError("out of memory for remembered decisions")
        }
        for index in 0..<tableCount where tables[index].capacity < (open + capacity) / 16 {
            tables[index].isOpen = false
        }
        (tables + tableCount).initialize(to: table)
        tableCount += 1
    }

    private func closeAll() {
        for index in 0..<tableCount { tables[index].isOpen = false }
    }

    /// How long the present rate has been measured, milliseconds.
    private var measuredTime: Int64 { firstTime < lastTime ? lastTime - firstTime : 0 }

    /// Slots that the horizon needs when decisions go on coming at the rate they came.
    private var neededCapacity: Int {
        // Whole periods live: one more than cover the horizon.
        let lifetime = Double(horizon) * Double(DecisionPeriods.covering + 1) / Double(DecisionPeriods.covering)
        let measured = min(lifetime, Double(max(1, measuredTime)))
        let entries = Double(max(countBeforeLast, count / 2)) * lifetime / measured
        // A little more than the tables' limit, so that an even stream stays within one table.
        return Int(min(entries / 0.955, 1e12))
    }

    // MARK: - Forgetting

    /// Empties slots of dead periods; `share` of each table is done by now.
    mutating func sweep(share: Double, living: UInt16) {
        for index in 0..<tableCount {
            tables[index].sweep(to: Int(Double(tables[index].lineCount) * share), living: living)
        }
    }

    /// A period has begun: the next sweep starts, tables without entries go.
    mutating func periodBegan(_ periods: DecisionPeriods) {
        for index in 0..<tableCount {
            tables[index].recount(periods)
            tables[index].restartSweep()
        }
        removeEmpty()
        let open = sum { $0.isOpen ? $0.capacity : 0 }
        // The load has fallen for good: the next entry opens a table of the right size, and these go with their entries.
        if open > 65_536, measuredTime > horizon, neededCapacity < open / 4 {
            closeAll()
        }
    }

    mutating func removeAll() {
        for index in 0..<tableCount { tables[index].release() }
        tableCount = 0
        last = 0
        firstTime = .max
        lastTime = .min
    }

    private mutating func removeEmpty() {
        for index in (0..<tableCount).reversed() where tables[index].count == 0 { remove(index) }
        if tableCount == 0 {
            firstTime = .max
            lastTime = .min
        }
    }

    private mutating func remove(_ index: Int) {
        tables[index].release()
        for next in (index + 1)..<max(index + 1, tableCount) { tables[next - 1] = tables[next] }
        tableCount -= 1
        last = max(0, tableCount - 1)
    }

    private func sum(_ value: (FingerprintTable) -> Int) -> Int {
        var total = 0
        for index in 0..<tableCount { total += value(tables[index]) }
        return total
    }
}
