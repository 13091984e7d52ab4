import OTLP

/// The messages that the scrubber walks through, and what their fields hold.
/// https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto
enum MessageKind {
    case span, event, link, status, resource, scope, array, map

    /// What a field holds that is of interest.
    enum Content {
        case nothing
        case attribute
        case message(MessageKind)
        case text(ScrubPlace)
        case value
    }

    /// Where the message's attributes are; for arrays and maps it is that of the attribute around them.
    var place: ScrubPlace {
        switch self {
        case .event: .event
        case .link: .link
        case .resource: .resource
        case .scope: .scope
        case .status: .status
        case .span, .array, .map: .span
        }
    }

    /// The number of the field that holds its attributes; 0 where it has none.
    var attributeField: Int {
        switch self {
        case .span: 9
        case .event, .scope: 3
        case .link: 4
        case .resource, .map: 1
        case .status, .array: 0
        }
    }

    /// All are length-delimited; a field of the right number and another wire type is an unknown field.
    @inline(__always)
    func content(_ tag: UInt64) -> Content {
        switch self {
        case .span:
            switch tag {
            case 9 << 3 | 2: .attribute
            case 5 << 3 | 2: .text(.name)
            case 11 << 3 | 2: .message(.event)
            case 13 << 3 | 2: .message(.link)
            case 15 << 3 | 2: .message(.status)
            default: .nothing
            }
        case .event:
            switch tag {
            case 3 << 3 | 2: .attribute
            case 2 << 3 | 2: .text(.event)
            default: .nothing
            }
        case .link: tag == 4 << 3 | 2 ? .attribute : .nothing
        case .status: tag == 2 << 3 | 2 ? .text(.status) : .nothing
        case .resource: tag == 1 << 3 | 2 ? .attribute : .nothing
        case .scope: tag == 3 << 3 | 2 ? .attribute : .nothing
        case .array: tag == 1 << 3 | 2 ? .value : .nothing
        case .map: tag == 1 << 3 | 2 ? .attribute : .nothing
        }
    }
}

/// The bytes being read and where in the trace they stand.
struct Source {
    let base: UnsafePointer<UInt8>
    var place: ScrubPlace

    func bytes(_ range: ByteRange) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: base + range.start, count: Int(range.length))
    }

    func append(from start: Int, to end: Int, into output: inout [UInt8]) {
        output.append(contentsOf: UnsafeRawBufferPointer(start: base + start, count: end - start))
    }
}

/// The rules that apply to a value: those that take all of it and those that search in it.
struct Selection {
    var whole: UInt64 = 0
    var search: UInt64 = 0
    /// Rules that the key, or one around it, is an exception of.
    var spared: UInt64 = 0

    var isEmpty: Bool { whole | search == 0 }
}

extension Scrubber {
    /// Values nest at most this deep, as in protobuf's own readers.
    static let maximumDepth = 100

    /// Walks through the fields of a message. Nothing is written unless something changes; then the whole new body is.
    mutating func rewrite(
        _ range: ByteRange, as kind: MessageKind, of source: Source, _ selection: Selection, depth: Int,
        into output: inout [UInt8]
    ) throws(ScanError) -> Bool {
        var reader = WireReader(base: source.base, range: range)
        // Everything before this is either in the output or was removed.
        var copied = range.start
        var isChanged = false
        while !reader.isAtEnd {
            let fieldStart = reader.position
            let tag = try reader.tag()
            let content = kind.content(tag)
            if case .nothing = content {
                try reader.skip(tag: tag)
                continue
            }
            let tagEnd = reader.position
            let field = try reader.lengthDelimited()
            let bodyStart = output.count
            let outcome: AttributeOutcome
            switch content {
            case .nothing:
                outcome = .unchanged
            case .attribute:
                outcome = try scrubAttribute(field, of: source, inherited: selection, depth: depth, into: &output)
            case .value:
                outcome = try scrubValue(field, of: source, selection, depth: depth, into: &output)
            case .message(let kind):
                let inner = Source(base: source.base, place: kind.place)
                outcome =
                    try rewrite(field, as: kind, of: inner, selection, depth: depth, into: &output)
                    ? .changed : .unchanged
            case .text(let place):
                let search = Selection(search: places[place.index].search)
                outcome = scrub(text: source.bytes(field), search, deletesAll: false)
                if outcome == .changed { output.append(contentsOf: text) }
            }
            switch outcome {
            case .unchanged:
                continue
            case .changed:
                insertHeader(of: source, from: copied, to: tagEnd, before: bodyStart, in: &output)
            case .deleted:
                output.removeSubrange(bodyStart...)
                source.append(from: copied, to: fieldStart, into: &output)
            }
            copied = field.end
            isChanged = true
        }
        if isChanged { source.append(from: copied, to: range.end, into: &output) }
        return isChanged
    }

    /// Puts the bytes that were not copied yet (they end with a field's tag) and the length of the field's new body in
    /// front of that body, which starts at `bodyStart` and ends the output.
    ///
    /// Written afterwards because only then is it known that the body changes, and how long it is.
    func insertHeader(
        of source: Source, from start: Int, to tagEnd: Int, before bodyStart: Int, in output: inout [UInt8]
    ) {
        let bodyLength = output.count - bodyStart
        var lengthSize = 1
        while bodyLength >> (7 * lengthSize) != 0 { lengthSize += 1 }
        let headerLength = tagEnd - start + lengthSize
        output.append(contentsOf: repeatElement(0, count: headerLength))
        output.withUnsafeMutableBytes { bytes in
            guard let body = bytes.baseAddress?.advanced(by: bodyStart) else { return }
            (body + headerLength).copyMemory(from: body, byteCount: bodyLength)
            body.copyMemory(from: source.base + start, byteCount: tagEnd - start)
            var rest = bodyLength
            for index in 0..<lengthSize {
                let isLast = index == lengthSize - 1
                bytes[bodyStart + tagEnd - start + index] = UInt8(rest & 0x7f) | (isLast ? 0 : 0x80)
                rest >>= 7
            }
        }
    }
}
