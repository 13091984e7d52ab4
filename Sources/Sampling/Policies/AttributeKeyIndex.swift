/// Finds attribute keys among a few wanted ones, in place: most others differ in their length or in their first eight bytes.
struct AttributeKeyIndex {
    /// The wanted keys: what `find` answers is a position here.
    let keys: [[UInt8]]
    private let texts: TextList
    /// Keys of length `n` are `starts[n]..<starts[n + 1]`; longer ones are under 64.
    private let starts: [Int]
    /// Bit `n`: some key has length `n` (63: 63 bytes or more).
    let lengths: UInt64

    init(_ keys: some Sequence<[UInt8]>) {
        let sorted = keys.sorted {
            $0.count == $1.count ? $0.lexicographicallyPrecedes($1) : $0.count < $1.count
        }
        self.keys = sorted
        var texts = TextList()
        for key in sorted { texts.append(key) }
        self.texts = texts
        lengths = sorted.reduce(0) { $0 | 1 << UInt64(min($1.count, 63)) }
        var starts = [Int](repeating: 0, count: 66)
        for length in 0...64 {
            starts[length + 1] = sorted.firstIndex { $0.count > length } ?? sorted.count
        }
        starts[65] = sorted.count
        self.starts = starts
    }

    var isEmpty: Bool { keys.isEmpty }

    @inline(__always)
    func find(_ key: UnsafeRawBufferPointer) -> Int? {
        let slot = min(key.count, 64)
        let range = starts[slot]..<starts[slot &+ 1]
        if range.isEmpty { return nil }
        let ends = ByteEnds(key)
        for index in range where texts.isEqual(index, key, ends) { return index }
        return nil
    }
}
