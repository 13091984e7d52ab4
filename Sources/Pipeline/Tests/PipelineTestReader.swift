import TraceModel

/// Reads the `tests` of a pipeline file and reports every mistake that can be found without running them.
package struct PipelineTestReader {
    /// What a test may know of a stage.
    package struct Stage {
        var name: String
        var role: StageRole?
        /// Types of what it reads.
        var inputs: [PortType]
    }

    let stages: [Stage]
    let unresolved: Set<SourceLocation>
    private(set) var tests: [PipelineTest] = []
    package var diagnostics = Diagnostics()
    /// The test at hand: what messages are about, and the names of its traces so far with how many each stands for.
    var subject = ""
    var known: [String: Int?] = [:]
    private var partitionCount = 1

    /// More would be a program; each runs the whole pipeline.
    private static let maximumTestCount = 1000
    private static let maximumStepCount = 10_000
    private static let maximumTraceCount = 1_000_000

    package init(_ value: ConfigValue?, stages: [Stage], unresolved: Set<SourceLocation>) {
        self.stages = stages
        self.unresolved = unresolved
        guard let value, value.content != .null else { return }
        guard case .list(let elements) = value.content else {
            diagnostics.error("tests: expected a list of tests, found \(Wording.kind(of: value))", at: value.location)
            return
        }
        guard elements.count <= Self.maximumTestCount else {
            diagnostics.error("tests: more than \(Self.maximumTestCount) tests", at: value.location)
            return
        }
        var names: [String: SourceLocation] = [:]
        for (index, element) in elements.enumerated() {
            guard case .map = element.content else {
                diagnostics.error(
                    "tests[\(index)]: expected a map with name and steps, found \(Wording.kind(of: element))",
                    at: element.location)
                continue
            }
            let test = read(element, index: index)
            if let first = names[test.name], !test.name.isEmpty {
                diagnostics.error("\(subject): the name is used twice; first at \(first)", at: test.location)
            }
            names[test.name] = test.location
            tests.append(test)
        }
    }

    private mutating func read(_ map: ConfigValue, index: Int) -> PipelineTest {
        let nameValue = map["name"]
        var test = PipelineTest(name: nameValue?.scalar ?? "", location: nameValue?.location ?? map.location)
        subject = test.name.isEmpty ? "tests[\(index)]" : "test \(Wording.quoted(test.name))"
        known = [:]
        check(map, PipelineTestOptions.test, at: map.location)
        if let partitions = map["partitions"]?.scalar.flatMap({ Int($0) }), (1...64).contains(partitions) {
            test.partitions = partitions
        }
        partitionCount = test.partitions
        guard let steps = map["steps"] else { return test }
        guard case .list(let elements) = steps.content else {
            error("steps: expected a list of steps, found \(Wording.kind(of: steps))", at: steps.location)
            return test
        }
        guard elements.count <= Self.maximumStepCount else {
            error("steps: more than \(Self.maximumStepCount) steps", at: steps.location)
            return test
        }
        let before = diagnostics.all.count
        for element in elements where !unresolved.contains(element.location) {
            if let action = action(element) {
                test.steps.append(PipelineTest.Step(action: action, location: element.location))
            }
        }
        readIDs(map["ids"], of: &test)
        let expectsSomething = test.steps.contains { step in
            switch step.action {
            case .expect, .expectTraces: true
            default: false
            }
        }
        if !expectsSomething, diagnostics.all.count == before {
            diagnostics.warning("\(subject): expects nothing; add a step such as expect a: kept", at: test.location)
        }
        return test
    }

    private mutating func readIDs(_ ids: ConfigValue?, of test: inout PipelineTest) {
        for entry in ids?.entries ?? [] {
            guard let count = known[entry.key] else {
                let suggestion = Wording.suggestion(for: entry.key, among: known.keys.sorted())
                error("ids: no trace is called \(Wording.quoted(entry.key)).\(suggestion)", at: entry.keyLocation)
                continue
            }
            if count != nil {
                error("ids: \(Wording.quoted(entry.key)) stands for many traces", at: entry.keyLocation)
                continue
            }
            guard let text = entry.value.scalar, text.utf8.count == 32, let id = TraceID(hex: text), !id.isZero else {
                error(
                    "ids: expected 32 hex digits that are not all 0, found \(Wording.kind(of: entry.value))",
                    at: entry.value.content == .null ? entry.keyLocation : entry.value.location)
                continue
            }
            test.traceIDs[entry.key] = id
        }
    }

    // MARK: - Steps

    private mutating func action(_ step: ConfigValue) -> PipelineTest.Action? {
        switch step.content {
        case .scalar(let text, _):
            return plainAction(text, at: step.location)
        case .map(let entries):
            guard let entry = entries.first, entries.count == 1 else {
                let place = entries.dropFirst().first?.keyLocation ?? step.location
                error("a step has one key, found \(entries.count); begin each step with \"- \"", at: place)
                return nil
            }
            return action(entry)
        case .list, .null:
            error("expected a step, found \(Wording.kind(of: step))", at: step.location)
            return nil
        }
    }

    private mutating func plainAction(_ text: String, at location: SourceLocation) -> PipelineTest.Action? {
        switch text {
        case "flush": return .flush
        case "crash": return .crash
        case "rebalance": return .rebalance
        default:
            let word = text.split(separator: " ").first.map(String.init) ?? ""
            if let step = PipelineTestOptions.steps.first(where: { $0.word == word }) {
                error("the step \(word) needs a value, for example \(step.example)", at: location)
            } else {
                reportUnknownStep(text, word: word, at: location)
            }
            return nil
        }
    }

    private mutating func reportUnknownStep(_ text: String, word: String, at location: SourceLocation) {
        let names = PipelineTestOptions.steps.map(\.word)
        let suggestion = Wording.suggestion(for: word, among: names)
        let rest = suggestion.isEmpty ? "; known steps: \(Wording.list(names))" : ".\(suggestion)"
        error("unknown step \(Wording.quoted(text))\(rest)", at: location)
    }

    private mutating func action(_ entry: ConfigEntry) -> PipelineTest.Action? {
        let words = entry.key.split(separator: " ").map(String.init)
        let location = entry.keyLocation
        switch words.first ?? "" {
        case "trace", "traces": return traffic(entry).map(PipelineTest.Action.send)
        case let first where Int(first) != nil: return traffic(entry).map(PipelineTest.Action.send)
        case "expect":
            let names = names(in: entry.key, after: "expect", at: location)
            return names.isEmpty ? overall(entry) : expectation(entry, names)
        case "advance" where words.count == 1:
            guard let text = entry.value.scalar, let time = Units.duration(text), time > 0 else {
                let found = Wording.kind(of: entry.value)
                let hint = entry.value.scalar.flatMap { Double($0) == nil ? nil : "; write \($0)s" } ?? ""
                error(
                    "advance: expected a duration such as 10s, found \(found)\(hint)",
                    at: entry.value.content == .null ? location : entry.value.location)
                return nil
            }
            // Stream time and windows are sums of times like this one.
            guard time <= 366 * 86_400_000 else {
                error("advance: \(Wording.quoted(text)) is longer than a year", at: entry.value.location)
                return nil
            }
            return .advance(time)
        case "resend" where words.count == 1:
            return references(entry.value, at: location, what: "resend").map(PipelineTest.Action.resend)
        case "record" where words.count == 1:
            return record(entry).map(PipelineTest.Action.record)
        case "flush", "crash", "rebalance":
            guard words.count == 1, entry.value.content == .null else {
                error("the step \(words[0]) takes nothing", at: entry.value.location)
                return nil
            }
            return plainAction(words[0], at: location)
        default:
            reportUnknownStep(entry.key, word: words.first ?? "", at: location)
            return nil
        }
    }

    /// `trace a`, `100 traces a`, `100 traces a every 10ms` with spans.
    private mutating func traffic(_ entry: ConfigEntry) -> PipelineTest.Traffic? {
        var words = entry.key.split(separator: " ").map(String.init)
        var count: Int?
        if let first = words.first, let number = Int(first) {
            words.removeFirst()
            guard words.first == "traces" || words.first == "trace", number > 0, number <= Self.maximumTraceCount else {
                error(
                    "\(Wording.quoted(entry.key)): expected 1 to \(Self.maximumTraceCount) traces and their name, "
                        + "for example 100 traces a", at: entry.keyLocation)
                return nil
            }
            count = number
        } else if words.first == "traces" {
            error(
                "\(Wording.quoted(entry.key)): say how many, for example 100 \(entry.key)", at: entry.keyLocation)
            return nil
        }
        var interval: Int64 = 0
        if count != nil, words.count == 4, words[2] == "every", let time = Units.duration(words[3]) {
            interval = time
            words.removeLast(2)
        }
        guard words.count == 2, Self.isName(words[1]) else {
            let form = count == nil ? "trace NAME" : "N traces NAME, or N traces NAME every DURATION"
            error(
                "\(Wording.quoted(entry.key)): expected \(form); a name has letters, digits, \"-\", \"_\" and \".\"",
                at: entry.keyLocation)
            return nil
        }
        let name = words[1]
        if let before = known[name], before != nil || count != nil {
            error("the name \(Wording.quoted(name)) stands for other traces already", at: entry.keyLocation)
            return nil
        }
        let isNew = known[name] == nil
        known[name] = .some(count)
        guard let spans = spans(entry.value, keyLocation: entry.keyLocation, isExpectation: false) else { return nil }
        if isNew, let earlier = Self.firstEarlier(in: spans) {
            diagnostics.error(
                "\(subject): ^\(earlier.service) names a span that was sent before; this is the first of trace \(name)",
                at: earlier.location)
        }
        return PipelineTest.Traffic(name: name, count: count, interval: interval, spans: spans)
    }

    private static func firstEarlier(in spans: [SpanNotation]) -> SpanNotation? {
        for span in spans {
            if span.subject == .earlier { return span }
            if let below = firstEarlier(in: span.children) { return below }
        }
        return nil
    }

    private mutating func record(_ entry: ConfigEntry) -> PipelineTest.Record? {
        let map = entry.value
        guard isMap(entry) else { return nil }
        check(map, PipelineTestOptions.record, at: entry.keyLocation)
        let given = ["spans", "text", "hex"].filter { map[$0] != nil }
        guard given.count == 1, let content = content(map) else {
            if given.count != 1 {
                error("record: expected one of spans, text or hex", at: entry.keyLocation)
            }
            return nil
        }
        var record = PipelineTest.Record(content: content)
        if let value = map["partition"], let partition = value.scalar.flatMap({ Int($0) }), partition >= 0 {
            guard partition < partitionCount else {
                error(
                    "record: there is no partition \(partition): the test has partitions: \(partitionCount), counted from 0",
                    at: value.location)
                return nil
            }
            record.partition = partition
        }
        if let source = map["source"], let name = source.scalar {
            let sources = stages.filter { $0.role == .source }.map(\.name)
            guard sources.contains(name) else {
                let suggestion = Wording.suggestion(for: name, among: sources)
                error(
                    "record: no source is called \(Wording.quoted(name)).\(suggestion) Sources: \(Wording.list(sources))",
                    at: source.location)
                return nil
            }
            record.source = name
        }
        return record
    }

    private mutating func content(_ map: ConfigValue) -> PipelineTest.Record.Content? {
        if let text = map["text"]?.scalar { return .bytes(Array(text.utf8)) }
        if let hex = map["hex"], let text = hex.scalar {
            let digits = text.utf8.filter { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\n") }.map(hexNibble)
            guard digits.count.isMultiple(of: 2), !digits.contains(nil) else {
                error("record: hex: expected pairs of hex digits, found \(Wording.quoted(text))", at: hex.location)
                return nil
            }
            let nibbles = digits.compactMap(\.self)
            return .bytes(stride(from: 0, to: nibbles.count, by: 2).map { nibbles[$0] << 4 | nibbles[$0 + 1] })
        }
        guard let spans = map["spans"] else { return nil }
        guard case .list(let elements) = spans.content, !elements.isEmpty else {
            error(
                "record: spans: expected a list such as - trace a: frontend 120ms, found \(Wording.kind(of: spans))",
                at: spans.location)
            return nil
        }
        var all: [PipelineTest.Traffic] = []
        for element in elements {
            guard let entry = element.entries.first, element.entries.count == 1, entry.key.hasPrefix("trace ") else {
                error("record: spans: expected trace NAME: and spans", at: element.location)
                return nil
            }
            guard let traffic = traffic(entry) else { return nil }
            all.append(traffic)
        }
        return .spans(all)
    }

    // MARK: - Parts

    mutating func error(_ message: String, at location: SourceLocation) {
        diagnostics.error("\(subject): \(message)", at: location)
    }

    mutating func check(_ map: ConfigValue, _ options: [StageOption], at location: SourceLocation) {
        var checker = OptionChecker(subject: subject, unresolved: unresolved)
        checker.check(map, options: options, at: location)
        diagnostics.append(checker.diagnostics)
    }

    mutating func isMap(_ entry: ConfigEntry) -> Bool {
        if case .map = entry.value.content { return true }
        let found = Wording.kind(of: entry.value)
        error(
            "\(entry.key): expected a map, found \(found)",
            at: entry.value.content == .null ? entry.keyLocation : entry.value.location)
        return false
    }

    mutating func spans(
        _ value: ConfigValue, keyLocation: SourceLocation, isExpectation: Bool
    ) -> [SpanNotation]? {
        guard value.scalar != nil else {
            let location = value.content == .null ? keyLocation : value.location
            error("expected \(SpanNotation.expectation), found \(Wording.kind(of: value))", at: location)
            return nil
        }
        do {
            return try SpanNotationParser.parse(value, isExpectation: isExpectation)
        } catch {
            diagnostics.error("\(subject): \(error.message)", at: error.location)
            return nil
        }
    }

    /// One name or a list of names of traces that were sent before.
    mutating func references(
        _ value: ConfigValue, at location: SourceLocation, what: String
    ) -> [PipelineTest.TraceReference]? {
        var references: [PipelineTest.TraceReference] = []
        for element in value.scalar == nil ? value.elements : [value] {
            guard let name = element.scalar else {
                error("\(what): expected the name of a trace, found \(Wording.kind(of: element))", at: element.location)
                return nil
            }
            references.append(PipelineTest.TraceReference(name: name, location: element.location))
        }
        if references.isEmpty, value.elements.isEmpty, value.scalar == nil {
            guard case .list = value.content else {
                error("\(what): expected names of traces, found \(Wording.kind(of: value))", at: location)
                return nil
            }
        }
        return areKnown(references) ? references : nil
    }

    mutating func areKnown(_ references: [PipelineTest.TraceReference]) -> Bool {
        var areKnown = true
        for reference in references where known[reference.name] == nil {
            let suggestion = Wording.suggestion(for: reference.name, among: known.keys.sorted())
            let rest =
                suggestion.isEmpty ? "; a step such as trace \(reference.name): … must come before" : ".\(suggestion)"
            error("no trace is called \(Wording.quoted(reference.name))\(rest)", at: reference.location)
            areKnown = false
        }
        return areKnown
    }

    /// `a, b` of the key `expect a, b`, each with its place.
    private func names(
        in key: String, after word: String, at location: SourceLocation
    ) -> [PipelineTest.TraceReference] {
        var references: [PipelineTest.TraceReference] = []
        var (name, start) = ("", 0)
        func finish() -> PipelineTest.TraceReference? {
            guard !name.isEmpty else { return nil }
            var place = location
            place.column += start
            return PipelineTest.TraceReference(name: name, location: place)
        }
        for (offset, scalar) in key.unicodeScalars.enumerated().dropFirst(word.unicodeScalars.count) {
            if scalar == "," || scalar == " " {
                if let reference = finish() { references.append(reference) }
                name = ""
            } else {
                if name.isEmpty { start = offset }
                name.unicodeScalars.append(scalar)
            }
        }
        if let reference = finish() { references.append(reference) }
        return references
    }

    private static func isName(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 100
            && text.unicodeScalars.allSatisfy { scalar in
                scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar))
                    || "-_.".unicodeScalars.contains(scalar)
            }
    }
}
