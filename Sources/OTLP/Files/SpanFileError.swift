/// What is wrong with a file of spans, and where.
public struct SpanFileError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The path as it was given; `-` for standard input.
    public var file: String
    /// nil where the file as a whole is concerned, such as when it cannot be opened.
    public var position: SpanFilePosition?
    /// Byte column in the line from 1, in JSON lines.
    public var column: Int?
    public var message: String

    public init(file: String, position: SpanFilePosition? = nil, column: Int? = nil, message: String) {
        self.file = file
        self.position = position
        self.column = column
        self.message = message
    }

    /// `traces.jsonl:12:345: resourceSpans[0]: expected an object`, or `traces.bin: record 12 at byte 345: …`.
    public var description: String {
        let name = file == "-" ? "<stdin>" : file
        guard let position else { return "\(name): \(message)" }
        guard let line = position.line else {
            return "\(name): record \(position.record) at byte \(position.byteOffset): \(message)"
        }
        return "\(name):\(line):\(column.map { "\($0):" } ?? "") \(message)"
    }
}

/// A place in a file of spans.
public struct SpanFilePosition: Hashable, Sendable {
    /// Line from 1; nil in length-delimited files.
    public var line: Int?
    /// Record from 1: the requests of the file in their order, malformed ones counted, empty lines not.
    public var record: Int
    /// Offset of the record's first byte in the decompressed file.
    public var byteOffset: Int

    public init(line: Int?, record: Int, byteOffset: Int) {
        self.line = line
        self.record = record
        self.byteOffset = byteOffset
    }
}
