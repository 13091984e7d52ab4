import Glibc

/// The first and the last eight bytes of a text. With its length they are the whole of a text of up to 16 bytes, and tell most
/// longer ones apart: texts are compared by two numbers.
struct ByteEnds: Equatable {
    let first: UInt64
    let last: UInt64

    @inline(__always)
    init(_ text: UnsafeRawBufferPointer) {
        guard let start = text.baseAddress, text.count > 0 else {
            (first, last) = (0, 0)
            return
        }
        let count = text.count
        if count >= 8 {
            first = start.loadUnaligned(as: UInt64.self)
            last = start.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
        } else if count >= 4 {
            first = UInt64(start.loadUnaligned(as: UInt32.self))
            last = UInt64(start.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self))
        } else {
            first = UInt64(text[0]) | UInt64(text[count &>> 1]) &<< 8
            last = UInt64(text[count &- 1])
        }
    }

    @inline(__always)
    func hash(count: Int) -> UInt64 {
        // Odd constants with bits all over (of the golden ratio, of pi); the high bits are the mixed ones.
        let mixed = (first ^ UInt64(truncatingIfNeeded: count)) &* 0x9e37_79b9_7f4a_7c15 ^ last
        return (mixed ^ mixed &>> 29) &* 0xc4ce_b9fe_1a85_ec53
    }
}

/// Texts in one block of memory, to compare others with.
struct TextList {
    private struct Entry {
        let ends: ByteEnds
        let offset: Int
        let count: Int
    }

    private var entries: [Entry] = []
    private var bytes: [UInt8] = []

    var count: Int { entries.count }

    mutating func append(_ text: [UInt8]) {
        entries.append(
            Entry(ends: text.withUnsafeBytes { ByteEnds($0) }, offset: bytes.count, count: text.count))
        bytes += text
    }

    /// - Parameter ends: of `text`.
    @inline(__always)
    func isEqual(_ index: Int, _ text: UnsafeRawBufferPointer, _ ends: ByteEnds) -> Bool {
        let entry = entries[index]
        guard entry.count == text.count, entry.ends == ends else { return false }
        return entry.count <= 16 || hasSameBytes(entry, text)
    }

    private func hasSameBytes(_ entry: Entry, _ text: UnsafeRawBufferPointer) -> Bool {
        bytes.withUnsafeBytes { bytes in
            StringTest.areEqual(
                UnsafeRawBufferPointer(rebasing: bytes[entry.offset..<entry.offset + entry.count]), text)
        }
    }
}
