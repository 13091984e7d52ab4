import Glibc

/// What texts met before: results by table and value. A value has one place in a table, which the next value that belongs
/// there takes.
///
/// A line of the processor's cache per value. Values are kept whole, since equal hashes could be made on purpose; long ones
/// are not kept. A table has a fixed size of 16 KiB.
struct ValueMemory: ~Copyable {
    private static let lineSize = 64
    private static let linesPerTable = 256
    // A line: eight bytes of results, the value's length plus 1 (0: nothing), the value.
    private static let lengthOffset = 8
    private static let valueOffset = 9
    static let longestValue = lineSize - valueOffset

    private let lines: UnsafeMutableRawPointer

    init(tables: Int) {
        let size = tables * Self.linesPerTable * Self.lineSize
        lines = .allocate(byteCount: max(size, 1), alignment: Self.lineSize)
        lines.initializeMemory(as: UInt8.self, repeating: 0, count: size)
    }

    deinit { lines.deallocate() }

    /// Where a value is kept, if it is; nil for what is too long.
    ///
    /// - Parameter ends: of `text`.
    @inline(__always)
    func place(of text: UnsafeRawBufferPointer, _ ends: ByteEnds, table: Int) -> Place? {
        guard text.count <= Self.longestValue else { return nil }
        let line = Int(truncatingIfNeeded: ends.hash(count: text.count) &>> 56)
        return Place(line: lines + (table &* Self.linesPerTable &+ line) &* Self.lineSize)
    }

    struct Place {
        fileprivate let line: UnsafeMutableRawPointer

        /// What was remembered of this very value.
        @inline(__always)
        func results(of text: UnsafeRawBufferPointer) -> UInt64? {
            guard let start = text.baseAddress,
                Int(line.load(fromByteOffset: lengthOffset, as: UInt8.self)) == text.count &+ 1,
                memcmp(line + valueOffset, start, text.count) == 0
            else { return nil }
            return line.load(as: UInt64.self)
        }

        func remember(_ text: UnsafeRawBufferPointer, _ results: UInt64) {
            guard let start = text.baseAddress, text.count <= longestValue else { return }
            line.storeBytes(of: results, as: UInt64.self)
            line.storeBytes(of: UInt8(text.count + 1), toByteOffset: lengthOffset, as: UInt8.self)
            (line + valueOffset).copyMemory(from: start, byteCount: text.count)
        }
    }
}
