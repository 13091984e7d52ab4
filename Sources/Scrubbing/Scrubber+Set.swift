import OTLP

/// A rule that sets attributes, compiled.
struct AttributeSetter: Sendable {
    struct Target: Sendable {
        let key: [UInt8]
        /// The whole `KeyValue` message.
        let attribute: [UInt8]
    }

    /// Its index.
    let rule: Int
    let mode: Assignment.Mode
    let targets: [Target]
    let places: Set<ScrubPlace>

    init(rule index: Int, _ rule: ScrubRule, _ assignment: Assignment) {
        self.rule = index
        mode = assignment.mode
        places = rule.effectivePlaces
        var seen: Set<String> = []
        targets = rule.keys.filter { seen.insert($0).inserted }.map { key in
            var writer = ProtobufWriter()
            writer.stringField(1, key)
            writer.messageField(2) { Self.write(assignment.value, to: &$0) }
            return Target(key: Array(key.utf8), attribute: writer.bytes)
        }
    }

    private static func write(_ value: Assignment.Value, to writer: inout ProtobufWriter) {
        switch value {
        case .string(let text): writer.stringField(1, text)
        case .bool(let flag): writer.varintField(2, flag ? 1 : 0)
        case .int(let number): writer.varintField(3, UInt64(bitPattern: number))
        case .double(let number): writer.fixed64Field(4, number.bitPattern)
        }
    }

    func target(_ key: UnsafeRawBufferPointer) -> Int? { targets.firstIndex { key.elementsEqual($0.key) } }

    /// Whether it does something to the message of a kind or to one inside it.
    func reaches(_ kind: MessageKind) -> Bool {
        switch kind {
        case .span: !places.isDisjoint(with: [.span, .event, .link])
        case .event, .link, .resource, .scope: places.contains(kind.place)
        case .status, .array, .map: false
        }
    }
}

/// What is done to a message, in the order of the rules: those between two rules that set attributes share a pass, so that
/// each rule sees what the ones before it left.
enum ScrubStep: Sendable {
    case rules([Scrubber.PlaceRules])
    case set(AttributeSetter)
}

extension Scrubber {
    /// Sets attributes in a message and in those inside it. Nothing is written unless something changes; then the whole new
    /// body is.
    ///
    /// An attribute that is there keeps its place, and one that is not comes behind the last; all other bytes stay.
    mutating func set(
        _ setter: AttributeSetter, in range: ByteRange, as kind: MessageKind, of source: Source,
        into output: inout [UInt8]
    ) throws(ScanError) -> Bool {
        guard setter.reaches(kind) else { return false }
        let isHere = setter.places.contains(kind.place)
        var missing = isHere && setter.mode != .update ? Array(setter.targets.indices) : []
        // Where an attribute that is not there goes.
        let insertion =
            isHere ? try lastAttributeEnd(in: range, as: kind, of: source, setter, &missing) ?? range.end : range.end
        var reader = WireReader(base: source.base, range: range)
        var copied = range.start
        var isChanged = false
        while true {
            if !missing.isEmpty, reader.position == insertion {
                source.append(from: copied, to: insertion, into: &output)
                append(setter, missing, as: kind, into: &output)
                missing = []
                copied = insertion
                isChanged = true
            }
            if reader.isAtEnd { break }
            let tag = try reader.tag()
            let content = kind.content(tag)
            let tagEnd = reader.position
            guard tag & 7 == WireType.length else {
                try reader.skip(tag: tag)
                continue
            }
            let field = try reader.lengthDelimited()
            let bodyStart = output.count
            switch content {
            case .attribute:
                guard isHere, setter.mode != .insert, let target = try target(of: field, source, setter),
                    !source.bytes(field).elementsEqual(setter.targets[target].attribute)
                else { continue }
                output.append(contentsOf: setter.targets[target].attribute)
                count(setter.rule)
            case .message(let inner):
                let innerSource = Source(base: source.base, place: inner.place)
                guard try set(setter, in: field, as: inner, of: innerSource, into: &output) else { continue }
            case .nothing, .text, .value: continue
            }
            insertHeader(of: source, from: copied, to: tagEnd, before: bodyStart, in: &output)
            copied = field.end
            isChanged = true
        }
        if isChanged { source.append(from: copied, to: range.end, into: &output) }
        return isChanged
    }

