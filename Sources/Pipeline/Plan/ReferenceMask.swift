/// Hides `${…}` from the YAML parser.
///
/// Braces end a plain scalar inside `{ … }` and `[ … ]`, so that `{ topic: ${TOPIC} }` would be no YAML. The characters
/// of a reference that YAML gives a meaning are replaced one for one by characters of the private use area, which keeps
/// all lines and columns, and are put back into the parsed scalars.
struct ReferenceMask {
    private static let base: UInt32 = 0xF000
    private static let masked: Set<Unicode.Scalar> = ["{", "}", "[", "]", ",", ":", "#", " "]

    /// The text to be parsed.
    let text: String
    private let isUsed: Bool

    init(_ original: String) {
        let canMask =
            original.utf8.contains(UInt8(ascii: "$"))
            && !original.unicodeScalars.contains { (Self.base...Self.base + 0x7F).contains($0.value) }
        guard canMask else {
            text = original
            isUsed = false
            return
        }
        var scalars = Array(original.unicodeScalars)
        var index = 0
        while index + 1 < scalars.count {
            guard scalars[index] == "$", scalars[index + 1] == "{",
                let end = ReferenceMask.end(of: index + 2, in: scalars)
            else {
                index += 1
                continue
            }
            for place in (index + 1)...end where Self.masked.contains(scalars[place]) {
                scalars[place] = Unicode.Scalar(Self.base + scalars[place].value) ?? scalars[place]
            }
            index = end + 1
        }
        var masked = String.UnicodeScalarView()
        masked.append(contentsOf: scalars)
        text = String(masked)
        isUsed = true
    }

    /// The closing brace of a reference. Quotes and backslashes belong to the YAML around it, so what has them is left
    /// as it is.
    private static func end(of start: Int, in scalars: [Unicode.Scalar]) -> Int? {
        for index in start..<scalars.count {
            switch scalars[index] {
            case "}": return index
            case "\"", "'", "\\", "$", "{": return nil
            case let scalar where SourceText.isLineBreak(scalar): return nil
            default: continue
            }
        }
        return nil
    }

    func unmasked(_ scalar: String) -> String {
        guard isUsed, scalar.utf8.contains(where: { $0 >= 0x80 }) else { return scalar }
        var original = String.UnicodeScalarView()
        for scalar in scalar.unicodeScalars {
            let isMasked = (Self.base...Self.base + 0x7F).contains(scalar.value)
            original.append(isMasked ? Unicode.Scalar(scalar.value - Self.base) ?? scalar : scalar)
        }
        return String(original)
    }
}
