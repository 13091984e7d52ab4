/// When each of many keys was last seen, within a limit on their number: the oldest give way to nobody but time.
///
/// A full table refuses new keys instead of forgetting old ones: forgetting would make what is frequent look rare again.
struct RecencyTable {
    let maximumCount: Int
    /// Milliseconds for which a key is remembered.
    let interval: Int64
    private var times: [UInt64: Int64] = [:]
    private var lastSweep: Int64 = .min

    init(maximumCount: Int, interval: Int64) {
        self.maximumCount = maximumCount
        self.interval = interval
    }

    var count: Int { times.count }

    /// Whether the key was noted within the interval before `time`.
    func contains(_ key: UInt64, at time: Int64) -> Bool {
        guard let seen = times[key] else { return false }
        return time &- seen < interval
    }

    /// Notes a key. Returns false where the table is full of keys that are not over yet.
    @discardableResult
    mutating func note(_ key: UInt64, at time: Int64) -> Bool {
        if times[key] == nil, times.count >= maximumCount, !makeRoom(at: time) { return false }
        times[key] = max(time, times[key] ?? .min)
        return true
    }

    /// Whether a key that is not in the table could be noted.
    mutating func hasRoom(at time: Int64) -> Bool { times.count < maximumCount || makeRoom(at: time) }

    /// Forgets what is over. At most every 64th of an interval, so that a full table does not search itself for every key.
    private mutating func makeRoom(at time: Int64) -> Bool {
        guard lastSweep == .min || time &- lastSweep >= max(1, interval / 64) else { return false }
        lastSweep = time
        times = times.filter { time &- $0.value < interval }
        return times.count < maximumCount
    }

    func encode(into encoder: inout StateEncoder) {
        encoder.signed(lastSweep)
        encoder.number(UInt64(times.count))
        // In order, so that equal tables have equal bytes; times as distances from the first.
        let sorted = times.sorted { $0.key < $1.key }
        let base = sorted.first?.value ?? 0
        encoder.signed(base)
        for (key, time) in sorted {
            encoder.word(key)
            encoder.signed(time &- base)
        }
    }

    mutating func restore(from decoder: inout StateDecoder) {
        guard let sweep = decoder.signed(), let count = decoder.count(ofSize: 9), let base = decoder.signed() else {
            return
        }
        var restored: [UInt64: Int64] = [:]
        restored.reserveCapacity(min(count, maximumCount))
        for _ in 0..<count {
            guard let key = decoder.word(), let distance = decoder.signed() else { return }
            if restored.count < maximumCount { restored[key] = base &+ distance }
        }
        times = restored
        lastSweep = sweep
    }
}
