/// A segment cannot be read: which file, where in it, and what is wrong.
public struct SegmentError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What is wrong. A struct, so that cases can be added without breaking a `switch` elsewhere.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        public let description: String

        /// The file is not there (any more): a compaction or retention may have removed it.
        public static let missing = Code(description: "missing")
        /// The system could not read the file.
        public static let unreadable = Code(description: "unreadable")
        /// The file is no segment, or is cut short.
        public static let notASegment = Code(description: "not_a_segment")
        /// A newer program wrote it.
        public static let unsupportedVersion = Code(description: "unsupported_version")
        /// The bytes are not those that were written.
        public static let checksumMismatch = Code(description: "checksum_mismatch")
        /// The bytes are those that were written, but they contradict themselves.
        public static let malformed = Code(description: "malformed")
        /// More than the format can hold was to be written.
        public static let tooLarge = Code(description: "too_large")
    }

    public var code: Code
    public var path: String
    /// Byte offset in the file where the trouble is.
    public var offset: UInt64
    public var explanation: String

    public init(_ code: Code, path: String, offset: UInt64 = 0, _ explanation: String) {
        self.code = code
        self.path = path
        self.offset = offset
        self.explanation = explanation
    }

    public var description: String { "segment \(path) at byte \(offset): \(explanation)" }
}
