import Patterns

extension Scrubber {
    /// Applies rules to one text, in their order. What becomes of it is in `text` when the outcome is `changed`.
    ///
    /// `deletesAll`: a match of a deleting rule removes the attribute around the text; otherwise the match becomes
    /// `[deleted]`.
    mutating func scrub(
        text input: UnsafeRawBufferPointer, _ selection: Selection, deletesAll: Bool
    ) -> AttributeOutcome {
        if selection.isEmpty || input.isEmpty { return .unchanged }
        var isChanged = false
        // Patterns work on characters, so bytes that are no UTF-8 are read as U+FFFD: no secret hides behind them.
        var isRepaired = false
        var current: [UInt8] = []
        var rest = selection.whole | selection.search
        while rest != 0 {
            let rule = rest.trailingZeroBitCount
            let bit: UInt64 = 1 << UInt64(rule)
            rest &= rest - 1
            guard let replacement = compiled[rule].replacement else { continue }
            if selection.whole & bit != 0 {
                var next: [UInt8] = []
                let isSame: Bool
                if isChanged {
                    current.withUnsafeBytes { replacement.append($0, to: &next) }
                    isSame = next == current
                } else {
                    replacement.append(input, to: &next)
                    isSame = next.elementsEqual(input)
                }
                if isSame { continue }
                current = next
                isRepaired = false
                isChanged = true
                count(rule)
                continue
            }
            var isMatched = false
            for search in compiled[rule].searches {
                if case .pattern = search, !isChanged, !isRepaired, !isValidUTF8(input) {
                    current = Array(String(decoding: input, as: UTF8.self).utf8)
                    isRepaired = true
                }
                let usesInput = !isChanged && !isRepaired
                let first =
                    usesInput
                    ? firstMatch(in: input, from: 0, search)
                    : current.withUnsafeBytes { firstMatch(in: $0, from: 0, search) }
                guard let first else { continue }
                if deletesAll, deleting & bit != 0 {
                    count(rule)
                    return .deleted
                }
                if usesInput {
                    replaceMatches(in: input, first: first, replacement, search, into: &current)
                } else {
                    var next: [UInt8] = []
                    current.withUnsafeBytes { replaceMatches(in: $0, first: first, replacement, search, into: &next) }
                    current = next
                }
                isChanged = true
                isMatched = true
            }
            if isMatched { count(rule) }
        }
        if !isChanged { return .unchanged }
        text = current
        return .changed
    }

    @inline(__always)
    private mutating func firstMatch(
        in text: UnsafeRawBufferPointer, from start: Int, _ search: TextSearch
    ) -> Range<Int>? {
        switch search {
        case .cardNumber: CardNumber.firstMatch(in: text, from: start)
        case .pattern(let index): patterns[index].firstMatch(in: text, from: start)
        }
    }

    private mutating func replaceMatches(
        in text: UnsafeRawBufferPointer, first: Range<Int>, _ replacement: Replacement, _ search: TextSearch,
        into output: inout [UInt8]
    ) {
        var match: Range<Int>? = first
        var copied = 0
        while let found = match {
            output.append(contentsOf: text[copied..<found.lowerBound])
            replacement.append(UnsafeRawBufferPointer(rebasing: text[found]), to: &output)
            copied = found.upperBound
            match = firstMatch(in: text, from: copied, search)
        }
        output.append(contentsOf: text[copied...])
    }
}

/// Whether the bytes are UTF-8; ASCII is told without a copy.
func isValidUTF8(_ text: UnsafeRawBufferPointer) -> Bool {
    var position = 0
    while position + 8 <= text.count {
        if text.loadUnaligned(fromByteOffset: position, as: UInt64.self) & 0x8080_8080_8080_8080 != 0 { break }
        position += 8
    }
    while position < text.count, text[position] < 0x80 { position += 1 }
    return position == text.count || String(validating: text[position...], as: UTF8.self) != nil
}
