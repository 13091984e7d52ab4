/// What texts met before: results by table and value. A value has one place in a table, which the next value that belongs
/// there takes.
///
/// Values are kept whole, since equal hashes could be made on purpose; long ones are not kept. A table has a fixed size of
/// 16 KiB.
struct ValueMemory {
    /// Words of a line: results and length; the first and the last eight bytes of the value; those from the ninth byte on by eights
    /// up to the last eight.
    private static let lineSize = 8
    private static let linesPerTable = 256
    private static let middleOffset = 3
    /// The lowest bits of the first word hold the value's length plus 1; 0 where there is nothing.
    private static let lengthBits: UInt64 = 6
    private static let lengthMask: UInt64 = 1 << lengthBits - 1
    /// What fits: its first and last eight bytes, and five words between them.
    static let longestValue = 56
    /// Results are the lowest bits of a word, as many as these.
    static let resultBits = 64 - Int(lengthBits)

    private var words: [UInt64]

    init(tables: Int) { words = Array(repeating: 0, count: tables * Self.linesPerTable * Self.lineSize) }

    /// What was remembered of this very value.
    ///
    /// - Parameter ends: of `text`.
    @inline(__always)
    func results(of text: UnsafeRawBufferPointer, _ ends: ByteEnds, table: Int) -> UInt64? {
        let line = Self.line(ends, count: text.count, table: table)
        let head = words[line]
        guard head & Self.lengthMask == UInt64(truncatingIfNeeded: text.count &+ 1), words[line &+ 1] == ends.first,
            words[line &+ 2] == ends.last, text.count <= 16 || hasMiddle(of: text, line)
        else { return nil }
        return head &>> Self.lengthBits
    }

    /// - Parameter text: of the length that the line says.
    private func hasMiddle(of text: UnsafeRawBufferPointer, _ line: Int) -> Bool {
        var place = line &+ Self.middleOffset
        var offset = 8
        while offset < text.count &- 8 {
            if words[place] != Self.word(text, offset) { return false }
            place &+= 1
            offset &+= 8
        }
        return true
    }

    /// Remembers what a value met, where it is not too long.
    ///
    /// - Parameter results: in the lowest `resultBits` bits.
    mutating func remember(_ text: UnsafeRawBufferPointer, _ ends: ByteEnds, table: Int, _ results: UInt64) {
        guard text.count <= Self.longestValue else { return }
        let line = Self.line(ends, count: text.count, table: table)
        words[line] = results << Self.lengthBits | UInt64(text.count + 1)
        words[line + 1] = ends.first
        words[line + 2] = ends.last
        for (index, offset) in stride(from: 8, to: text.count - 8, by: 8).enumerated() {
            words[line + Self.middleOffset + index] = Self.word(text, offset)
        }
    }

    /// Of its first word.
    @inline(__always)
    private static func line(_ ends: ByteEnds, count: Int, table: Int) -> Int {
        (table &* linesPerTable &+ Int(truncatingIfNeeded: ends.hash(count: count) &>> 56)) &* lineSize
    }

    @inline(__always)
    private static func word(_ text: UnsafeRawBufferPointer, _ offset: Int) -> UInt64 {
        // Checked: it traps rather than read beyond the text.
        text.bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
    }
}
