public import Pipeline
public import Storage
import Synchronization
import TraceModel

/// Answers questions about the traces of a store directory: by id, by search.
///
/// Calls block on file reads and may come from any thread. Results follow the catalog with a delay of `refreshInterval`.
/// Where a segment cannot be read the others still answer, and the result says what is missing; where the catalog cannot
/// be read the segments known before answer.
public final class TraceStore: Sendable {
    /// What the newest refresh found. Immutable: a search works on one snapshot from beginning to end.
    struct Snapshot: Sendable {
        /// By `maxStart`, newest first: a search can stop early.
        var segments: [OpenSegment] = []
        /// Traces of which late spans are stored: their rows must be put together.
        var lateIDs = Set<TraceID>()
        var problems: [SegmentProblem] = []
        var catalogError: String?
    }

    private struct State {
        var snapshot: Snapshot?
        var refreshedAt: ContinuousClock.Instant?
    }

    private let catalog: any SegmentCatalog
    private let layout: StoreLayout
    private let fileSystem: any FileSystem
    private let refreshInterval: Duration
    private let state = Mutex(State())
    /// Held while the catalog is read, so that many requests cause one reading.
    private let refreshing = Mutex(())
    let cache: SummaryCache

    /// - Parameters:
    ///   - refreshInterval: results are at most this old.
    ///   - cacheBytes: memory for summaries of searched segments.
    public init(
        catalog: any SegmentCatalog, layout: StoreLayout, fileSystem: any FileSystem = LocalFileSystem(),
        refreshInterval: Duration = .seconds(1), cacheBytes: Int = 256 << 20
    ) {
        self.catalog = catalog
        self.layout = layout
        self.fileSystem = fileSystem
        self.refreshInterval = refreshInterval
        cache = SummaryCache(byteLimit: cacheBytes)
    }

    /// Reads the catalog now, whatever its age. Throws only where there never was a catalog to read.
    public func refresh() throws {
        try refreshing.withLock { _ in try reload() }
    }

    // MARK: Names and numbers

    /// Every service with a stored span, sorted.
    public func services() throws -> [String] {
        var names = Set<String>()
        for segment in try snapshot().segments where segment.acceptedOrdinals.contains(true) {
            names.formUnion(segment.reader.services)
        }
        return names.sorted()
    }

    /// Operations of a service, sorted by name and kind. Reads the summaries of every segment with that service.
    public func operations(service: String) throws -> [IndexedOperation] {
        var operations = Set<IndexedOperation>()
        for segment in try snapshot().segments where segment.reader.mayContain(service: service) {
            // An unreadable segment shows in the statistics; the names in the others are worth having.
            guard let columns = try? cache.columns(of: segment) else { continue }
            guard let wanted = columns.positions(of: [service])[0] else { continue }
            let rows = columns.rows
            var found = Set<SegmentSummaries.OperationReference>()
            for row in 0..<rows.rowCount where segment.acceptedOrdinals[Int(rows.partitionOrdinals[row])] {
                for operation in rows.operations(of: row) where operation.service == wanted { found.insert(operation) }
                if rows.rootServices[row] == wanted, rows.operations(of: row).isEmpty {
                    found.insert(.init(service: wanted, operation: rows.rootNames[row], kind: .unspecified))
                }
            }
            for operation in found {
                operations.insert(
                    IndexedOperation(
                        service: service, operation: rows.string(operation.operation), kind: operation.kind))
            }
        }
        return operations.sorted { ($0.operation, $0.kind.rawValue) < ($1.operation, $1.kind.rawValue) }
    }

    public func statistics() throws -> StoreStatistics {
        let snapshot = try snapshot()
        var statistics = StoreStatistics()
        for segment in snapshot.segments {
            statistics.segmentCount += 1
            statistics.traceCount += segment.reader.traceCount
            statistics.spanCount += segment.reader.spanCount
            statistics.fileBytes += segment.reader.byteCount
            statistics.payloadBytes += segment.reader.payloadBytes
        }
        statistics.cachedBytes = cache.bytes
        statistics.unreadableSegments = snapshot.problems
        statistics.catalogError = snapshot.catalogError
        return statistics
    }

    // MARK: The snapshot

    func snapshot() throws -> Snapshot {
        let (known, isFresh) = state.withLock { state in
            (state.snapshot, state.refreshedAt.map { ContinuousClock.now - $0 < refreshInterval } ?? false)
        }
        if let known, isFresh { return known }
        if known != nil {
            // Whoever comes while another thread refreshes works with what is known.
            _ = try refreshing.withLockIfAvailable { _ in try reload() }
        } else {
            try refreshing.withLock { _ in
                // Another thread may have been first.
                if state.withLock({ $0.snapshot == nil }) { try reload() }
            }
        }
        return state.withLock { $0.snapshot } ?? Snapshot()
    }

    private func reload() throws {
        let known = state.withLock { $0.snapshot }
        let accepted: [AcceptedSegment]
        do {
            accepted = try catalog.refresh()
        } catch {
            guard var stale = known else { throw error }
            stale.catalogError = "\(error)"
            publish(stale)
            return
        }
        var previous: [String: OpenSegment] = [:]
        for segment in known?.segments ?? [] { previous[segment.path] = segment }
        var next = Snapshot()
        for segment in accepted {
            let open = previous[segment.reference.path]
            if let open, open.accepted == segment {
                next.segments.append(open)
                continue
            }
            do {
                next.segments.append(
                    try OpenSegment(segment, layout: layout, fileSystem: fileSystem, previous: open))
            } catch {
                next.problems.append(SegmentProblem(path: segment.reference.path, explanation: "\(error)"))
            }
        }
        next.segments.sort { ($0.reader.maxStart, $0.path) > ($1.reader.maxStart, $1.path) }
        for segment in next.segments { next.lateIDs.formUnion(segment.lateIDs) }
        cache.keepOnly(Set(next.segments.map(\.path)))
        publish(next)
    }

    private func publish(_ snapshot: Snapshot) {
        state.withLock { state in
            state.snapshot = snapshot
            state.refreshedAt = .now
        }
    }

    /// Runs `body` on a snapshot; once more on a fresh one where a file had vanished, because compaction and retention
    /// replace segments while readers work.
    func withSnapshot<Result>(_ body: (Snapshot, inout Bool) throws -> Result) throws -> Result {
        var sawMissing = false
        let result = try body(try snapshot(), &sawMissing)
        guard sawMissing else { return result }
        try refresh()
        return try body(try snapshot(), &sawMissing)
    }
}
