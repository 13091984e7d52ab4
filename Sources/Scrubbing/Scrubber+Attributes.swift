import OTLP

extension Scrubber {
    private static let keyTag: UInt64 = 1 << 3 | 2
    private static let valueTag: UInt64 = 2 << 3 | 2

    /// Scrubs a `KeyValue`; `inherited` holds the rules that a map around it was selected by.
    mutating func scrubAttribute(
        _ range: ByteRange, of source: Source, inherited: Selection, depth: Int, into output: inout [UInt8]
    ) throws(ScanError) -> AttributeOutcome {
        // The key may stand behind the value or (in bytes meant to deceive) appear twice: each one counts.
        var found: UInt64 = 0
        var spared = inherited.spared
        var key = ByteRange.empty
        var reader = WireReader(base: source.base, range: range)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            guard tag == Self.keyTag else {
                try reader.skip(tag: tag)
                continue
            }
            key = try reader.lengthDelimited()
            found |= keys.rules(for: source.bytes(key))
            if keys.hasExceptions { spared |= keys.exceptions(for: source.bytes(key)) }
            if depth > 0 { found |= rulesForPath(endingWith: source.bytes(key)) }
        }
        let rules = places[source.place.index]
        let selection = Selection(
            whole: (inherited.whole | found & rules.whole) & ~spared,
            search: (inherited.search | rules.search | found & rules.keyed) & ~spared, spared: spared)
        let deletions = selection.whole & deleting
        if deletions != 0 {
            count(deletions.trailingZeroBitCount)
            return .deleted
        }
        return try scrubValues(of: range, key: key, of: source, selection, depth: depth, into: &output)
    }

    /// The second half: the key is known, its value (or values) follow.
    private mutating func scrubValues(
        of range: ByteRange, key: ByteRange, of source: Source, _ selection: Selection, depth: Int,
        into output: inout [UInt8]
    ) throws(ScanError) -> AttributeOutcome {
        var reader = WireReader(base: source.base, range: range)
        var copied = range.start
        var isChanged = false
        while !reader.isAtEnd {
            let tag = try reader.tag()
            guard tag == Self.valueTag else {
                try reader.skip(tag: tag)
                continue
            }
            let tagEnd = reader.position
            let value = try reader.lengthDelimited()
            let bodyStart = output.count
            let outcome = try scrubValue(value, of: source, selection, depth: depth, key: key, into: &output)
            switch outcome {
            case .unchanged: continue
            case .deleted: return .deleted
            case .changed: insertHeader(of: source, from: copied, to: tagEnd, before: bodyStart, in: &output)
            }
            copied = value.end
            isChanged = true
        }
        if isChanged { source.append(from: copied, to: range.end, into: &output) }
        return isChanged ? .changed : .unchanged
    }

    /// The rules for the path of an entry inside maps: the keys around it and its own, joined by dots.
    private mutating func rulesForPath(endingWith key: UnsafeRawBufferPointer) -> UInt64 {
        let pathLength = path.count
        path.append(UInt8(ascii: "."))
        path.append(contentsOf: key)
        defer { path.removeSubrange(pathLength...) }
        return path.withUnsafeBytes { keys.rules(for: $0) }
    }

    /// Scrubs an `AnyValue`.
    mutating func scrubValue(
        _ range: ByteRange, of source: Source, _ selection: Selection, depth: Int, key: ByteRange? = nil,
        into output: inout [UInt8]
    ) throws(ScanError) -> AttributeOutcome {
        if depth > Self.maximumDepth { throw ScanError(.nestedTooDeep, at: range.start) }
        var reader = WireReader(base: source.base, range: range)
        var copied = range.start
        var isChanged = false
        // A oneof has one field; if bytes hold several, the last one counts for readers, and all are scrubbed here.
        while !reader.isAtEnd {
            let fieldStart = reader.position
            let tag = try reader.tag()
            let valueStart = reader.position
            var field = ByteRange.empty
            var number: UInt64 = 0
            switch tag & 7 {
            case WireType.length: field = try reader.lengthDelimited()
            case WireType.varint: number = try reader.varint()
            case WireType.fixed64: number = try reader.fixed64()
            default: try reader.skip(tag: tag)
            }
            let bodyStart = output.count
            let outcome: LeafOutcome
            switch tag {
            case 1 << 3 | 2:
                outcome = LeafOutcome(scrub(text: source.bytes(field), selection, deletesAll: true), isText: true)
            case 2 << 3 | 0, 3 << 3 | 0, 4 << 3 | 1:
                outcome = scrub(number: number, tag: tag, selection)
            case 7 << 3 | 2:
                outcome = scrub(bytes: source.bytes(field), selection)
            case 5 << 3 | 2, 6 << 3 | 2:
                let isMap = tag == 6 << 3 | 2
                outcome = try scrubContainer(
                    field, isMap: isMap, of: source, selection, depth: depth, key: key, into: &output)
            default:
                // What a later version keeps here is unknown, and the rule says that none of it may stay.
                outcome = selection.whole != 0 ? .removed : .unchanged
            }
            switch outcome {
            case .unchanged:
                continue
            case .deleted:
                return .deleted
            case .removed:
                source.append(from: copied, to: fieldStart, into: &output)
            case .sameField:
                if bodyStart == output.count, tag == 7 << 3 | 2 { output.append(contentsOf: text) }
                insertHeader(of: source, from: copied, to: valueStart, before: bodyStart, in: &output)
            case .string:
                source.append(from: copied, to: fieldStart, into: &output)
                output.append(1 << 3 | 2)
                let start = output.count
                output.append(contentsOf: text)
                insertHeader(of: source, from: valueStart, to: valueStart, before: start, in: &output)
            }
            copied = reader.position
            isChanged = true
        }
        if isChanged { source.append(from: copied, to: range.end, into: &output) }
        return isChanged ? .changed : .unchanged
    }

    /// What became of one field of an `AnyValue`.
    private enum LeafOutcome {
        case unchanged
        /// The attribute or element goes.
        case deleted
        /// Only this field goes.
        case removed
        /// The field's new body is at the end of the output, or (of bytes) in `text`.
        case sameField
        /// It is now the string in `text`.
        case string

        init(_ outcome: AttributeOutcome, isText: Bool) {
            self =
                switch outcome {
                case .unchanged: .unchanged
                case .deleted: .deleted
                case .changed: isText ? .string : .sameField
                }
        }
    }

    private mutating func scrubContainer(
        _ range: ByteRange, isMap: Bool, of source: Source, _ selection: Selection, depth: Int, key: ByteRange?,
        into output: inout [UInt8]
    ) throws(ScanError) -> LeafOutcome {
        let pathLength = path.count
        if let key {
            if !path.isEmpty { path.append(UInt8(ascii: ".")) }
            path.append(contentsOf: source.bytes(key))
        }
        defer { path.removeSubrange(pathLength...) }
        let kind: MessageKind = isMap ? .map : .array
        let isChanged = try rewrite(range, as: kind, of: source, selection, depth: depth + 1, into: &output)
        return isChanged ? .sameField : .unchanged
    }

    private mutating func scrub(number: UInt64, tag: UInt64, _ selection: Selection) -> LeafOutcome {
        var selection = selection
        // Card numbers have 13 digits and more; nothing else is searched for in numbers.
        let isLong = tag == 3 << 3 && Int64(bitPattern: number).magnitude >= 1_000_000_000_000
        selection.search &= isLong ? searchingIntegers : 0
        if selection.isEmpty { return .unchanged }
        var written =
            switch tag {
            case 2 << 3: number != 0 ? "true" : "false"
            case 3 << 3: String(Int64(bitPattern: number))
            default: String(Double(bitPattern: number))
            }
        let outcome = written.withUTF8 { scrub(text: UnsafeRawBufferPointer($0), selection, deletesAll: true) }
        return LeafOutcome(outcome, isText: true)
    }

    private mutating func scrub(bytes: UnsafeRawBufferPointer, _ selection: Selection) -> LeafOutcome {
        if selection.whole == 0 { return LeafOutcome(scrub(text: bytes, selection, deletesAll: true), isText: false) }
        if hashesFirst(selection.whole) {
            return LeafOutcome(scrub(text: bytes, selection, deletesAll: true), isText: true)
        }
        let encoded = base64(bytes)
        let outcome = encoded.withUnsafeBytes { scrub(text: $0, selection, deletesAll: true) }
        return LeafOutcome(outcome, isText: true)
    }

    private func hashesFirst(_ rules: UInt64) -> Bool {
        if case .hash = compiled[rules.trailingZeroBitCount].replacement { return true }
        return false
    }
}

/// The text form of bytes, as in OTLP's JSON.
private func base64(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
    let digits: StaticString = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    var result: [UInt8] = []
    result.reserveCapacity((bytes.count + 2) / 3 * 4)
    for start in stride(from: 0, to: bytes.count, by: 3) {
        let group = bytes[start..<min(start + 3, bytes.count)]
        var word = group.reduce(0) { $0 << 8 | Int($1) }
        word <<= 8 * (3 - group.count)
        for index in 0..<4 {
            let digit = word >> (18 - 6 * index) & 63
            result.append(index <= group.count ? digits.utf8Start[digit] : UInt8(ascii: "="))
        }
    }
    return result
}
