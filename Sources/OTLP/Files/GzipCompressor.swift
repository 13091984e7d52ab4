import CZlib

/// Streaming gzip compression into one member. Owned by one thread at a time.
package struct GzipCompressor: ~Copyable {
    // On the heap because zlib keeps a pointer to its own stream and refuses one that has moved.
    private let state: UnsafeMutablePointer<z_stream>

    package init(level: Int32 = 6) throws(CompressionError) {
        state = .allocate(capacity: 1)
        state.initialize(to: z_stream())
        // 15 window bits, + 16: a gzip header is written.
        let code = deflateInit2_(
            state, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard code == Z_OK else {
            state.deallocate()
            throw CompressionError(.library, detail: "zlib error \(code)")
        }
    }

    deinit {
        deflateEnd(state)
        state.deallocate()
    }

    /// Appends what `bytes` compress to; the member ends where `isLast` is set, and nothing may follow.
    package mutating func compress(
        _ bytes: UnsafeRawBufferPointer, isLast: Bool, appendingTo result: inout [UInt8]
    ) throws(CompressionError) {
        let chunk = 64 << 10
        state.pointee.next_in = UnsafeMutablePointer(
            mutating: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
        var rest = bytes.count
        while true {
            let given = min(rest, Int(Int32.max))
            state.pointee.avail_in = UInt32(given)
            let start = result.count
            result.append(contentsOf: repeatElement(0, count: chunk))
            let (code, written) = result.withUnsafeMutableBytes { buffer in
                let target = UnsafeMutableRawBufferPointer(rebasing: buffer[start...])
                state.pointee.next_out = target.baseAddress?.assumingMemoryBound(to: UInt8.self)
                state.pointee.avail_out = UInt32(chunk)
                let code = deflate(state, isLast && given == rest ? Z_FINISH : Z_NO_FLUSH)
                return (code, chunk - Int(state.pointee.avail_out))
            }
            rest -= given - Int(state.pointee.avail_in)
            result.removeLast(chunk - written)
            if code == Z_STREAM_END { break }
            guard code == Z_OK || code == Z_BUF_ERROR else {
                throw CompressionError(.library, detail: "zlib error \(code)")
            }
            // A full chunk means that more output waits.
            if !isLast, rest == 0, written < chunk { break }
        }
        state.pointee.next_in = nil
        state.pointee.next_out = nil
    }
}
