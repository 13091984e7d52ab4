import CZlib

/// Streaming gzip decompression of one or more members. Owned by one thread at a time.
package struct GzipDecompressor: ~Copyable {
    // On the heap because zlib keeps a pointer to its own stream and refuses one that has moved.
    private let state: UnsafeMutablePointer<z_stream>
    /// A member has begun and not ended: the end of the input would cut it.
    package private(set) var isInsideMember = false
    private var hasEndedMember = false
    private var isPadding = false

    package init() throws(CompressionError) {
        state = .allocate(capacity: 1)
        state.initialize(to: z_stream())
        // 15 window bits, + 16: a gzip header is required.
        let code = inflateInit2_(state, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard code == Z_OK else {
            state.deallocate()
            throw CompressionError(.library, detail: "zlib error \(code)")
        }
    }

    deinit {
        inflateEnd(state)
        state.deallocate()
    }

    package struct Progress {
        package var read: Int
        package var written: Int
    }

    /// One step: reads some of `source` and writes some of `target`.
    package mutating func stream(
        _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> Progress {
        var progress = Progress(read: 0, written: 0)
        while progress.written < target.count {
            if hasEndedMember, progress.read < source.count {
                // Tape-like padding with zeros after the last member is allowed, as gzip allows it.
                if source[progress.read] == 0 { isPadding = true }
                if isPadding {
                    guard source[progress.read...].allSatisfy({ $0 == 0 }) else { throw CompressionError(.corrupt) }
                    progress.read = source.count
                    break
                }
                inflateReset(state)
                hasEndedMember = false
            }
            if progress.read < source.count { isInsideMember = true }
            if !isInsideMember { break }
            let (code, read, written) = inflateStep(source, from: progress.read, target, from: progress.written)
            progress.read += read
            progress.written += written
            switch code {
            case Z_STREAM_END:
                hasEndedMember = true
                isInsideMember = false
            case Z_OK: break
            case Z_BUF_ERROR: return progress  // nothing to do without more input
            case Z_MEM_ERROR: throw CompressionError(.library, detail: "out of memory")
            default: throw CompressionError(.corrupt, detail: state.pointee.msg.map { String(cString: $0) } ?? "")
            }
            if read == 0, written == 0, code != Z_STREAM_END { break }
        }
        return progress
    }

    private func inflateStep(
        _ source: UnsafeRawBufferPointer, from read: Int, _ target: UnsafeMutableRawBufferPointer, from written: Int
    ) -> (code: Int32, read: Int, written: Int) {
        let available = min(source.count - read, Int(Int32.max))
        let room = min(target.count - written, Int(Int32.max))
        // zlib's old interface takes a mutable pointer but only reads through it.
        state.pointee.next_in = UnsafeMutablePointer(
            mutating: source.baseAddress.map { ($0 + read).assumingMemoryBound(to: UInt8.self) })
        state.pointee.avail_in = UInt32(available)
        state.pointee.next_out = target.baseAddress.map { ($0 + written).assumingMemoryBound(to: UInt8.self) }
        state.pointee.avail_out = UInt32(room)
        let code = inflate(state, Z_NO_FLUSH)
        let result = (code, available - Int(state.pointee.avail_in), room - Int(state.pointee.avail_out))
        state.pointee.next_in = nil
        state.pointee.next_out = nil
        return result
    }
}
