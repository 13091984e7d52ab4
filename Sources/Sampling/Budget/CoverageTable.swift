/// Which pairs of key and shape were kept in the present coverage window, and how often each came in the last one.
struct CoverageTable {
    struct Entry: Equatable {
        /// Number of the window that the rest is about.
        var window: Int64 = .min
        var current: UInt32 = 0
        var previous: UInt32 = 0
        var isCovered = false
    }

    private(set) var table: BoundedTable<Entry>
    private var lastSweep = Int64.min

    init(maximumPairs: Int) {
        table = BoundedTable(maximumCount: maximumPairs, empty: Entry())
    }

    static func pair(key: UInt64, shape: UInt64) -> UInt64 {
        (key &* 0x9e37_79b9_7f4a_7c15) ^ (shape &* 0xc2b2_ae3d_27d4_eb4f).byteSwapped
    }

    /// Makes room where a new window begins.
    mutating func begin(window: Int64) {
        guard window > lastSweep else { return }
        lastSweep = window
        if table.count >= table.maximumCount / 2 { table.removeAll { $1.window < window - 1 } }
    }

    /// Counts a trace of the pair. Returns whether the pair is covered.
    mutating func add(_ pair: UInt64, window: Int64) -> Bool {
        let slot = table.slot(of: pair)
        bring(slot, to: window)
        table[slot].current &+= 1
        return table[slot].isCovered
    }

    /// How many more traces of the pair may be counted on in the window, of which `shareLeft` is left: from how many came in the
    /// last one, or from those that came so far, less two standard deviations.
    mutating func expected(_ pair: UInt64, shareLeft: Double) -> Double {
        let entry = table[table.slot(of: pair)]
        let current = Double(entry.current)
        let soFar = max(0, current - 2 * current.squareRoot()) * shareLeft / max(1e-9, 1 - shareLeft)
        return max(Double(entry.previous) * shareLeft, soFar)
    }

    mutating func cover(_ pair: UInt64, window: Int64) {
        let slot = table.slot(of: pair)
        bring(slot, to: window)
        table[slot].isCovered = true
    }

    private mutating func bring(_ slot: BoundedTable<Entry>.Slot, to window: Int64) {
        let entry = table[slot]
        guard entry.window < window else { return }
        table[slot] = Entry(window: window, current: 0, previous: entry.window == window - 1 ? entry.current : 0)
    }

    var byteCount: Int { table.byteCount }

    // MARK: - State

    func encode(to writer: inout StateWriter, maximumCount: Int, window: Int64) {
        let entries = table.entries { $0.window >= window - 1 }
            .sorted { $0.value.window == $1.value.window ? $0.key < $1.key : $0.value.window > $1.value.window }
            .prefix(maximumCount)
        writer.varint(UInt64(entries.count))
        for entry in entries {
            writer.fixed(entry.key)
            writer.signed(entry.value.window)
            writer.varint(UInt64(entry.value.current))
            writer.varint(UInt64(entry.value.previous))
            writer.byte(entry.value.isCovered ? 1 : 0)
        }
    }

    mutating func decode(from reader: inout StateReader) throws(StateError) {
        for _ in 0..<(try reader.count(ofSize: 12)) {
            let key = try reader.fixed(UInt64.self)
            let window = try reader.signed()
            let current = UInt32(truncatingIfNeeded: try reader.varint())
            let previous = UInt32(truncatingIfNeeded: try reader.varint())
            let isCovered = try reader.byte() != 0
            let slot = table.slot(of: key)
            guard !slot.isShared else { continue }
            table[slot] = Entry(window: window, current: current, previous: previous, isCovered: isCovered)
        }
    }
}

/// Shapes of which a trace was ever kept: the last ones, between `maximumCount / 2` and `maximumCount` of them.
struct ShapeMemory {
    private let generationSize: Int
    private var recent: Set<UInt64> = []
    private var older: Set<UInt64> = []
    /// Shapes that were new when a trace of them was kept.
    private(set) var newShapes: UInt64 = 0

    init(maximumCount: Int) { generationSize = max(1, maximumCount / 2) }

    /// Whether no trace of the shape was kept yet.
    func isNew(_ shape: UInt64) -> Bool { !recent.contains(shape) && !older.contains(shape) }

    /// A trace of the shape was kept.
    mutating func remember(_ shape: UInt64) {
        if recent.contains(shape) { return }
        if !older.contains(shape) { newShapes &+= 1 }
        if recent.count >= generationSize {
            swap(&recent, &older)
            recent.removeAll(keepingCapacity: true)
        }
        recent.insert(shape)
    }

    var byteCount: Int { (recent.capacity + older.capacity) * 9 }

    func encode(to writer: inout StateWriter, maximumCount: Int) {
        let all = (recent.sorted() + older.subtracting(recent).sorted()).prefix(maximumCount)
        writer.varint(UInt64(all.count))
        for shape in all { writer.fixed(shape) }
    }

    mutating func decode(from reader: inout StateReader) throws(StateError) {
        for _ in 0..<(try reader.count(ofSize: 8)) { remember(try reader.fixed(UInt64.self)) }
        newShapes = 0
    }
}
