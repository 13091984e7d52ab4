import Glibc

/// Reads a file or standard input, decompressed where its first bytes say gzip or zstd, into one sliding buffer.
///
/// Memory: the buffer grows to what its user asks to see at once. Owned by one thread.
package final class ByteStream {
    private enum Decoder: ~Copyable {
        case none
        case gzip(GzipDecompressor)
        case zstd(ZstdDecompressor)
    }

    private let descriptor: Int32
    private let ownsDescriptor: Bool
    private var gzip: GzipDecompressor?
    private var zstd: ZstdDecompressor?
    private var isCompressed = false
    /// Bytes as they are in the file; used only where they must be decompressed.
    private var raw = [UInt8](repeating: 0, count: 256 << 10)
    private var rawStart = 0
    private var rawEnd = 0
    private var isRawAtEnd = false

    /// Decompressed bytes; those from `start` to `end` have not been consumed.
    private(set) var buffer = [UInt8](repeating: 0, count: 512 << 10)
    private(set) var start = 0
    private(set) var end = 0
    /// Offset of `start` in the decompressed stream.
    private(set) var offset = 0
    private(set) var isAtEnd = false

    /// Opens `path`, or standard input for `-`, and reads the first bytes.
    package init(path: String) throws(StreamError) {
        if path == "-" {
            descriptor = 0
            ownsDescriptor = false
        } else {
            descriptor = open(path, O_RDONLY | O_CLOEXEC)
            ownsDescriptor = true
            if descriptor < 0 { throw .system(errno) }
        }
        try detectCompression()
    }

    deinit {
        if ownsDescriptor, descriptor >= 0 { close(descriptor) }
    }

    package enum StreamError: Error {
        case system(Int32)
        case compression(CompressionError)

        package var message: String {
            switch self {
            case .system(let code): String(cString: strerror(code))
            case .compression(let error): error.description
            }
        }
    }

    package var available: Int { end - start }

    /// The bytes that have not been consumed.
    package func withAvailable<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        buffer.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[start..<end])) }
    }

    package func consume(_ count: Int) {
        start += count
        offset += count
    }

    /// Reads more bytes behind those available. Returns false at the end of the stream.
    package func fill() throws(StreamError) -> Bool {
        if isAtEnd { return false }
        makeRoom()
        let count: Int
        if isCompressed { count = try decompress() } else { count = try copyRaw() }
        end += count
        if count == 0 { isAtEnd = true }
        return count > 0
    }

    private func makeRoom() {
        if start == end {
            start = 0
            end = 0
        }
        // Moving the rest down is cheap while it is small; otherwise the record is larger than the buffer.
        if start > 0, buffer.count - end < buffer.count / 2 {
            let count = end - start
            Self.moveDown(&buffer, from: start, count: count)
            start = 0
            end = count
        }
        if buffer.count - end < buffer.count / 4 {
            buffer.append(contentsOf: repeatElement(0, count: buffer.count))
        }
    }

    private static func moveDown(_ bytes: inout [UInt8], from start: Int, count: Int) {
        bytes.withUnsafeMutableBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            _ = memmove(base, base + start, count)
        }
    }

    private func detectCompression() throws(StreamError) {
        while rawEnd < 4, try fillRaw() {}
        let head = raw[..<rawEnd]
        if head.starts(with: [0x1f, 0x8b]) {
            isCompressed = true
            do throws(CompressionError) { gzip = try GzipDecompressor() } catch { throw .compression(error) }
        } else if head.starts(with: Zstd.magic) || Self.isSkippableFrame(head) {
            isCompressed = true
            do throws(CompressionError) { zstd = try ZstdDecompressor() } catch { throw .compression(error) }
        }
    }

    /// Parallel zstd tools put a frame of metadata first.
    private static func isSkippableFrame(_ head: ArraySlice<UInt8>) -> Bool {
        guard let first = head.first else { return false }
        return first & 0xf0 == 0x50 && head.dropFirst().starts(with: [0x2a, 0x4d, 0x18])
    }

    /// Reads more bytes of the file behind those not yet decompressed, which are few.
    private func fillRaw() throws(StreamError) -> Bool {
        if isRawAtEnd { return false }
        if rawStart > 0 {
            Self.moveDown(&raw, from: rawStart, count: rawEnd - rawStart)
            rawEnd -= rawStart
            rawStart = 0
        }
        let count = try readDescriptor(into: &raw, from: rawEnd)
        rawEnd += count
        if count == 0 { isRawAtEnd = true }
        return count > 0
    }

    private func copyRaw() throws(StreamError) -> Int {
        // What was read to detect the format comes first, everything else goes straight into the buffer.
        if rawStart < rawEnd {
            let count = min(rawEnd - rawStart, buffer.count - end)
            buffer.replaceSubrange(end..<(end + count), with: raw[rawStart..<(rawStart + count)])
            rawStart += count
            return count
        }
        return isRawAtEnd ? 0 : try readDescriptor(into: &buffer, from: end)
    }

    private func readDescriptor(into bytes: inout [UInt8], from position: Int) throws(StreamError) -> Int {
        while true {
            let count = bytes.withUnsafeMutableBytes { target in
                read(descriptor, target.baseAddress.map { $0 + position }, target.count - position)
            }
            if count >= 0 { return count }
            if errno != EINTR { throw .system(errno) }
        }
    }

    private func decompress() throws(StreamError) -> Int {
        while true {
            let (read, written, isInside) = try decompressStep()
            rawStart += read
            if written > 0 { return written }
            if rawStart < rawEnd, read > 0 { continue }
            if try !fillRaw() {
                if isInside { throw .compression(CompressionError(.truncated)) }
                return 0
            }
        }
    }

    private func decompressStep() throws(StreamError) -> (read: Int, written: Int, isInside: Bool) {
        let room = end..<buffer.count
        let source = rawStart..<rawEnd
        let result: Result<(Int, Int, Bool), CompressionError> = raw.withUnsafeBytes { raw in
            let source = UnsafeRawBufferPointer(rebasing: raw[source])
            return buffer.withUnsafeMutableBytes { buffer in
                step(source, into: UnsafeMutableRawBufferPointer(rebasing: buffer[room]))
            }
        }
        do { return try result.get() } catch { throw .compression(error) }
    }

    private func step(
        _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
    ) -> Result<(Int, Int, Bool), CompressionError> {
        do throws(CompressionError) {
            if let progress = try gzip?.stream(source, into: target) {
                return .success((progress.read, progress.written, gzip?.isInsideMember ?? false))
            }
            if let progress = try zstd?.stream(source, into: target) {
                return .success((progress.read, progress.written, zstd?.isInsideFrame ?? false))
            }
            return .success((0, 0, false))
        } catch {
            return .failure(error)
        }
    }
}
