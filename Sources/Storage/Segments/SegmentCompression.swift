import OTLP

/// zstd over whole sections of a segment. The raw length is known beforehand (the footer holds it), and a frame that does
/// not yield exactly that is refused.
enum SegmentCompression {
    static func compress(
        _ raw: [UInt8], level: Int32, path: String, offset: UInt64
    ) throws(SegmentError) -> [UInt8] {
        do {
            return try Zstd.compress(raw, level: level)
        } catch {
            throw SegmentError(.tooLarge, path: path, offset: offset, "cannot compress: \(error)")
        }
    }

    static func decompress(
        _ stored: [UInt8], rawLength: Int, path: String, offset: UInt64
    ) throws(SegmentError) -> [UInt8] {
        let raw: [UInt8]
        do {
            raw = try Zstd.decompress(stored, maximumSize: rawLength)
        } catch {
            throw SegmentError(.malformed, path: path, offset: offset, "cannot decompress: \(error)")
        }
        guard raw.count == rawLength else {
            throw SegmentError(
                .malformed, path: path, offset: offset, "section holds \(raw.count) bytes, not \(rawLength)")
        }
        return raw
    }
}
