import OTLP
import Pipeline
import Synchronization
import Testing
import TraceModel

@Suite("The check of a topic's keys")
struct PartitioningCheckTests {
    private let warnings = Warnings()

    private func check() -> PartitioningCheck {
        PartitioningCheck(source: "spans") { [warnings] in warnings.add($0) }
    }

    /// One record with one span per trace.
    private func observe(
        _ check: PartitioningCheck, _ traces: some Sequence<UInt64>, partition: Int32, key: [UInt8] = [], now: Int64 = 0
    ) {
        let heads = traces.map { number in
            var head = SpanHead()
            head.traceID = Self.id(number)
            return head
        }
        heads.withUnsafeBufferPointer { heads in
            key.withUnsafeBytes { key in
                check.observe(
                    heads, key: key, of: PartitionID(cluster: "c", topic: "otlp_spans", partition: partition), now: now)
            }
        }
    }

    private static func id(_ number: UInt64) -> TraceID {
        TraceID(high: number &* 0x9e37_79b9_7f4a_7c15, low: number | 1 << 63)
    }

    @Test("a topic that keeps each trace in one partition is never reported, whatever its keys are")
    func keyed() {
        let check = check()
        for round in 0..<4 {
            for number: UInt64 in 0..<200_000 {
                let partition = Int32(number / 100 % 8)
                // Batches of traces of one customer, keyed by the customer, or by nothing at all.
                observe(check, [number], partition: partition, key: round < 2 ? Array("customer-7".utf8) : [])
            }
        }
        #expect(check.status.splitTraces == 0)
        #expect(check.status.sampledTraces > 1000)
        #expect(check.status.recordsWithOtherKey > 0)
        #expect(check.status.recordsWithoutKey > 0)
        #expect(!check.status.isSplit(now: 0))
        #expect(warnings.all.isEmpty)
    }

    @Test("a trace in two partitions is counted once, and the first one is reported with the remedy")
    func split() throws {
        let check = check()
        for partition: Int32 in [2, 5, 5, 2, 7] { observe(check, 0..<10_000, partition: partition, now: 1_000_000) }
        let status = check.status
        // One in 64 of 10,000.
        #expect((100...220).contains(status.sampledTraces), "\(status.sampledTraces)")
        #expect(status.splitTraces == status.sampledTraces)
        #expect(warnings.all.count == 1)
        let warning = try #require(warnings.all.first)
        #expect(warning.contains("partitions 2 and 5"))
        #expect(warning.contains("partition_traces_by_id: true"))
        #expect(warning.contains("keyed_by: nothing at the source spans"))
    }

    @Test("partitions that are read one after the other are compared over ten million traces, in bounded memory")
    func backlog() {
        let check = check()
        observe(check, 0..<10_000_000, partition: 0)
        #expect(check.status.splitTraces == 0)
        // One trace in 200 was written to the other partition too.
        observe(check, stride(from: 0, to: 10_000_000, by: 200), partition: 1)
        #expect(check.status.splitTraces > 0)
        #expect(warnings.all.count == 1)
    }

    @Test("a repaired producer clears the state after ten minutes")
    func clears() {
        let check = check()
        for partition: Int32 in [0, 1] { observe(check, 0..<1000, partition: partition, now: 5000) }
        #expect(check.status.splitTraces > 0)
        #expect(check.status.isSplit(now: 5000 + 599_000))
        #expect(!check.status.isSplit(now: 5000 + 601_000))
    }

    @Test("keys that are the trace id are recognised as text and as raw bytes")
    func keys() {
        let check = check()
        for number: UInt64 in 0..<64_000 {
            let id = Self.id(number)
            observe(check, [number], partition: 0, key: number % 2 == 0 ? Array(id.hex.utf8) : id.bytes)
        }
        #expect(check.status.recordsKeyedByTraceID == check.status.sampledTraces)
        #expect(check.status.recordsWithOtherKey == 0)
    }
}

private final class Warnings: Sendable {
    private let lines = Mutex<[String]>([])
    var all: [String] { lines.withLock { $0 } }
    func add(_ line: String) { lines.withLock { $0.append(line) } }
}
