import OTLP

/// Finds attribute keys among a few wanted ones, in place: most others differ in their length or in their first eight bytes.
struct AttributeKeyIndex {
    /// The wanted keys: what `find` answers is a position here.
    let keys: [[UInt8]]
    /// The first eight bytes of each key, filled up with zeros.
    private let prefixes: [UInt64]
    /// Keys of length `n` are `keys[starts[n]..<starts[n + 1]]`; longer ones are under 64.
    private let starts: [Int]
    /// Bit `n`: some key has length `n` (63: 63 bytes or more).
    let lengths: UInt64

    init(_ keys: some Sequence<[UInt8]>) {
        let sorted = keys.sorted {
            $0.count == $1.count ? $0.lexicographicallyPrecedes($1) : $0.count < $1.count
        }
        self.keys = sorted
        prefixes = sorted.map { key in key.withUnsafeBytes { Self.prefix($0) } }
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
        let length = key.count
        guard lengths &>> UInt64(min(length, 63)) & 1 != 0 else { return nil }
        let prefix = Self.prefix(key)
        let slot = min(length, 64)
        for index in starts[slot]..<starts[slot &+ 1] where prefixes[index] == prefix {
            if length <= 8 { return index }
            let isEqual = keys[index].withUnsafeBytes { StringTest.areEqual($0, key) }
            if isEqual { return index }
        }
        return nil
    }

    /// The first eight bytes as a number, zeros where there are fewer.
    @inline(__always)
    private static func prefix(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        guard let start = bytes.baseAddress else { return 0 }
        if bytes.count >= 8 { return start.loadUnaligned(as: UInt64.self) }
        var value: UInt64 = 0
        for index in 0..<bytes.count {
            value |= UInt64(start.load(fromByteOffset: index, as: UInt8.self)) &<< UInt64(8 &* index)
        }
        return value
    }
}
