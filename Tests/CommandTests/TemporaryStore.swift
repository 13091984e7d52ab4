import Foundation
import OTLP
import Pipeline
import Storage
import TraceModel

/// A store as two flushes of a worker leave it, in a folder of its own that goes with it.
///
/// The first flush keeps trace 1 and drops trace 2; the second keeps trace 3 and counts late spans of the first two.
final class TemporaryStore {
    static let kept = TraceID(high: 0xaa, low: 1)
    static let dropped = TraceID(high: 0xaa, low: 2)
    static let second = TraceID(high: 0xaa, low: 3)
    static let decidedAt: Int64 = 1_750_000_000_000
    static let partition = PartitionID(cluster: "c", topic: "otlp_spans", partition: 3)

    let layout: StoreLayout
    let store: FileDeliveryStore
    private let sink: SegmentSink

    var root: String { layout.root }

    init(incarnation: String = "host-1") throws {
        layout = StoreLayout(root: "/tmp/tailrace-store-\(UInt64.random(in: 0 ... .max))")
        store = try FileDeliveryStore(layout: layout, incarnation: incarnation)
        sink = SegmentSink(layout: layout, incarnation: incarnation, thread: 0)
        _ = try store.acquire(Self.partition)
        sink.write(Self.trace(Self.kept))
        _ = try publish(
            low: 100, high: 200,
            LaneDecisions(
                sampler: "sample",
                records: [Self.record(Self.kept, isKept: true), Self.record(Self.dropped, isKept: false)],
                policyNames: [7: ["errors", "rest"]]))
        sink.write(Self.trace(Self.second))
        _ = try publish(
            low: 150, high: 300,
            LaneDecisions(
                sampler: "sample", records: [Self.record(Self.second, isKept: true)],
                lateSpans: [
                    LateSpans(traceID: Self.kept, isKept: true, count: 2),
                    LateSpans(traceID: Self.dropped, isKept: false, count: 5),
                ], policyNames: [7: ["errors", "rest"]]))
    }

    deinit { try? FileManager.default.removeItem(atPath: layout.root) }

    func publish(low: Int64, high: Int64, epoch: UInt64 = 1, _ decisions: LaneDecisions) throws -> [TaskEntry] {
        let entry = TaskEntry(
            partition: Self.partition, epoch: epoch, low: low, high: high, lanes: [], streamTime: Self.decidedAt,
            streamTimeAtLow: Self.decidedAt, decisionFiles: [])
        let flushes = [sink.seal()].compactMap { $0 }
        return try store.publish(
            CommitGroup(tasks: [.init(entry: entry, decisions: [decisions])], flushes: flushes), writer: 0)
    }

    /// Files below the store with an ending, relative to it, sorted.
    func files(_ ending: String) -> [String] {
        let names = FileManager.default.enumerator(atPath: root)?.compactMap { $0 as? String } ?? []
        return names.filter { $0.hasSuffix(ending) }.sorted()
    }

    static func record(_ id: TraceID, isKept: Bool) -> DecisionRecord {
        DecisionRecord(
            traceID: id, isKept: isKept, trigger: isKept ? .root : .idle,
            policyIndex: isKept ? 0 : DecisionRecord.noPolicy, policyVersion: 7, probability: isKept ? 1 : 0.1,
            decidedAt: decidedAt, spanCount: 4, byteCount: 1234, duration: 80_000_000, firstOffset: 110,
            lastOffset: 120, errorCount: isKept ? 1 : 0)
    }

    static func trace(_ id: TraceID) -> KeptTrace {
        let payload = OTLPEncoder.encode([
            ResourceSpans(
                resource: Resource(attributes: [Attribute("service.name", .string("shop"))]),
                scopeSpans: [
                    ScopeSpans(
                        scope: InstrumentationScope(),
                        spans: [Span(traceID: id, spanID: SpanID(1), name: "GET /", startTime: 1, endTime: 2)])
                ])
        ])
        return KeptTrace(
            partition: partition,
            summary: TraceSummary(
                traceID: id, startTime: 1, endTime: 2, spanCount: 4, errorCount: 1, byteCount: 1234,
                rootService: "shop",
                rootName: "GET /", hasRoot: true),
            decision: Decision(
                isKept: true, policy: "errors", probability: 1, policyVersion: 7, trigger: .root, decidedAt: decidedAt,
                reason: "policy \"errors\" matched"), payload: payload, isLate: false)
    }
}
