import OTLP
import Pipeline
import TraceModel

/// The open traces of a sampler and the bytes of their spans.
///
/// A value of its own, apart from the sampler: a record's spans are entered in one mutating call, so that the run-time's
/// check for overlapping accesses happens once per record and trace instead of several times per span.
struct OpenTraceStore: ~Copyable {
    var arena: SpanArena
    var runs = RunPool()
    var table = TraceTable()
    var units = UnitTable()
    private(set) var openSpans = 0
    /// The run whose bytes end where the arena's next bytes go.
    private var lastRunStored = RunPool.none
    /// Reused: units of the record at hand, looked up when the first span needs one.
    private var unitIndices: [UInt32] = []
    /// Reused: the conditions that these units meet.
    private var unitConditions: [UInt64] = []

    init(arena: consuming SpanArena) {
        self.arena = arena
    }

    /// Bytes of memory that the open traces occupy.
    var usedBytes: Int { arena.usedBytes + runs.byteCount + table.byteCount + units.byteCount }

    // MARK: - Spans in

    /// The spans that come next belong to another record.
    mutating func beginRecord(unitCount: Int) {
        unitIndices.removeAll(keepingCapacity: true)
        for _ in 0..<unitCount { unitIndices.append(RunPool.none) }
        while unitConditions.count < unitCount { unitConditions.append(0) }
    }

    /// Adds spans of one record to an open trace.
    ///
    /// - Parameters:
    ///   - spans: indices into the batch, ascending; `range` is a part of them, all of the trace at `index`.
    ///   - hotBytes: bytes of spans that stay in memory where they go to disk.
    /// - Returns: whether the trace's deadline may have moved forward.
    mutating func append(
        _ spans: borrowing [UInt32], _ range: Range<Int>, of batch: SpanBatch, to index: UInt32, offset: Int64,
        streamTime: Int64, settings: borrowing WindowSettings, policies: PolicyList, hotBytes: Int
    ) -> Bool {
        let heads = batch.heads
        let record = batch.record
        let recordUnits = batch.units
        var state = table[index]
        let isLate = streamTime > settings.deadline(of: state)
        var isEarlier = false
        var last = isLate ? state.lastLateRun : state.lastRun
        for position in range {
            let spanIndex = spans[position]
            let head = heads[Int(spanIndex)]
            var unit = unitIndices[Int(head.unit)]
            if unit == RunPool.none {
                unit = units.intern(recordUnits[Int(head.unit)], in: record)
                unitIndices[Int(head.unit)] = unit
                unitConditions[Int(head.unit)] = policies.conditionsMet(byUnit: unit, of: head, in: batch)
            }
            let length = Int(head.message.length)
            if !arena.fits(length &+ 4) { openChunk(for: length + 4, settings, hotBytes: hotBytes) }
            let place = arena.position
            if let base = record.baseAddress { arena.append(base + head.message.start, count: length) }
            if last != RunPool.none, last == lastRunStored, runs[last].continues(offset, spanIndex, unit, place.chunk) {
                runs[last].spanCount &+= 1
            } else {
                arena.retainRun()
                units.retain(unit)
                let run = runs.add(
                    SpanRun(
                        offset: offset, firstIndex: spanIndex, spanCount: 1, chunk: place.chunk, position: place.offset,
                        unit: unit, next: RunPool.none))
                lastRunStored = run
                if last != RunPool.none {
                    runs[last].next = run
                } else if isLate {
                    state.firstLateRun = run
                } else {
                    state.firstRun = run
                }
                last = run
            }
            if isLate { continue }
            state.matched = policies.observe(
                head, in: batch, record, unit: unit, unitMet: unitConditions[Int(head.unit)], of: index,
                matched: state.matched)
            if state.accumulate(head, run: last, position: place.offset, at: streamTime) { isEarlier = true }
            if state.reachesLimit(of: settings) {
                state.limitReached = streamTime
                isEarlier = true
            }
        }
        if isLate { state.lastLateRun = last } else { state.lastRun = last }
        openSpans &+= range.count
        table[index] = state
        return isEarlier
    }

    private mutating func openChunk(for length: Int, _ settings: borrowing WindowSettings, hotBytes: Int) {
        arena.openChunk(for: length)
        if settings.buffer == .disk { _ = arena.spill(toBytes: hotBytes) }
    }

    // MARK: - Spans out

    /// Gives back a chain of runs and reports their refs done. Reads the runs only, never the spans' bytes.
    mutating func release(from first: UInt32, _ output: any SamplerOutput) -> Int {
        var index = first
        var spans = 0
        while index != RunPool.none {
            let run = runs[index]
            output.done(offset: run.offset, firstIndex: run.firstIndex, count: run.spanCount)
            spans += Int(run.spanCount)
            arena.releaseRun(chunk: run.chunk)
            units.release(run.unit)
            runs.remove(index)
            index = run.next
        }
        openSpans -= spans
        return spans
    }

    /// Runs were given back: none of them may be continued.
    mutating func endRun() { lastRunStored = RunPool.none }

    /// Gives the tables' memory back; for when no trace is open.
    mutating func releaseUnused() {
        guard table.count == 0 else { return }
        table.releaseMemory()
        runs.releaseMemory()
    }

    /// The first and last offset of a trace's records in time.
    func offsetRange(of state: TraceState) -> (first: Int64, last: Int64) {
        guard state.firstRun != RunPool.none else { return (-1, -1) }
        // Runs are chained in order of arrival, which is the order of offsets.
        return (runs[state.firstRun].offset, runs[state.lastRun].offset)
    }
}

extension SpanRun {
    /// Whether a span is the next of the same record, with its bytes in the same chunk.
    @inline(__always)
    fileprivate func continues(_ offset: Int64, _ spanIndex: UInt32, _ unit: UInt32, _ chunk: UInt32) -> Bool {
        self.offset == offset && firstIndex &+ spanCount == spanIndex && self.unit == unit && self.chunk == chunk
    }
}

extension TraceState {
    /// Takes a span into account that came in time.
    ///
    /// - Returns: whether it is the first root span.
    @inline(__always)
    fileprivate mutating func accumulate(
        _ head: borrowing SpanHead, run: UInt32, position: UInt32, at streamTime: Int64
    ) -> Bool {
        let isFirstRoot = head.isRoot && rootSeen == .max
        if spanCount == 0 || isFirstRoot {
            rootRun = run
            rootPosition = position
        }
        if isFirstRoot { rootSeen = streamTime }
        lastSeen = streamTime
        spanCount &+= 1
        byteCount &+= UInt64(head.message.length)
        if head.startTime != 0, head.startTime < startTime { startTime = head.startTime }
        if head.endTime > endTime { endTime = head.endTime }
        statusSeen |= 1 << head.status
        if head.isError { errorCount &+= 1 }
        return isFirstRoot
    }

    @inline(__always)
    fileprivate func reachesLimit(of settings: borrowing WindowSettings) -> Bool {
        guard limitReached == .max else { return false }
        if spanCount >= settings.maximumSpansPerTrace { return true }
        return byteCount >= settings.maximumBytesPerTrace ? true : byteCount > settings.droppedAboveBytes
    }
}
