/// Why bytes are no OTLP/JSON request, and where.
public struct OTLPJSONError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What is wrong, without the place: `expected an unsigned 64-bit integer`.
    public var message: String
    /// The value concerned: `resourceSpans[0].scopeSpans[1].spans[3].startTimeUnixNano`. Empty at the top.
    public var path: String
    /// Byte offset from the start of the JSON text.
    public var offset: Int

    public init(message: String, path: String = "", offset: Int) {
        self.message = message
        self.path = path
        self.offset = offset
    }

    public var description: String { "\(text) (byte \(offset))" }

    /// Path and message without the offset, for places that state the position themselves.
    public var text: String { path.isEmpty ? message : "\(path): \(message)" }
}
