import CZstd

/// Zstandard in one call. Callable from any thread. Where many blocks are handled one after the other, a
/// `ZstdCompressor` or `ZstdDecompressor` saves setting up a context for each.
public enum Zstd {
    /// The level used where none is given: zstd's own default.
    public static let defaultLevel: Int32 = 3

    /// The first bytes of a frame.
    package static let magic: [UInt8] = [0x28, 0xb5, 0x2f, 0xfd]

    /// One frame that states its decompressed size and carries a checksum.
    public static func compress(
        _ bytes: UnsafeRawBufferPointer, level: Int32 = defaultLevel
    ) throws(CompressionError) -> [UInt8] {
        var compressor = try ZstdCompressor(level: level)
        var result: [UInt8] = []
        try compressor.compress(bytes, appendingTo: &result)
        return result
    }

    /// See the other overload.
    public static func compress(_ bytes: [UInt8], level: Int32 = defaultLevel) throws(CompressionError) -> [UInt8] {
        var compressor = try ZstdCompressor(level: level)
        var result: [UInt8] = []
        try withBytes(of: bytes) { (buffer) throws(CompressionError) in
            try compressor.compress(buffer, appendingTo: &result)
        }
        return result
    }

    /// Decompresses all frames of `bytes`.
    ///
    /// - Parameter maximumSize: bytes that the result may have at most; memory is not reserved on the input's word.
    public static func decompress(
        _ bytes: UnsafeRawBufferPointer, maximumSize: Int
    ) throws(CompressionError) -> [UInt8] {
        var decompressor = try ZstdDecompressor()
        var result: [UInt8] = []
        try decompressor.decompress(bytes, appendingTo: &result, maximumSize: maximumSize)
        return result
    }

    /// See the other overload.
    public static func decompress(_ bytes: [UInt8], maximumSize: Int) throws(CompressionError) -> [UInt8] {
        var decompressor = try ZstdDecompressor()
        var result: [UInt8] = []
        try withBytes(of: bytes) { (buffer) throws(CompressionError) in
            try decompressor.decompress(buffer, appendingTo: &result, maximumSize: maximumSize)
        }
        return result
    }

    static func error(_ code: Int) -> CompressionError {
        let detail = ZSTD_getErrorName(code).map { String(cString: $0) } ?? ""
        return CompressionError(
            ZSTD_getErrorCode(code) == ZSTD_error_memory_allocation ? .library : .corrupt, detail: detail)
    }
}

/// `withUnsafeBytes` that keeps the type of what `body` throws.
func withBytes<Failure: Error>(
    of bytes: [UInt8], _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void
) throws(Failure) {
    let result: Result<Void, Failure> = bytes.withUnsafeBytes { buffer in
        do throws(Failure) { return .success(try body(buffer)) } catch { return .failure(error) }
    }
    return try result.get()
}
