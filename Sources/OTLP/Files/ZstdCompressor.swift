import CZstd

/// A zstd context for many independent frames. Owned by one thread at a time.
public struct ZstdCompressor: ~Copyable {
    private let context: OpaquePointer

    public init(level: Int32 = Zstd.defaultLevel) throws(CompressionError) {
        guard let context = ZSTD_createCCtx() else { throw CompressionError(.library, detail: "out of memory") }
        ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level)
        // Four bytes per frame that tell a damaged disk or file from a defect of ours.
        ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
        self.context = context
    }

    deinit { ZSTD_freeCCtx(context) }

    /// Appends one frame that holds `bytes`.
    public mutating func compress(
        _ bytes: UnsafeRawBufferPointer, appendingTo result: inout [UInt8]
    ) throws(CompressionError) {
        let start = result.count
        result.append(contentsOf: repeatElement(0, count: ZSTD_compressBound(bytes.count)))
        let written = result.withUnsafeMutableBytes { buffer in
            let target = UnsafeMutableRawBufferPointer(rebasing: buffer[start...])
            return ZSTD_compress2(context, target.baseAddress, target.count, bytes.baseAddress, bytes.count)
        }
        guard ZSTD_isError(written) == 0 else {
            result.removeLast(result.count - start)
            throw Zstd.error(written)
        }
        result.removeLast(result.count - start - written)
    }
}
