import OTLP
import Pipeline
import TraceModel

/// Puts the spans of a kept trace together as one OTLP request: grouped by resource and scope, duplicates merged, scrubbed.
///
/// Only kept traces come here, so only they pay for scrubbing and for looking at their spans again.
struct TraceAssembler {
    private let scrubbers: ScrubberChain
    /// Scrubbed resources and scopes by unit index: they repeat in every trace.
    private var scrubbedResources: [UInt32: [UInt8]] = [:]
    private var scrubbedScopes: [UInt32: [UInt8]] = [:]
    /// Used again for each trace.
    private var outline = TraceOutline()

    init(scrubbers: [any SpanScrubber]) {
        self.scrubbers = ScrubberChain(scrubbers)
    }

    /// Forgets what was cached for units that no longer exist.
    mutating func forget(_ units: [UInt32]) {
        for unit in units {
            scrubbedResources[unit] = nil
            scrubbedScopes[unit] = nil
        }
    }

    private struct Piece {
        var unit: UInt32
        var bytes: UnsafeRawBufferPointer
        var isRoot: Bool
        /// Below the path to an error: kept only where the trace is kept whole.
        var isBeyondOutline = false
        /// Says how many spans were left out.
        var countsLeftOut = false
    }

    /// What is made of a trace's outline.
    enum OutlineUse {
        case none
        /// Everything is kept; the spans beyond the outline have another weight.
        case weights
        /// Nothing but the outline is kept.
        case only
    }

    private struct Identity: Hashable {
        var spanID: SpanID
        var kind: UInt8
    }

    // MARK: - Whole traces

    /// - Parameter isLate: the spans came after the others' decision; of an outline they are those with an error.
    /// - Returns: the trace and how many of its spans were duplicates (same span id and kind; a client and a server span may
    ///   share an id).
    mutating func assemble(
        _ state: TraceState, runs: borrowing RunPool, arena: borrowing SpanArena, units: borrowing UnitTable,
        decision: Decision, annotation: SpanAnnotation?, partition: PartitionID, outlineUse: OutlineUse = .none,
        isLate: Bool = false
    ) -> (trace: KeptTrace, duplicates: Int) {
        var pieces: [Piece] = []
        if outlineUse != .none { outline.removeAll() }
        var seen: Set<Identity> = []
        var duplicates = 0
        var errors = 0
        var byteCount = 0
        var start = UInt64.max
        var end: UInt64 = 0
        var root: (unit: UInt32, name: UnsafeRawBufferPointer)?
        var index = state.firstRun
        while index != RunPool.none {
            let run = runs[index]
            var position = run.position
            for _ in 0..<run.spanCount {
                guard let address = arena.address(chunk: run.chunk, offset: position) else { break }
                let length = address.loadUnaligned(as: UInt32.self)
                let bytes = UnsafeRawBufferPointer(start: address + 4, count: Int(length))
                position += length + 4
                let fields = SpanFields(bytes)
                #if TAILRACE_MUTATIONS
                    let identity =
                        switch ProtocolMutation.active {
                        case .duplicatesWithoutKind: Identity(spanID: fields.spanID, kind: 0)
                        case .duplicatesKept: Identity(spanID: SpanID(UInt64(seen.count + 1) << 32), kind: 0)
                        default: Identity(spanID: fields.spanID, kind: fields.kind)
                        }
                #else
                    let identity = Identity(spanID: fields.spanID, kind: fields.kind)
                #endif
                if !seen.insert(identity).inserted {
                    duplicates += 1
                    continue
                }
                if fields.status == StatusCode.error.rawValue { errors += 1 }
                if fields.startTime != 0 { start = min(start, fields.startTime) }
                end = max(end, fields.endTime)
                if outlineUse != .none {
                    outline.add(
                        // Whether those above a late span are there is not known any more.
                        fields.spanID, parent: isLate ? SpanID(.max) : fields.parentSpanID,
                        isError: fields.status == StatusCode.error.rawValue)
                }
                if root == nil, fields.parentSpanID.isZero { root = (run.unit, fields.name) }
                pieces.append(Piece(unit: run.unit, bytes: bytes, isRoot: fields.parentSpanID.isZero))
            }
            index = run.next
        }
        let leftOut = applyOutline(outlineUse, to: &pieces)
        if leftOut > 0, !isLate, !pieces.isEmpty {
            pieces[pieces.firstIndex(where: \.isRoot) ?? 0].countsLeftOut = true
        }
        for piece in pieces { byteCount += piece.bytes.count }
        var summary = summary(of: state, runs: runs, arena: arena, units: units)
        if let root, !summary.hasRoot {
            summary.hasRoot = true
            summary.rootService = serviceName(root.unit, units: units)
            summary.rootName = scrubbers.name(root.name)
        }
        summary.spanCount = pieces.count
        summary.leftOutSpanCount = leftOut
        summary.errorCount = errors
        summary.byteCount = byteCount
        summary.startTime = start == .max ? 0 : start
        summary.endTime = end
        let trace = KeptTrace(
            partition: partition, summary: summary, decision: decision,
            payload: payload(pieces, units: units, annotation, leftOutSpans: leftOut), isLate: isLate)
        return (trace, duplicates)
    }

