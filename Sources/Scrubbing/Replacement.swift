/// What a rule puts in place of a text: the compiled form of `ScrubRule.Action`.
enum Replacement: Sendable {
    case delete
    case mask(keepFirst: Int, keepLast: Int, with: [UInt8])
    case hash(KeyedHash)
    case truncate(Int)

    /// What a deleted part of a plain text becomes.
    static let deletedText = Array("[deleted]".utf8)

    /// Nil for an action that does not look at what is there.
    init?(_ action: ScrubRule.Action) {
        switch action {
        case .delete: self = .delete
        case .mask(let mask):
            self = .mask(keepFirst: mask.keepFirst, keepLast: mask.keepLast, with: Array(mask.replacement.utf8))
        case .hash(let key): self = .hash(KeyedHash(key: Array(key.utf8)))
        case .truncate(let length): self = .truncate(length)
        case .set: return nil
        }
    }

    /// Appends what becomes of `text`. Characters are Unicode scalars, which are never split.
    func append(_ text: UnsafeRawBufferPointer, to output: inout [UInt8]) {
        switch self {
        case .delete:
            output.append(contentsOf: Self.deletedText)
        case .mask(let keepFirst, let keepLast, let replacement):
            // An empty text holds nothing to hide; a mask is not masked again, so that it is the same after a second
            // time.
            if text.isEmpty || text.elementsEqual(replacement) { return output.append(contentsOf: text) }
            let hidesAll = keepFirst + keepLast == 0 || 2 * (keepFirst + keepLast) > scalarCount(text)
            if !hidesAll { output.append(contentsOf: text[..<offset(after: keepFirst, in: text)]) }
            output.append(contentsOf: replacement)
            if !hidesAll { output.append(contentsOf: text[offset(ofLast: keepLast, in: text)...]) }
        case .hash(let hash):
            hash.appendHex(of: text, to: &output)
        case .truncate(let length):
            output.append(contentsOf: text[..<offset(after: length, in: text)])
        }
    }
}

@inline(__always)
private func isScalarStart(_ byte: UInt8) -> Bool { byte & 0xc0 != 0x80 }

private func scalarCount(_ text: UnsafeRawBufferPointer) -> Int {
    text.reduce(into: 0) { count, byte in if isScalarStart(byte) { count += 1 } }
}

/// The offset behind the first `count` scalars.
private func offset(after count: Int, in text: UnsafeRawBufferPointer) -> Int {
    var rest = count
    for (offset, byte) in text.enumerated() where isScalarStart(byte) {
        if rest == 0 { return offset }
        rest -= 1
    }
    return text.count
}

/// The offset of the last `count` scalars.
private func offset(ofLast count: Int, in text: UnsafeRawBufferPointer) -> Int {
    var rest = count
    var offset = text.count
    while rest > 0, offset > 0 {
        offset -= 1
        if isScalarStart(text[offset]) { rest -= 1 }
    }
    return offset
}
