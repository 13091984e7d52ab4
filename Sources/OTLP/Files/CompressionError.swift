/// Why bytes could not be compressed or decompressed.
public struct CompressionError: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Code: UInt8, Sendable {
        /// The bytes are not what the format prescribes, or a checksum does not match.
        case corrupt
        /// The bytes end inside a frame or member.
        case truncated
        /// The result would be larger than the caller allows.
        case tooLarge
        /// The library refused for another reason, usually memory.
        case library
    }

    public var code: Code
    /// The library's own words, where it has any.
    public var detail: String

    public init(_ code: Code, detail: String = "") {
        self.code = code
        self.detail = detail
    }

    public var description: String {
        let text =
            switch code {
            case .corrupt: "compressed data is corrupt"
            case .truncated: "compressed data ends early"
            case .tooLarge: "decompressed data is larger than allowed"
            case .library: "compression failed"
            }
        return detail.isEmpty ? text : "\(text): \(detail)"
    }
}