    /// Marks or removes the spans beyond the outline; returns how many were removed.
    private mutating func applyOutline(_ use: OutlineUse, to pieces: inout [Piece]) -> Int {
        guard use != .none else { return 0 }
        outline.find()
        for (index, isIn) in outline.isIn.enumerated() { pieces[index].isBeyondOutline = !isIn }
        guard use != .weights else { return 0 }
        let count = pieces.count
        pieces.removeAll(where: \.isBeyondOutline)
        return count - pieces.count
    }

    /// A late span of a kept trace, as a trace of one span.
    mutating func assembleLate(
        _ head: SpanHead, bytes: UnsafeRawBufferPointer, unit: UInt32, units: borrowing UnitTable, decision: Decision,
        annotation: SpanAnnotation?, partition: PartitionID
    ) -> KeptTrace {
        let summary = TraceSummary(
            traceID: head.traceID, startTime: head.startTime, endTime: head.endTime, spanCount: 1,
            errorCount: head.isError ? 1 : 0, byteCount: bytes.count, rootService: serviceName(unit, units: units),
            rootName: scrubbers.name(SpanFields(bytes).name), hasRoot: head.isRoot)
        return KeptTrace(
            partition: partition, summary: summary, decision: decision,
            payload: payload(
                [Piece(unit: unit, bytes: bytes, isRoot: head.isRoot, isBeyondOutline: !head.isError)], units: units,
                annotation),
            isLate: true)
    }

    /// The summary of a trace without looking at spans other than its root.
    mutating func summary(
        of state: TraceState, runs: borrowing RunPool, arena: borrowing SpanArena, units: borrowing UnitTable
    ) -> TraceSummary {
        var service = ""
        var name = ""
        let rootRun = state.rootRun == RunPool.none ? state.firstRun : state.rootRun
        if rootRun != RunPool.none {
            let run = runs[rootRun]
            service = serviceName(run.unit, units: units)
            let position = state.rootRun == RunPool.none ? run.position : state.rootPosition
            if let address = arena.address(chunk: run.chunk, offset: position) {
                let length = Int(address.loadUnaligned(as: UInt32.self))
                name = scrubbers.name(SpanFields(UnsafeRawBufferPointer(start: address + 4, count: length)).name)
            }
        }
        return TraceSummary(
            traceID: state.traceID, startTime: state.startTime == .max ? 0 : state.startTime, endTime: state.endTime,
            spanCount: Int(state.spanCount), errorCount: Int(state.errorCount), byteCount: Int(state.byteCount),
            rootService: service, rootName: name, hasRoot: state.rootSeen != .max)
    }

    // MARK: - Bytes

