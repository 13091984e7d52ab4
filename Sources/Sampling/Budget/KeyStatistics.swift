import Glibc

/// What a budget remembers of its keys: a moving average of what each costs per tick, and its durations' percentiles.
///
/// Bounded: keys that do not fit share hash buckets, keys that were quiet for long make room for new ones.
struct KeyStatistics {
    struct Entry: Equatable {
        /// Moving average of the cost per tick, as of `tick`.
        var cost: Float = 0
        /// Index of the key's histogram, -1 for none.
        var sketch: Int32 = -1
        var tick: Int64 = .min
    }

    typealias Slot = BoundedTable<Entry>.Slot

    /// Quiet keys are forgotten after this many milliseconds, when there are many.
    static let quietTime: Int64 = 120_000
    /// Time constant of the moving average, milliseconds.
    static let averageTime = 10_000.0

    private(set) var table: BoundedTable<Entry>
    private(set) var sketches: DurationSketches
    private let tickLength: Int64
    /// Share of the average that is left after a tick.
    private var decay: Double
    private var nextSweep = Int64.min

    init(maximumKeys: Int, maximumSketches: Int, tickLength: Int64) {
        table = BoundedTable(maximumCount: maximumKeys, empty: Entry())
        sketches = DurationSketches(maximumCount: maximumSketches)
        self.tickLength = tickLength
        decay = exp(-Double(tickLength) / Self.averageTime)
    }

    /// Makes room for new keys where that is needed; before the slots of a tick are asked for.
    mutating func beginTick(_ tick: Int64) {
        guard table.count >= table.maximumCount / 8 * 7, tick >= nextSweep else { return }
        let quiet = tick - Self.quietTime / tickLength
        nextSweep = tick + Self.quietTime / tickLength / 8 + 1
        for entry in table.entries(where: { $0.tick < quiet && $0.sketch >= 0 }) { sketches.remove(entry.value.sketch) }
        table.removeAll { $1.tick < quiet }
    }

    /// Averages are over `averageTime`, and over so many ticks at least: a tick that holds few traces says little of a key.
    mutating func average(overTicks ticks: Double) {
        decay = exp(-1 / max(ticks, Self.averageTime / Double(tickLength)))
    }

    /// Counts a trace of a key. The slot is good until the next call for a new key.
    mutating func add(_ key: UInt64, cost: Double, tick: Int64) -> Slot {
        let slot = table.slot(of: key)
        bring(slot, to: tick)
        table[slot].cost += Float((1 - decay) * cost)
        return slot
    }

    private mutating func bring(_ slot: Slot, to tick: Int64) {
        let last = table[slot].tick
        if last == tick { return }
        if last != .min, tick > last { table[slot].cost *= Float(pow(decay, Double(tick - last))) }
        table[slot].tick = tick
    }

    /// Moving average of the key's cost per tick; of a key that was never seen a very small one.
    mutating func cost(of key: UInt64) -> Double { max(1e-6, Double(table[table.slot(of: key)].cost)) }

    /// Whether the duration lies above the percentile of the key's durations before it; counts it.
    mutating func isSlow(_ key: UInt64, duration: UInt64, percentile: Double) -> Bool {
        let slot = table.slot(of: key)
        if table[slot].sketch < 0, let added = sketches.add() { table[slot].sketch = added }
        let sketch = table[slot].sketch
        guard sketch >= 0 else { return false }
        let isSlow = sketches.isAbove(percentile, duration, in: sketch)
        sketches.record(duration, in: sketch)
        return isSlow
    }

    var byteCount: Int { table.byteCount + sketches.byteCount }

    // MARK: - State

    /// Entries that matter first, at most `maximumCount`; histograms only of the first `maximumSketches`.
    func encode(to writer: inout StateWriter, maximumCount: Int, maximumSketches: Int, tick: Int64) {
        let current = table.entries().map { key, value -> (key: UInt64, value: Entry, cost: Double) in
            (key, value, Double(value.cost) * pow(decay, Double(max(0, tick - max(value.tick, tick - 1_000_000)))))
        }
        let sorted = current.sorted { $0.cost == $1.cost ? $0.key < $1.key : $0.cost > $1.cost }.prefix(maximumCount)
        writer.varint(UInt64(sorted.count))
        for (index, entry) in sorted.enumerated() {
            writer.fixed(entry.key)
            writer.fixed(entry.value.cost.bitPattern)
            writer.signed(entry.value.tick)
            let hasSketch = entry.value.sketch >= 0 && index < maximumSketches
            writer.byte(hasSketch ? 1 : 0)
            if hasSketch { sketches.encode(entry.value.sketch, to: &writer) }
        }
    }

    mutating func decode(from reader: inout StateReader) throws(StateError) {
        for _ in 0..<(try reader.count(ofSize: 14)) {
            let key = try reader.fixed(UInt64.self)
            let cost = Float(bitPattern: try reader.fixed(UInt32.self))
            let tick = try reader.signed()
            guard cost.isFinite, cost >= 0 else { throw StateError.malformed }
            let slot = table.slot(of: key)
            if !slot.isShared {
                table[slot].cost = cost
                table[slot].tick = tick
            }
            guard try reader.byte() != 0 else { continue }
            if !slot.isShared, table[slot].sketch < 0, let sketch = sketches.add() {
                table[slot].sketch = sketch
                try sketches.decode(into: sketch, from: &reader)
            } else {
                var unused = DurationSketches(maximumCount: 1)
                if let sketch = unused.add() { try unused.decode(into: sketch, from: &reader) }
            }
        }
    }
}
