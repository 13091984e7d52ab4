import Glibc

/// Reads recorded spans from a file or standard input, one request after the other.
///
/// The format is recognised by its first bytes: one OTLP/JSON `ExportTraceServiceRequest` per line, or what the
/// Collector's file exporter writes: messages preceded by their length as four big-endian bytes, holding protobuf or
/// JSON, each compressed with zstd or not. The whole file may be compressed with gzip (any number of members) or zstd
/// (any number of frames) on top.
///
/// ```swift
/// let reader = try SpanFileReader(path: "traces.jsonl.gz")
/// while let item = try reader.next() {
///     switch item {
///     case .request(let record): use(record.protobuf)
///     case .malformed(let error): report(error.description)
///     }
/// }
/// ```
///
/// Memory is bounded by the largest record (`maximumRecordSize`), twice. Owned by one thread; not `Sendable`.
public final class SpanFileReader {
    /// How requests are told apart.
    public enum Format: Sendable {
        case jsonLines
        /// Messages preceded by four bytes of length.
        case lengthDelimited
    }

    /// The path as it was given.
    public let path: String
    /// As recognised from the first bytes.
    public let format: Format
    /// Records longer than this, before or after decompression, are malformed. Bytes.
    public let maximumRecordSize: Int

    private let stream: ByteStream
    private var line = 0
    private var record = 0
    private var isFinished = false

    public static let defaultMaximumRecordSize = 256 << 20

    /// Opens a file, or standard input for `-`, and reads its first bytes to recognise the format.
    ///
    /// - Throws: `SpanFileError` where it cannot be opened or read.
    public init(path: String, maximumRecordSize: Int = defaultMaximumRecordSize) throws(SpanFileError) {
        self.path = path
        self.maximumRecordSize = min(max(maximumRecordSize, 1), Int(UInt32.max) - 1)
        do {
            stream = try ByteStream(path: path)
            while stream.available < 4, try stream.fill() {}
        } catch {
            throw SpanFileError(file: path, message: error.message)
        }
        format = stream.withAvailable { [limit = self.maximumRecordSize] in Self.format(of: $0, limit: limit) }
        if format == .jsonLines, stream.withAvailable({ $0.starts(with: [0xef, 0xbb, 0xbf]) }) { stream.consume(3) }
    }

    /// A length below 16 MiB begins with a zero byte, which no text has; a longer one is told from text by being both a
    /// possible length and no white space.
    private static func format(of head: UnsafeRawBufferPointer, limit: Int) -> Format {
        guard head.count >= 4 else { return .jsonLines }
        let length = head[..<4].reduce(0) { $0 << 8 | Int($1) }
        if head[0] == 0 { return .lengthDelimited }
        let isControl = head[0] < 0x20 && ![0x09, 0x0a, 0x0d].contains(head[0])
        return isControl && length <= limit ? .lengthDelimited : .jsonLines
    }

    /// The next request, or nil at the end of the file.
    ///
    /// - Throws: `SpanFileError` where the file cannot be read further: an I/O error, or compressed data that is
    ///   damaged or cut. What was read before it has been returned. After an error the reader is at its end.
    public func next() throws(SpanFileError) -> SpanFileItem? {
        if isFinished { return nil }
        do {
            let item =
                switch format {
                case .jsonLines: try nextLine()
                case .lengthDelimited: try nextMessage()
                }
            if item == nil { isFinished = true }
            return item
        } catch {
            isFinished = true
            throw SpanFileError(file: path, position: position(at: stream.offset), message: error.message)
        }
    }

    private func position(at offset: Int) -> SpanFilePosition {
        SpanFilePosition(line: format == .jsonLines ? max(line, 1) : nil, record: record, byteOffset: offset)
    }

    private func malformed(_ message: String, column: Int? = nil, at offset: Int) -> SpanFileItem {
        .malformed(SpanFileError(file: path, position: position(at: offset), column: column, message: message))
    }

    // MARK: JSON lines

