import CXXHash
import TraceModel

/// Says which trace ids a group of decisions cannot hold, from 32 bytes of the file.
///
/// A split-block Bloom filter (Putze, Sanders, Singler, "Cache-, Hash- and Space-Efficient Bloom Filters", 2007, in the form
/// of Parquet's specification): an id sets eight bits in one line of 256. With 16 bits per id about one id in a thousand
/// that is not there passes.
enum DecisionFilter {
    static let lineSize = 32
    private static let bitsPerID = 16
    private static let salts: [UInt32] = [
        0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947, 0x5c6b_fb31,
    ]

    static func hash(_ id: TraceID) -> UInt64 {
        withUnsafeBytes(of: (id.high.bigEndian, id.low.bigEndian)) { XXH3_64bits($0.baseAddress, $0.count) }
    }

    /// The filter of `hashes.count` ids.
    static func make(_ hashes: [UInt64]) -> [UInt8] {
        let lines = max(1, (hashes.count * bitsPerID + lineSize * 8 - 1) / (lineSize * 8))
        var bytes = [UInt8](repeating: 0, count: lines * lineSize)
        for hash in hashes {
            let start = line(of: hash, count: lines) * lineSize
            for (word, salt) in salts.enumerated() {
                let bit = (UInt32(truncatingIfNeeded: hash) &* salt) >> 27
                bytes[start + word * 4 + Int(bit >> 3)] |= 1 << UInt8(bit & 7)
            }
        }
        return bytes
    }

    /// Which line of a filter of `count` lines an id belongs to.
    static func line(of hash: UInt64, count: Int) -> Int {
        Int(truncatingIfNeeded: ((hash >> 32) &* UInt64(count)) >> 32)
    }

    /// Whether the id may be there.
    static func mayContain(_ hash: UInt64, line: [UInt8]) -> Bool {
        guard line.count == lineSize else { return true }
        for (word, salt) in salts.enumerated() {
            let bit = (UInt32(truncatingIfNeeded: hash) &* salt) >> 27
            if line[word * 4 + Int(bit >> 3)] & 1 << UInt8(bit & 7) == 0 { return false }
        }
        return true
    }
}
