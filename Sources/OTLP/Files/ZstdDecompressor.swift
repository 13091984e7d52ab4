import CZstd

/// A zstd context for many decompressions, whole or streaming. Owned by one thread at a time.
public struct ZstdDecompressor: ~Copyable {
    private let context: OpaquePointer
    /// A frame has begun and not ended: the end of the input would cut it.
    package private(set) var isInsideFrame = false

    public init() throws(CompressionError) {
        guard let context = ZSTD_createDCtx() else { throw CompressionError(.library, detail: "out of memory") }
        self.context = context
    }

    deinit { ZSTD_freeDCtx(context) }

    /// Appends what all frames of `bytes` hold.
    ///
    /// - Parameter maximumSize: bytes appended at most; more is an error of code `tooLarge`.
    public mutating func decompress(
        _ bytes: UnsafeRawBufferPointer, appendingTo result: inout [UInt8], maximumSize: Int
    ) throws(CompressionError) {
        reset()
        // No array is larger than this, and the sums below cannot overflow.
        let maximumSize = min(max(maximumSize, 0), 1 << 48)
        let start = result.count
        var consumed = 0
        // A frame may state its size: a hint for the first reservation, bounded because it may lie.
        let stated = ZSTD_getFrameContentSize(bytes.baseAddress, bytes.count)
        // The two highest values mean "unknown" and "no frame".
        var step = stated < UInt64.max - 1 ? Int(min(stated, UInt64(min(maximumSize, 64 << 20)))) + 1 : 64 << 10
        while true {
            let room = min(step, maximumSize - (result.count - start) + 1)
            let before = result.count
            result.append(contentsOf: repeatElement(0, count: room))
            let outcome: Result<Progress, CompressionError> = result.withUnsafeMutableBytes { buffer in
                do throws(CompressionError) {
                    return .success(
                        try stream(
                            UnsafeRawBufferPointer(rebasing: bytes[consumed...]),
                            into: UnsafeMutableRawBufferPointer(rebasing: buffer[before...])))
                } catch {
                    return .failure(error)
                }
            }
            let progress: Progress
            switch outcome {
            case .success(let success): progress = success
            case .failure(let error):
                result.removeLast(result.count - start)
                throw error
            }
            result.removeLast(room - progress.written)
            consumed += progress.read
            if result.count - start > maximumSize {
                result.removeLast(result.count - start)
                throw CompressionError(.tooLarge)
            }
            // Output that did not fill its room has been flushed completely.
            if consumed == bytes.count, progress.written < room {
                guard !isInsideFrame else {
                    result.removeLast(result.count - start)
                    throw CompressionError(.truncated)
                }
                return
            }
            step = max(64 << 10, result.count - start)
        }
    }

    package struct Progress {
        package var read: Int
        package var written: Int
    }

    /// One step of a stream of frames: reads some of `source` and writes some of `target`.
    package mutating func stream(
        _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> Progress {
        var input = ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: 0)
        var output = ZSTD_outBuffer(dst: target.baseAddress, size: target.count, pos: 0)
        while input.pos < input.size || isInsideFrame {
            let before = (input.pos, output.pos)
            let hint = ZSTD_decompressStream(context, &output, &input)
            guard ZSTD_isError(hint) == 0 else { throw Zstd.error(hint) }
            isInsideFrame = hint != 0
            if output.pos == output.size { break }
            // No progress: all input is used and nothing is left to flush.
            if before == (input.pos, output.pos) { break }
        }
        return Progress(read: input.pos, written: output.pos)
    }

    /// Forgets an unfinished frame.
    package mutating func reset() {
        ZSTD_DCtx_reset(context, ZSTD_reset_session_only)
        isInsideFrame = false
    }
}