    /// `ExportTraceServiceRequest {1: ResourceSpans {1: resource, 2: ScopeSpans {1: scope, 2: span…, 3: url}, 3: url}}`
    private mutating func payload(
        _ pieces: [Piece], units: borrowing UnitTable, _ annotation: SpanAnnotation?, leftOutSpans: Int = 0
    ) -> [UInt8] {
        var order: [UInt32] = []
        var byUnit: [UInt32: [Piece]] = [:]
        // Units with an equal resource become one ResourceSpans with several scopes: by the first unit of each.
        var firstUnits: [UInt64: UInt32] = [:]
        var groups: [UInt32: [UInt32]] = [:]
        for piece in pieces {
            if byUnit[piece.unit] == nil {
                let first = firstUnits[units.resourceHash(piece.unit), default: piece.unit]
                let leader = units.haveSameResource(first, piece.unit) ? first : piece.unit
                firstUnits[units.resourceHash(piece.unit)] = first
                if leader == piece.unit { order.append(leader) }
                groups[leader, default: []].append(piece.unit)
            }
            byUnit[piece.unit, default: []].append(piece)
        }
        var writer = ProtobufWriter(
            reservingCapacity: pieces.reduce(64) { $0 + $1.bytes.count + 8 } + order.count * 256)
        for unit in order {
            let resource = scrubbedResource(unit, units: units)
            writer.messageField(1) { writer in
                writer.bytesField(1, resource)
                for member in groups[unit] ?? [] {
                    let scope = scrubbedScope(member, units: units)
                    writer.messageField(2) { writer in
                        if !scope.isEmpty { writer.bytesField(1, scope) }
                        for piece in byUnit[member] ?? [] { appendSpan(piece, annotation, leftOutSpans, to: &writer) }
                        let schemaURL = units.scopeSchemaURL(member)
                        if !schemaURL.isEmpty { writer.bytesField(3, schemaURL) }
                    }
                }
                let schemaURL = units.resourceSchemaURL(unit)
                if !schemaURL.isEmpty { writer.bytesField(3, schemaURL) }
            }
        }
        return writer.bytes
    }

    private mutating func appendSpan(
        _ piece: Piece, _ annotation: SpanAnnotation?, _ leftOutSpans: Int, to writer: inout ProtobufWriter
    ) {
        guard !scrubbers.isEmpty else {
            append(piece.bytes, of: piece, annotation, leftOutSpans, to: &writer)
            return
        }
        let scrubbed = scrubbers.scrub(piece.bytes, as: .span)
        // A span without any field is none: it would be stored as one with the trace id zero.
        if scrubbed.isEmpty { return }
        scrubbed.withUnsafeBytes { append($0, of: piece, annotation, leftOutSpans, to: &writer) }
    }

    /// Annotations come after scrubbing: they are ours, and no rule is about them.
    private func append(
        _ span: UnsafeRawBufferPointer, of piece: Piece, _ annotation: SpanAnnotation?, _ leftOutSpans: Int,
        to writer: inout ProtobufWriter
    ) {
        let leftOut = piece.countsLeftOut ? leftOutSpans : 0
        if let annotation {
            annotation.write(
                span, isRoot: piece.isRoot, isBeyondOutline: piece.isBeyondOutline, leftOutSpans: leftOut, into: &writer
            )
        } else if leftOut > 0 {
            SpanAnnotation.none.write(
                span, isRoot: piece.isRoot, isBeyondOutline: false, leftOutSpans: leftOut, into: &writer)
        } else {
            writer.bytesField(2, span)
        }
    }

    private mutating func scrubbedResource(_ unit: UInt32, units: borrowing UnitTable) -> [UInt8] {
        if let cached = scrubbedResources[unit] { return cached }
        let scrubbed = scrubbers.scrub(units.resource(unit), as: .resource)
        scrubbedResources[unit] = scrubbed
        return scrubbed
    }

    private mutating func scrubbedScope(_ unit: UInt32, units: borrowing UnitTable) -> [UInt8] {
        if let cached = scrubbedScopes[unit] { return cached }
        let scrubbed = scrubbers.scrub(units.scope(unit), as: .scope)
        scrubbedScopes[unit] = scrubbed
        return scrubbed
    }

    private static let serviceNameKey = Array("service.name".utf8)

    private mutating func serviceName(_ unit: UInt32, units: borrowing UnitTable) -> String {
        scrubbedResource(unit, units: units).withUnsafeBytes { resource in
            if case .string(let name)? = AttributeLookup.value(of: Self.serviceNameKey, in: resource, .resource) {
                return String(decoding: name, as: UTF8.self)
            }
            return ""
        }
    }
}
