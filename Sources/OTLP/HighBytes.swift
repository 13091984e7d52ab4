/// Counts bytes above 0x7f: those that make a string more than ASCII.
///
/// When a message has no more of them than its numbers and lengths account for, every string in it is ASCII, and no
/// string needs a look of its own.
enum HighBytes {
    private static let ones: UInt64 = 0x0101_0101_0101_0101

    /// Per byte of the word, 1 where it is above 0x7f. Up to 255 of these can be added before `sum`.
    @inline(__always)
    static func flags(_ word: UInt64) -> UInt64 { (word &>> 7) & ones }

    /// The sum of the bytes of a word; it must be below 256.
    @inline(__always)
    static func sum(_ bytes: UInt64) -> Int { Int((bytes &* ones) &>> 56) }

    @inline(__always)
    static func count(_ word: UInt64) -> Int { sum(flags(word)) }

    /// The bytes above 0x7f among `length` bytes from `start`.
    @inline(__always)
    static func count(_ start: UnsafeRawPointer, _ length: Int) -> Int {
        var total = 0
        var index = 0
        while length &- index >= 32 {
            // A byte of `sums` counts to 255, hence blocks of 255 steps.
            let blockEnd = min(length, index &+ 255 * 32)
            var sums = SIMD4<UInt64>()
            while blockEnd &- index >= 32 {
                let words = start.loadUnaligned(fromByteOffset: index, as: SIMD4<UInt64>.self)
                sums &+= (words &>> 7) & SIMD4(repeating: ones)
                index &+= 32
            }
            total &+= wideSum(sums)
        }
        var sums: UInt64 = 0
        while length &- index >= 8 {
            sums &+= flags(start.loadUnaligned(fromByteOffset: index, as: UInt64.self))
            index &+= 8
        }
        total &+= sum(sums)
        while index < length {
            total &+= Int(start.load(fromByteOffset: index, as: UInt8.self) &>> 7)
            index &+= 1
        }
        return total
    }

    /// The sum of all bytes, in 16 bits: 32 bytes of up to 255 each.
    @inline(__always)
    private static func wideSum(_ sums: SIMD4<UInt64>) -> Int {
        let evenBytes = SIMD4<UInt64>(repeating: 0x00ff_00ff_00ff_00ff)
        let pairs = (sums & evenBytes) &+ ((sums &>> 8) & evenBytes)
        let quarters = pairs[0] &+ pairs[1] &+ pairs[2] &+ pairs[3]
        return Int((quarters &* 0x0001_0001_0001_0001) &>> 48)
    }
}
