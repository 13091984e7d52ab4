import OTLP
import TraceModel

/// Gives a sampler its spans in the order of their time, where the log's order is another: in an internal topic records of
/// outer partitions follow one another that were read at different moments of a backlog.
///
/// A record that is ahead of stream time is held, as its bytes, until stream time has come to it; the sampler then sees what
/// it would have seen had the records come in order. What is held is in the sampler's custody: its refs are not done.
final class TimeOrderedSampler: Sampler {
    private struct Held {
        /// The stream time that the record has for the sampler, milliseconds.
        var time: Int64
        var offset: Int64
        var timestamp: Int64
        var bytes: [UInt8]
        var selection: [UInt32]

        var byteCount: Int { bytes.count + selection.count * 4 + 96 }

        static func < (left: Held, right: Held) -> Bool {
            left.time == right.time ? left.offset < right.offset : left.time < right.time
        }
    }

    private let sampler: any Sampler
    private let partition: PartitionID
    /// A heap: the earliest first.
    private var held: [Held] = []
    private var heldBytes = 0
    private var heldSpans = 0
    /// The time up to which records were let through.
    private var releasedTime = Int64.min
    private var scanner = OTLPScanner()
    private let batch = SpanBatch()

    init(_ sampler: any Sampler, partition: PartitionID) {
        self.sampler = sampler
        self.partition = partition
    }

    // MARK: - Sampler

    /// `context.streamTime` is the record's own time, which may be ahead of the stream time that `advance` was told.
    func add(
        _ batch: SpanBatch, _ selection: borrowing [UInt32], context: borrowing RecordContext,
        to output: any SamplerOutput
    ) {
        #if TAILRACE_MUTATIONS
            if ProtocolMutation.active == .recordsNotHeld {
                return sampler.add(batch, selection, context: context, to: output)
            }
        #endif
        if context.streamTime <= releasedTime {
            var inTime = copy context
            inTime.streamTime = releasedTime
            sampler.add(batch, selection, context: inTime, to: output)
            return
        }
        push(
            Held(
                time: context.streamTime, offset: context.offset, timestamp: context.timestamp,
                bytes: Array(batch.record), selection: copy selection))
    }

    func advance(to streamTime: Int64, output: any SamplerOutput) {
        release(through: streamTime, output)
        releasedTime = max(releasedTime, streamTime)
        sampler.advance(to: streamTime, output: output)
    }

    /// Decided traces free memory first. Only where what is held is itself too much the earliest records are let through before
    /// their time: their traces are then decided early, as all traces are that memory has no room for.
    func shrink(toBytes bytes: Int, output: any SamplerOutput) {
        while heldBytes > bytes, let first = held.first {
            release(through: first.time, output)
            releasedTime = max(releasedTime, first.time)
        }
        sampler.shrink(toBytes: max(0, bytes - heldBytes), output: output)
    }

    func closeAll(output: any SamplerOutput) {
        release(through: .max, output)
        sampler.closeAll(output: output)
    }

    func restore(_ decisions: [DecisionRecord]) { sampler.restore(decisions) }

    var state: [UInt8] { sampler.state }

    func restore(state: [UInt8]) { sampler.restore(state: state) }

    func reconfigure(_ settings: StageSettings, _ context: SamplerContext) throws -> Bool {
        try sampler.reconfigure(settings, context)
    }

    /// A trace of which everything is still held is not known to the sampler yet.
    func openTrace(_ id: TraceID) -> OpenTrace? { sampler.openTrace(id) }

    var failure: (any Error)? { sampler.failure }

    var decisionHorizon: Int64 { sampler.decisionHorizon }

    var gauges: SamplerGauges {
        var gauges = sampler.gauges
        gauges.openSpans += heldSpans
        gauges.windowBytes += heldBytes
        return gauges
    }

    var policyCounters: [PolicyCounters] { sampler.policyCounters }

    func text(of name: DecisionName) -> String? { sampler.text(of: name) }

    var budgets: [BudgetGauge] { sampler.budgets }

    func takeBudgetShare(_ share: Double, policy: String) { sampler.takeBudgetShare(share, policy: policy) }

    func chargeBudget(seconds: Double, policy: String) { sampler.chargeBudget(seconds: seconds, policy: policy) }

    // MARK: -

    private func release(through time: Int64, _ output: any SamplerOutput) {
        while let first = held.first, first.time <= time {
            let record = pop()
            record.bytes.withUnsafeBytes { bytes in
                // The same bytes were scanned before they were held.
                do { try scanner.scan(bytes, into: batch) } catch { return }
                let context = RecordContext(
                    partition: partition, offset: record.offset, timestamp: record.timestamp,
                    streamTime: max(record.time, releasedTime))
                sampler.add(batch, record.selection, context: context, to: output)
                batch.forget()
            }
        }
    }

    private func push(_ record: Held) {
        heldBytes += record.byteCount
        heldSpans += record.selection.count
        held.append(record)
        var index = held.count - 1
        while index > 0, held[index] < held[(index - 1) / 2] {
            held.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    private func pop() -> Held {
        held.swapAt(0, held.count - 1)
        let record = held.removeLast()
        heldBytes -= record.byteCount
        heldSpans -= record.selection.count
        var index = 0
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2] where child < held.count && held[child] < held[least] {
                least = child
            }
            if least == index { return record }
            held.swapAt(index, least)
            index = least
        }
    }
}
