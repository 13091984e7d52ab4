import Glibc
import OTLP
import Pipeline
import Storage
import Synchronization
import TraceModel

/// The same sequence for the same seed on every machine: a failing seed can be run again.
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    /// SplitMix64.
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}

/// Files in memory; can fail on demand.
final class MemoryFileSystem: FileSystem {
    struct State {
        var files: [String: [UInt8]] = [:]
        var failures: Set<String> = []
        var bytesRead = 0
    }

    private let state = Mutex(State())

    subscript(path: String) -> [UInt8]? {
        get { state.withLock { $0.files[path] } }
        set { state.withLock { $0.files[path] = newValue } }
    }

    var paths: [String] { state.withLock { $0.files.keys.sorted() } }

    /// Bytes that `read` with a range has returned so far.
    var bytesRead: Int { state.withLock { $0.bytesRead } }

    /// Makes an operation ("write", "rename", "read") fail until it is allowed again.
    func fail(_ operation: String, _ fails: Bool = true) {
        state.withLock { state in
            if fails { state.failures.insert(operation) } else { state.failures.remove(operation) }
        }
    }

    private func perform<Result: Sendable>(
        _ operation: String, _ path: String, _ body: (inout sending State) -> sending Result?
    ) throws(FileError) -> Result {
        let outcome: Swift.Result<Result, FileError> = state.withLock { state in
            if state.failures.contains(operation) {
                return .failure(FileError(operation: operation, path: path, code: EIO, explanation: "injected"))
            }
            guard let result = body(&state) else {
                return .failure(FileError(operation: operation, path: path, code: ENOENT, explanation: "no such file"))
            }
            return .success(result)
        }
        return try outcome.get()
    }

    func writeDurably(_ bytes: [UInt8], to path: String) throws(FileError) {
        try perform("write", path) { $0.files[path] = bytes }
    }

    func appendDurably(_ bytes: [UInt8], to path: String, at offset: UInt64, isPrivate: Bool) throws(FileError) {
        try perform("append", path) { $0.files[path, default: []].append(contentsOf: bytes) }
    }

    func renameDurably(_ from: String, to: String) throws(FileError) {
        try perform("rename", from) { state in
            state.files.removeValue(forKey: from).map { state.files[to] = $0 }
        }
    }

    func createExclusively(_ bytes: [UInt8], at path: String) throws(FileError) -> Bool {
        try perform("create", path) { state in
            if state.files[path] != nil { return false }
            state.files[path] = bytes
            return true
        }
    }

    func read(_ path: String) throws(FileError) -> [UInt8] { try perform("read", path) { $0.files[path] } }

    func read(_ path: String, from offset: UInt64, count: Int) throws(FileError) -> [UInt8] {
        try perform("read", path) { state in
            let bytes = state.files[path].map { Array($0.dropFirst(Int(clamping: offset)).prefix(count)) }
            state.bytesRead += bytes?.count ?? 0
            return bytes
        }
    }

    func size(_ path: String) throws(FileError) -> UInt64 {
        try perform("size", path) { state in state.files[path].map { UInt64($0.count) } }
    }

    func list(_ directory: String) throws(FileError) -> [String] { [] }
    func createDirectory(_ path: String) throws(FileError) {}
    func syncDirectory(_ path: String) throws(FileError) {}

    func remove(_ path: String) throws(FileError) { try perform("remove", path) { $0.files[path] = nil } }
}

/// A kept trace with `spans` spans in a chain, starting at `start` nanoseconds.
func keptTrace(
    _ number: UInt64, service: String = "checkout", start: UInt64 = 1_000_000_000, spans: Int = 3, errors: Int = 0,
    partition: Int32 = 0, isLate: Bool = false, padding: Int = 0
) -> KeptTrace {
    // Spread over the whole range, as random ids are.
    let id = TraceID(high: number &* 0x9e37_79b9_7f4a_7c15, low: number)
    let text: AttributeValue = .string(String(repeating: "x", count: padding))
    var list: [Span] = []
    for index in 0..<UInt64(spans) {
        let spanID: UInt64 = number << 16 | (index + 1)
        let parentID: UInt64 = index == 0 ? 0 : spanID - 1
        list.append(
            Span(
                traceID: id, spanID: SpanID(spanID), parentSpanID: SpanID(parentID), name: "step \(index)",
                kind: .server, startTime: start + index, endTime: start + 1000,
                attributes: [Attribute("text", text)]))
    }
    let resource = Resource(attributes: [Attribute("service.name", .string(service))])
    let payload = OTLPEncoder.encode([
        ResourceSpans(resource: resource, scopeSpans: [ScopeSpans(scope: InstrumentationScope(), spans: list)])
    ])
    var trace = KeptTrace(
        partition: PartitionID(cluster: "test", topic: "spans", partition: partition),
        summary: TraceSummary(
            traceID: id, startTime: start, endTime: start + 1000, spanCount: spans, errorCount: errors,
            byteCount: payload.count, rootService: service, rootName: "step 0", hasRoot: !isLate),
        decision: Decision(
            isKept: true, policy: "errors", probability: 0.25, policyVersion: 7, trigger: .root,
            decidedAt: 1_700_000_000_000 + Int64(number % 1000), reason: "because of trace \(number)"),
        payload: payload, isLate: isLate)
    trace.operations = [IndexedOperation(service: service, operation: "step 0", kind: .server)]
    trace.attributes = [IndexedAttribute(key: "number", value: String(number))]
    return trace
}
