/// The constants of the file format that docs/segment-format.md describes. All integers are little-endian, except trace
/// ids, which are in wire order (so that bytes compare as ids do).
enum SegmentFormat {
    /// The first 8 bytes of every segment.
    static let magic: [UInt8] = Array("TAILSEG\n".utf8)
    /// The last 8 bytes of every segment: a file without them was cut short.
    static let endMagic: [UInt8] = Array("\nGESLIAT".utf8)
    /// What a segment's version says: the lowest one has neither. Written as low as is enough, so that older readers go on.
    struct Contents: Equatable {
        /// Counts of dropped traces: one more section, before the footer. Versions 2 and 4.
        var dropped = false
        /// Outlines: one more column of the summaries. Versions 3 and 4.
        var outlines = false

        static let lowestVersion: UInt32 = 1
        static let highestVersion: UInt32 = 4

        var version: UInt32 { Self.lowestVersion + (dropped ? 1 : 0) + (outlines ? 2 : 0) }

        init() {}

        /// Nil for a version that this program does not know.
        init?(version: UInt32) {
            guard (Self.lowestVersion...Self.highestVersion).contains(version) else { return nil }
            let bits = version - Self.lowestVersion
            dropped = bits & 1 != 0
            outlines = bits & 2 != 0
        }
    }
    /// Magic, version, four reserved zero bytes.
    static let headerSize = 16
    /// Length of the footer (4), its checksum (8), end magic (8).
    static let tailSize = 20

    /// Id (16), block (4), offset in the block (4), length (4), partition ordinal (2), flags (2).
    static let tableRowSize = 32
    /// 4 KiB of rows share a checksum: a look-up by id reads one such page and nothing else of the table.
    static let rowsPerPage = 128

    /// Raw bytes after which a block is closed. Larger blocks compress better, smaller ones make one trace cheaper to read.
    static let blockSize = 256 * 1024
    /// No block or section may claim more, so that a damaged length cannot exhaust the memory.
    static let maximumRawSize = 1 << 30
}

/// Facts of a row that are wanted without its summary.
struct SegmentRowFlags: OptionSet {
    let rawValue: UInt16

    static let isLate = SegmentRowFlags(rawValue: 1)
    static let isError = SegmentRowFlags(rawValue: 2)
    static let hasRoot = SegmentRowFlags(rawValue: 4)
}
