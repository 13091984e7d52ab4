/// A hash table of values by 64-bit hashes with a fixed largest size: what does not fit shares one of a few hash buckets, so that
/// nothing is ever left uncounted.
///
/// Open addressing. A slot is good until the next `insert` of a new key or `removeAll(where:)`.
struct BoundedTable<Value> {
    struct Slot: Equatable {
        fileprivate var index: Int
        /// Whether the slot is a shared bucket.
        var isShared: Bool
    }

    let maximumCount: Int
    private let emptyValue: Value
    private(set) var count = 0
    /// 0 for a free place. Place *i* of `values` belongs to it.
    private var keys: [UInt64]
    private var values: [Value]
    private var shared: [Value]

    static var sharedBuckets: Int { 4096 }

    init(maximumCount: Int, empty: Value) {
        self.maximumCount = max(1, maximumCount)
        emptyValue = empty
        keys = Array(repeating: 0, count: 64)
        values = Array(repeating: empty, count: 64)
        shared = []
    }

    subscript(slot: Slot) -> Value {
        @inline(__always) get { slot.isShared ? shared[slot.index] : values[slot.index] }
        @inline(__always) _modify {
            if slot.isShared { yield &shared[slot.index] } else { yield &values[slot.index] }
        }
    }

    /// The slot of a key, a new one with the empty value where it was not there.
    mutating func slot(of key: UInt64) -> Slot {
        let key = key == 0 ? 1 : key
        var place = Int(truncatingIfNeeded: Self.mixed(key)) & (keys.count - 1)
        while keys[place] != 0 {
            if keys[place] == key { return Slot(index: place, isShared: false) }
            place = (place + 1) & (keys.count - 1)
        }
        guard count < maximumCount else {
            if shared.isEmpty { shared = Array(repeating: emptyValue, count: Self.sharedBuckets) }
            return Slot(
                index: Int(truncatingIfNeeded: Self.mixed(key) >> 32) & (Self.sharedBuckets - 1), isShared: true)
        }
        if (count + 1) * 2 > keys.count {
            rebuild(size: keys.count * 2) { _, _ in true }
            return slot(of: key)
        }
        keys[place] = key
        values[place] = emptyValue
        count += 1
        return Slot(index: place, isShared: false)
    }

    var isFull: Bool { count >= maximumCount }

    /// Forgets the entries that meet the condition. All slots change.
    mutating func removeAll(where condition: (UInt64, Value) -> Bool) {
        var left = 0
        for place in keys.indices where keys[place] != 0 && !condition(keys[place], values[place]) { left += 1 }
        guard left < count else { return }
        var size = 64
        while size < left * 2 + 2 { size *= 2 }
        rebuild(size: size) { !condition($0, $1) }
    }

    private mutating func rebuild(size: Int, keeping: (UInt64, Value) -> Bool) {
        let oldKeys = keys
        let oldValues = values
        keys = Array(repeating: 0, count: size)
        values = Array(repeating: emptyValue, count: size)
        count = 0
        for old in oldKeys.indices where oldKeys[old] != 0 && keeping(oldKeys[old], oldValues[old]) {
            var place = Int(truncatingIfNeeded: Self.mixed(oldKeys[old])) & (size - 1)
            while keys[place] != 0 { place = (place + 1) & (size - 1) }
            keys[place] = oldKeys[old]
            values[place] = oldValues[old]
            count += 1
        }
    }

    /// Entries in no particular order, without the shared buckets.
    func entries(where condition: (Value) -> Bool = { _ in true }) -> [(key: UInt64, value: Value)] {
        keys.indices.compactMap { keys[$0] != 0 && condition(values[$0]) ? (keys[$0], values[$0]) : nil }
    }

    var byteCount: Int {
        keys.capacity * 8 + (values.capacity + shared.capacity) * MemoryLayout<Value>.stride
    }

    /// Keys are hashes of outside data, perhaps with few bits that vary.
    @inline(__always)
    private static func mixed(_ key: UInt64) -> UInt64 {
        var hash = key
        hash = (hash ^ hash >> 32) &* 0xd6e8_feb8_6659_fd93
        hash = (hash ^ hash >> 32) &* 0xd6e8_feb8_6659_fd93
        return hash ^ hash >> 32
    }
}
