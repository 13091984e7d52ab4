import OTLP
import Testing
import TraceModel

@testable import Pipeline

/// I16: every span is counted once, on either side of the equation, at every moment.
struct LedgerEquationTests {
    private static let pipelines = [
        """
          sample: { kind: tail_sampler, from: spans, policies: [{ name: e, type: status_code, status_code: { status_codes: [ERROR] } }] }
          out: { kind: output, from: [sample, sample.dropped] }
        """,
        """
          split: { kind: split, from: spans }
          sample: { kind: tail_sampler, from: split, policies: [{ name: all, type: always_sample }] }
          out: { kind: output, from: sample }
          bad: { kind: output, from: [spans.rejected, split.rejected] }
        """,
        """
          split: { kind: split, from: spans }
          copy: { kind: copy, from: [split, split.odd] }
          sample: { kind: tail_sampler, from: [copy, copy.two], policies: [{ name: all, type: always_sample }] }
          out: { kind: output, from: sample }
        """,
        """
          split: { kind: split, from: spans }
          both: { kind: tail_sampler, from: [split, split.odd, spans], policies: [{ name: all, type: always_sample }] }
          odd: { kind: tail_sampler, from: split.odd, window: { max: 3s }, policies: [{ name: n, type: latency, latency: { threshold_ms: 500 } }] }
          plain: { kind: output, from: [spans, split] }
          out: { kind: output, from: [both, odd] }
        """,
        """
          mask: { kind: mask, from: spans }
          split: { kind: split, from: mask, reads_secret: true }
          sample: { kind: tail_sampler, from: split.odd, policies: [{ name: half, type: probabilistic, probabilistic: { sampling_percentage: 50 } }] }
          out: { kind: output, from: [sample, split] }
        """,
    ]

    @Test(arguments: 0..<5, 1...4 as ClosedRange<UInt64>)
    func theEquationHoldsAfterEveryRecord(pipeline: Int, seed: UInt64) throws {
        let plan = try RunningRegistry.plan(Self.pipelines[pipeline])
        var random = TaskRandom(seed: seed)
        var restored = RestoredTask(epoch: 1, entry: nil)
        var decisions: [LaneDecisions] = []
        var log: [(bytes: [UInt8], time: Int64)] = []
        var number: UInt64 = 2
        for _ in 0..<250 {
            log.append((record(&number, &random), Int64(log.count) * 300 + .random(in: -900...0, using: &random)))
        }
        // Twice with a restart between, from what was sealed at some moment.
        for round in 0..<3 {
            let driver = try TaskDriver(plan, restored: restored, decisions: decisions)
            let seal = Int.random(in: 0..<log.count, using: &random)
            for index in Int(driver.task.position)..<log.count {
                driver.process(bytes: log[index].bytes, offset: Int64(index), at: log[index].time)
                #expect(driver.imbalance == 0, "pipeline \(pipeline), seed \(seed), round \(round), record \(index)")
                #expect(driver.ledgerViolations == [])
                if index == seal {
                    let sealed = driver.task.seal()
                    decisions += sealed.decisions
                    restored = RestoredTask(epoch: restored.epoch + 1, entry: sealed.entry)
                }
                if Int.random(in: 0...60, using: &random) == 0 { driver.task.shrink(toBytes: 200_000) }
            }
            driver.task.closeAll()
            #expect(driver.imbalance == 0)
            #expect(driver.task.openSpans == 0)
            #expect(driver.task.low == Int64(log.count))
        }
    }

    private func record(_ number: inout UInt64, _ random: inout TaskRandom) -> [UInt8] {
        switch Int.random(in: 0...19, using: &random) {
        case 0: return [0xff, 0x01]
        case 1: return []
        case 2: return Array(repeating: 0, count: 100_001)
        default: break
        }
        var spans: [TestSpan] = []
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            var span = TestSpan(trace: .random(in: 1...30, using: &random), number: number)
            // Zero ids are well-formed and refused; some spans are sent twice.
            if Int.random(in: 0...15, using: &random) == 0 { span.number = 0 }
            if Int.random(in: 0...15, using: &random) == 0 { span.service = "bad" }
            if Int.random(in: 0...15, using: &random) == 0 { span.secret = "unreadable" }
            span.isError = Int.random(in: 0...9, using: &random) == 0
            span.isRoot = Bool.random(using: &random)
            if Int.random(in: 0...7, using: &random) > 0 { number += 1 }
            spans.append(span)
        }
        return TestSpan.encode(spans)
    }
}