    private func nextLine() throws(ByteStream.StreamError) -> SpanFileItem? {
        while true {
            line += 1
            let start = stream.offset
            guard let length = try findLineEnd() else {
                record += 1
                try skipLine()
                return malformed("line is longer than \(maximumRecordSize) bytes", at: start)
            }
            if length == 0, stream.available == 0 { return nil }
            let item = stream.withAvailable { bytes in
                decodeLine(UnsafeRawBufferPointer(rebasing: bytes[..<length]), at: start)
            }
            // The last line may have no end.
            stream.consume(min(length + 1, stream.available))
            if let item { return item }
        }
    }

    /// The length of the line that begins at the stream's position, or nil where it exceeds the limit.
    private func findLineEnd() throws(ByteStream.StreamError) -> Int? {
        var searched = 0
        while true {
            if let found = lineEnd(from: searched) { return found <= maximumRecordSize ? found : nil }
            searched = stream.available
            if searched > maximumRecordSize { return nil }
            if try !stream.fill() { return searched }
        }
    }

    /// The next line feed in the available bytes.
    private func lineEnd(from start: Int) -> Int? {
        stream.withAvailable { bytes in
            guard let base = bytes.baseAddress, start < bytes.count else { return nil }
            return memchr(base + start, 0x0a, bytes.count - start).map { UnsafeRawPointer($0) - base }
        }
    }

    private func skipLine() throws(ByteStream.StreamError) {
        while true {
            if let end = lineEnd(from: 0) {
                stream.consume(end + 1)
                return
            }
            stream.consume(stream.available)
            if try !stream.fill() { return }
        }
    }

    private func decodeLine(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> SpanFileItem? {
        if bytes.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0d }) { return nil }
        record += 1
        do {
            let request = try OTLPJSONDecoder.decode(bytes)
            return .request(
                SpanFileRecord(
                    protobuf: request.protobuf, arrivalMilliseconds: request.arrivalMilliseconds,
                    position: position(at: offset)))
        } catch {
            return malformed(error.text, column: error.offset + 1, at: offset)
        }
    }

    // MARK: Length-delimited messages

    private func nextMessage() throws(ByteStream.StreamError) -> SpanFileItem? {
        let start = stream.offset
        while stream.available < 4, try stream.fill() {}
        if stream.available == 0 { return nil }
        record += 1
        guard stream.available >= 4 else {
            stream.consume(stream.available)
            return malformed("the file ends inside a length", at: start)
        }
        let length = stream.withAvailable { $0[..<4].reduce(0) { $0 << 8 | Int($1) } }
        stream.consume(4)
        guard length <= maximumRecordSize else {
            try skip(length)
            return malformed("message of \(length) bytes is longer than \(maximumRecordSize) bytes", at: start)
        }
        while stream.available < length, try stream.fill() {}
        guard stream.available >= length else {
            stream.consume(stream.available)
            return malformed("the file ends inside a message of \(length) bytes", at: start)
        }
        let item = stream.withAvailable { bytes in
            decodeMessage(UnsafeRawBufferPointer(rebasing: bytes[..<length]), at: start)
        }
        stream.consume(length)
        return item
    }

    private func skip(_ count: Int) throws(ByteStream.StreamError) {
        var rest = count
        while rest > 0 {
            if stream.available == 0, try !stream.fill() { return }
            let step = min(rest, stream.available)
            stream.consume(step)
            rest -= step
        }
    }

    private func decodeMessage(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> SpanFileItem {
        guard bytes.starts(with: Zstd.magic) else { return decodePayload(bytes, at: offset) }
        do {
            let payload = try Zstd.decompress(bytes, maximumSize: maximumRecordSize)
            return payload.withUnsafeBytes { decodePayload($0, at: offset) }
        } catch {
            return malformed("\(error)", at: offset)
        }
    }

    private func decodePayload(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> SpanFileItem {
        // Protobuf could begin with a brace only by an unknown group of field 15.
        guard bytes.first == 0x7b else {
            return .request(
                SpanFileRecord(protobuf: Array(bytes), arrivalMilliseconds: nil, position: position(at: offset)))
        }
        do {
            let request = try OTLPJSONDecoder.decode(bytes)
            return .request(
                SpanFileRecord(
                    protobuf: request.protobuf, arrivalMilliseconds: request.arrivalMilliseconds,
                    position: position(at: offset)))
        } catch {
            return malformed(error.description, at: offset)
        }
    }
}
