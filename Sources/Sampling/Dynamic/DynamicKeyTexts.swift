import Pipeline

/// What the keys of a dynamic policy say, for people: the values of the fields, scrubbed.
struct DynamicKeyTexts {
    /// Of keys beyond so many only the hash is shown.
    static let maximumTexts = 4096
    /// Of a field so many different values, each of at most so many bytes.
    static let maximumValues = 8
    static let maximumValueLength = 100

    private(set) var known: [UInt64: String] = [:]
    private let fields: [(slot: Int, isOfRoot: Bool)]
    private let reader: RefineryReader
    private let usesTraceLength: Bool
    private var scrubbers = ScrubberChain([])

    init(_ fields: [(slot: Int, isOfRoot: Bool)], reader: RefineryReader, usesTraceLength: Bool) {
        self.fields = fields
        self.reader = reader
        self.usesTraceLength = usesTraceLength
    }

    mutating func use(_ scrubbers: ScrubberChain) {
        self.scrubbers = scrubbers
        known.removeAll()
    }

    /// Remembers what a new key says, from the first trace that has it.
    ///
    /// - Parameter count: of the trace's items.
    mutating func note(_ key: UInt64, of trace: TraceEvidence, count: Int64) {
        guard known[key] == nil, known.count < Self.maximumTexts else { return }
        var values = [Set<String>](repeating: [], count: fields.count)
        let counts = reader.needsCounts ? reader.count(trace.spans) : .init()
        if trace.hasRoot, let root = trace.spans.root { collect(root, counts, ofRoot: true, into: &values) }
        trace.spans.visit {
            collect($0, counts, ofRoot: false, into: &values)
            return true
        }
        // What was read is borrowed from scrubbed copies.
        reader.beginTrace()
        var parts = values.map { $0.isEmpty ? "-" : $0.sorted().joined(separator: ",") }
        if usesTraceLength { parts.append("\(count) spans") }
        known[key] = parts.joined(separator: " ")
    }

    private func collect(
        _ span: TraceSpan, _ counts: RefineryReader.Counts, ofRoot isOfRoot: Bool, into values: inout [Set<String>]
    ) {
        scrubbers.withScrubbed(span) { scrubbed in
            let single = SingleSpan(scrubbed)
            // A scrubbed resource is a copy of this span's own, whatever its number says.
            reader.beginTrace()
            reader.visit(single, counts: counts) {
                for (index, field) in fields.enumerated()
                where field.isOfRoot == isOfRoot && values[index].count < Self.maximumValues {
                    let value = reader.values[field.slot]
                    guard value.exists else { continue }
                    values[index].insert(
                        value.withText { String(decoding: $0.prefix(Self.maximumValueLength), as: UTF8.self) })
                }
                // Fields of the root are those of the span itself, not of its events.
                return !isOfRoot
            }
        }
    }
}

/// One span as a trace.
private final class SingleSpan: TraceSpans {
    private let span: TraceSpan

    init(_ span: TraceSpan) { self.span = span }

    func visit(_ body: (TraceSpan) -> Bool) { _ = body(span) }
    var root: TraceSpan? { span }
    var requestBytes: UInt64 { UInt64(span.span.count) }
}
