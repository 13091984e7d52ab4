import Glibc
import TraceModel

/// Writes requests to a file that `SpanFileReader` and the Collector read.
///
/// Nothing is complete before `close()`: it writes what is buffered and the end of the compression. Owned by one
/// thread; not `Sendable`.
public final class SpanFileWriter {
    public enum Compression: Sendable {
        case none
        case gzip
        /// One zstd stream around the whole file.
        case zstd
    }

    public let path: String
    public let format: SpanFileReader.Format
    public let compression: Compression

    private var descriptor: Int32
    private var pending: [UInt8] = []
    private var compressed: [UInt8] = []
    private var gzip: GzipCompressor?
    private var zstd: ZstdCompressor?
    private var json = JSONWriter()
    private var requestCount = 0

    /// Bytes gathered before they are compressed and written.
    private static let bufferSize = 1 << 20

    /// Creates or truncates a file; `-` is standard output.
    ///
    /// What is not given follows from the name: `.gz` and `.zst` mean compression, and a stem that ends in `.pb`,
    /// `.proto`, `.binpb` or `.bin` means length-delimited protobuf; anything else is JSON lines.
    public init(
        path: String, format: SpanFileReader.Format? = nil, compression: Compression? = nil
    )
        throws(SpanFileError)
    {
        self.path = path
        var stem = path[...]
        var implied = Compression.none
        for (ending, kind) in [(".gz", Compression.gzip), (".zst", .zstd), (".zstd", .zstd)]
        where stem.hasSuffix(ending) {
            implied = kind
            stem = stem.dropLast(ending.count)
            break
        }
        self.compression = compression ?? implied
        let isProtobuf = [".pb", ".proto", ".binpb", ".bin"].contains { stem.hasSuffix($0) }
        self.format = format ?? (isProtobuf ? .lengthDelimited : .jsonLines)
        descriptor = path == "-" ? 1 : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        if descriptor < 0 { throw SpanFileError(file: path, message: String(cString: strerror(errno))) }
        do {
            switch self.compression {
            case .none: break
            case .gzip: gzip = try GzipCompressor()
            case .zstd: zstd = try ZstdCompressor()
            }
        } catch {
            throw SpanFileError(file: path, message: error.description)
        }
    }

    deinit {
        if descriptor > 1 { Glibc.close(descriptor) }
    }

    /// Appends a request given as protobuf.
    ///
    /// - Parameter arrivalMilliseconds: since the recording's first line. The length-delimited format cannot hold it.
    /// - Throws: `SpanFileError` where the file cannot be written, or where it holds JSON and the bytes are no request.
    public func append(protobuf: [UInt8], arrivalMilliseconds: Int64? = nil) throws(SpanFileError) {
        switch format {
        case .lengthDelimited: try appendMessage(protobuf)
        case .jsonLines:
            let request: [ResourceSpans]
            do { request = try OTLPDecoder.decode(protobuf) } catch { throw failure(error.description) }
            try appendLine(request, arrivalMilliseconds)
        }
    }

    /// Appends a request given as the model; see the other overload.
    public func append(_ request: [ResourceSpans], arrivalMilliseconds: Int64? = nil) throws(SpanFileError) {
        switch format {
        case .lengthDelimited: try appendMessage(OTLPEncoder.encode(request))
        case .jsonLines: try appendLine(request, arrivalMilliseconds)
        }
    }

    private func appendMessage(_ protobuf: [UInt8]) throws(SpanFileError) {
        guard let length = UInt32(exactly: protobuf.count) else { throw failure("request is larger than 4 GiB") }
        withUnsafeBytes(of: length.bigEndian) { pending.append(contentsOf: $0) }
        pending.append(contentsOf: protobuf)
        try finishRequest()
    }

    private func appendLine(_ request: [ResourceSpans], _ arrivalMilliseconds: Int64?) throws(SpanFileError) {
        json.removeAll()
        OTLPJSONEncoder.write(request, arrivalMilliseconds: arrivalMilliseconds, into: &json)
        json.endLine()
        pending.append(contentsOf: json.bytes)
        try finishRequest()
    }

    private func finishRequest() throws(SpanFileError) {
        requestCount += 1
        if pending.count >= Self.bufferSize { try flush(isLast: false) }
    }

    /// Writes everything and closes the file. Further calls do nothing; nothing may be appended afterwards.
    public func close() throws(SpanFileError) {
        if descriptor < 0 { return }
        try flush(isLast: true)
        let closing = descriptor
        descriptor = -1
        // Network file systems report a full disk here.
        if closing > 1, Glibc.close(closing) != 0 { throw failure(String(cString: strerror(errno))) }
    }

    private func flush(isLast: Bool) throws(SpanFileError) {
        if descriptor < 0 { throw failure("file is closed") }
        if compression == .none {
            try write(pending)
            pending.removeAll(keepingCapacity: true)
            return
        }
        compressed.removeAll(keepingCapacity: true)
        do {
            try withBytes(of: pending) { (bytes) throws(CompressionError) in
                try gzip?.compress(bytes, isLast: isLast, appendingTo: &compressed)
                // One frame per flush: a cut file loses its last frame only, and frames may follow each other.
                if !bytes.isEmpty { try zstd?.compress(bytes, appendingTo: &compressed) }
            }
        } catch {
            throw failure(error.description)
        }
        pending.removeAll(keepingCapacity: true)
        try write(compressed)
    }

    private func write(_ bytes: [UInt8]) throws(SpanFileError) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                Glibc.write(descriptor, buffer.baseAddress.map { $0 + written }, buffer.count - written)
            }
            if count < 0 {
                if errno == EINTR { continue }
                throw failure(String(cString: strerror(errno)))
            }
            written += count
        }
    }

    private func failure(_ message: String) -> SpanFileError { SpanFileError(file: path, message: message) }
}