    /// The position behind the last attribute, if there is one. Takes the targets that are there out of `missing`.
    private func lastAttributeEnd(
        in range: ByteRange, as kind: MessageKind, of source: Source, _ setter: AttributeSetter, _ missing: inout [Int]
    ) throws(ScanError) -> Int? {
        var reader = WireReader(base: source.base, range: range)
        var end: Int?
        while !reader.isAtEnd {
            let tag = try reader.tag()
            guard case .attribute = kind.content(tag) else {
                try reader.skip(tag: tag)
                continue
            }
            let found = try target(of: try reader.lengthDelimited(), source, setter)
            missing.removeAll { $0 == found }
            end = reader.position
        }
        return end
    }

    /// Which of the setter's targets a `KeyValue` is. Of several keys the last one counts.
    func target(of range: ByteRange, _ source: Source, _ setter: AttributeSetter) throws(ScanError) -> Int? {
        var reader = WireReader(base: source.base, range: range)
        var key = ByteRange.empty
        while !reader.isAtEnd {
            let tag = try reader.tag()
            if tag == 1 << 3 | WireType.length { key = try reader.lengthDelimited() } else { try reader.skip(tag: tag) }
        }
        return setter.target(source.bytes(key))
    }

    /// Appends attributes as fields of a message.
    private mutating func append(
        _ setter: AttributeSetter, _ targets: [Int], as kind: MessageKind, into output: inout [UInt8]
    ) {
        var writer = ProtobufWriter()
        for target in targets {
            writer.bytesField(kind.attributeField, setter.targets[target].attribute)
            count(setter.rule)
        }
        output.append(contentsOf: writer.bytes)
    }
}

// MARK: - Several steps

extension Scrubber {
    /// What the bytes are that go through the steps.
    enum StepSubject {
        case message(MessageKind)
        case attribute(ScrubPlace)
    }

    /// Applies all steps one after the other, each to what the one before left.
    ///
    /// - Returns: the bytes that are left; nil where there is no such attribute any more.
    mutating func scrubInSteps(
        _ bytes: UnsafeRawBufferPointer, _ subject: StepSubject
    ) throws(ScanError) -> (bytes: [UInt8], isChanged: Bool)? {
        defer { places = allPlaces }
        var current = Array(bytes)
        var isChanged = false
        for step in steps {
            var next: [UInt8] = []
            var outcome = AttributeOutcome.unchanged
            var failure: ScanError?
            // One byte more than there is: an empty message has an address, too.
            let count = current.count
            current.append(0)
            current.withUnsafeBufferPointer { buffer in
                guard let base = buffer.baseAddress else { return }
                do throws(ScanError) {
                    outcome = try apply(step, to: base, count, subject, into: &next)
                } catch {
                    failure = error
                }
            }
            if let failure { throw failure }
            switch outcome {
            case .unchanged: current.removeLast()
            case .changed:
                current = next
                isChanged = true
            case .deleted: return nil
            }
        }
        return (current, isChanged)
    }

    private mutating func apply(
        _ step: ScrubStep, to base: UnsafePointer<UInt8>, _ count: Int, _ subject: StepSubject,
        into output: inout [UInt8]
    ) throws(ScanError) -> AttributeOutcome {
        let range = ByteRange(offset: 0, length: count)
        if case .rules(let places) = step { self.places = places }
        switch (subject, step) {
        case (.message(let kind), .rules):
            let source = Source(base: base, place: kind.place)
            return try rewrite(range, as: kind, of: source, Selection(), depth: 0, into: &output)
                ? .changed : .unchanged
        case (.message(let kind), .set(let setter)):
            let source = Source(base: base, place: kind.place)
            return try set(setter, in: range, as: kind, of: source, into: &output) ? .changed : .unchanged
        case (.attribute(let place), .rules):
            let source = Source(base: base, place: place)
            return try scrubAttribute(range, of: source, inherited: Selection(), depth: 0, into: &output)
        case (.attribute(let place), .set(let setter)):
            let source = Source(base: base, place: place)
            guard setter.mode != .insert, setter.places.contains(place),
                let target = try target(of: range, source, setter),
                !source.bytes(range).elementsEqual(setter.targets[target].attribute)
            else { return .unchanged }
            output = setter.targets[target].attribute
            self.count(setter.rule)
            return .changed
        }
    }
}
