import Testing

@testable import Pipeline

struct OffsetLedgerTests {
    /// The ledger in the simplest words: a dictionary of what is outstanding.
    private struct Model {
        var records: [(offset: Int64, spans: Int, outstanding: Set<UInt32>, timeBefore: Int64)] = []
        var next: Int64

        var low: Int64 { records.first { !$0.outstanding.isEmpty }?.offset ?? next }

        mutating func forgetFinished() {
            let low = low
            records.removeAll { $0.outstanding.isEmpty && $0.offset < low }
        }

        var outstanding: Int { records.reduce(0) { $0 + $1.outstanding.count } }
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func randomSequencesAgreeWithANaiveModel(seed: UInt64) {
        var random = TaskRandom(seed: seed)
        var ledger = OffsetLedger(nextOffset: 100)
        var model = Model(next: 100)
        var offset: Int64 = 100
        var highestLow: Int64 = 100
        let steps = seed % 5 == 0 ? 1500 : 400
        for step in 0..<steps {
            if Int.random(in: 0...2, using: &random) > 0 {
                // Gaps come from compaction and from the control records of transactions.
                if Int.random(in: 0...9, using: &random) == 0 { offset += .random(in: 1...2000, using: &random) }
                let spans = Int.random(in: 0...9, using: &random) == 0 ? 200 : Int.random(in: 0...6, using: &random)
                let all = Bool.random(using: &random)
                let taken = (0..<UInt32(spans)).filter { _ in all || Bool.random(using: &random) }
                ledger.enter(offset: offset, spanCount: spans, streamTimeBefore: Int64(step))
                ledger.take(taken)
                ledger.popFinished()
                model.records.append((offset, spans, Set(taken), Int64(step)))
                offset += 1
                model.next = offset
            }
            let open = model.records.indices.filter { !model.records[$0].outstanding.isEmpty }
            if let index = open.randomElement(using: &random), Int.random(in: 0...3, using: &random) > 0 {
                // Mostly the oldest: windows close in about the order in which they opened.
                let index = Bool.random(using: &random) ? open[0] : index
                let record = model.records[index]
                let first = UInt32.random(in: 0..<UInt32(record.spans), using: &random)
                // Also refs that are done already, and more than there are: neither may count.
                let count = UInt32.random(in: 1...UInt32(record.spans) + 3, using: &random)
                ledger.done(offset: record.offset, firstIndex: first, count: count)
                for ref in first..<min(first + count, UInt32(record.spans)) {
                    model.records[index].outstanding.remove(ref)
                }
            }
            if step % (steps / 50) == 0 || step == steps - 1 {
                #expect(ledger.invariantViolation() == nil, "seed \(seed), step \(step)")
                #expect(ledger.low == model.low, "seed \(seed), step \(step)")
                #expect(ledger.nextOffset == model.next)
                #expect(ledger.outstandingCount == model.outstanding)
                #expect(ledger.streamTimeAtLow == model.records.first { !$0.outstanding.isEmpty }?.timeBefore)
                #expect(ledger.low >= highestLow, "low moved back: seed \(seed), step \(step)")
                highestLow = ledger.low
                expectEqual(ledger.doneRefs(), model, "seed \(seed), step \(step)")
            }
            if step % 500 == 499 { model.forgetFinished() }
        }
    }

    private func expectEqual(_ done: DoneRefs, _ model: Model, _ comment: Comment) {
        let low = model.low
        let records = model.records.filter { $0.offset >= low }
        for record in records {
            let known = done.spans(of: record.offset)
            for index in 0..<UInt32(record.spans)
            where (known?.contains(index) ?? false) == record.outstanding.contains(index) {
                Issue.record("\(comment): ref \(record.offset)/\(index)")
            }
        }
        // Nothing is claimed of offsets that were never seen.
        let seen = Set(records.map(\.offset))
        for run in done.runs {
            for step in 0..<run.count where !seen.contains(run.first + step) { Issue.record(comment) }
        }
    }

    @Test func spansOfARecordThatNobodyTookAreDone() {
        var ledger = OffsetLedger(nextOffset: 5)
        ledger.enter(offset: 5, spanCount: 3, streamTimeBefore: 0)
        ledger.take([1])
        ledger.enter(offset: 6, spanCount: 2, streamTimeBefore: 0)
        ledger.enter(offset: 9, spanCount: 0, streamTimeBefore: 0)
        ledger.popFinished()
        #expect(ledger.low == 5)
        let done = ledger.doneRefs()
        #expect(done.spans(of: 5) == .some([0b101]))
        #expect(done.spans(of: 6) == .all)
        #expect(done.spans(of: 7) == nil)
        #expect(done.spans(of: 9) == .all)
        ledger.done(offset: 5, firstIndex: 1, count: 1)
        #expect(ledger.low == 10)
        #expect(ledger.streamTimeAtLow == nil)
        #expect(ledger.doneRefs().isEmpty)
    }

    @Test func aRefGivenBackTwiceMovesNothing() {
        var ledger = OffsetLedger(nextOffset: 0)
        ledger.enter(offset: 0, spanCount: 2, streamTimeBefore: 0)
        ledger.take([0, 1])
        ledger.done(offset: 0, firstIndex: 0, count: 1)
        ledger.done(offset: 0, firstIndex: 0, count: 1)
        ledger.done(offset: 7, firstIndex: 0, count: 1)
        #expect(ledger.low == 0)
        #expect(ledger.outstandingCount == 1)
        #expect(ledger.invariantViolation() == nil)
    }

    @Test func aLongRunOfDoneRecordsIsOneRun() {
        var ledger = OffsetLedger(nextOffset: 0)
        for offset in 0..<10_000 as Range<Int64> {
            ledger.enter(offset: offset, spanCount: 1, streamTimeBefore: 0)
            ledger.take(offset == 0 ? [0] : [])
        }
        #expect(ledger.doneRefs().runs == [DoneRefs.Run(first: 1, count: 9999, spans: .all)])
    }
}

struct DoneRefsTests {
    @Test func refsAreFoundWhereTheyWereAdded() {
        var done = DoneRefs()
        expect(true, done.add(offset: 10, count: 5, .all))
        expect(true, done.add(offset: 15, .some([1 << 63, 1])))
        expect(true, done.add(offset: 20, .all))
        #expect(done.spans(of: 9) == nil)
        #expect(done.spans(of: 10) == .all && done.spans(of: 14) == .all)
        #expect(done.spans(of: 15)?.contains(63) == true && done.spans(of: 15)?.contains(64) == true)
        #expect(done.spans(of: 15)?.contains(0) == false && done.spans(of: 15)?.contains(128) == false)
        #expect(done.spans(of: 16) == nil && done.spans(of: 21) == nil)
    }

    private func expect(_ expected: Bool, _ found: Bool, location: Testing.SourceLocation = #_sourceLocation) {
        #expect(expected == found, sourceLocation: location)
    }

    @Test func whatIsNotBehindIsRefused() {
        var done = DoneRefs()
        expect(true, done.add(offset: 10, count: 5, .all))
        expect(false, done.add(offset: 14, .all))
        expect(false, done.add(offset: 15, count: 0, .all))
        expect(false, done.add(offset: 15, count: -1, .all))
        expect(false, done.add(offset: .max, count: 2, .all))
        #expect(done.runs.count == 1)
    }

    @Test func theRestOfAnotherSetIsAppended() {
        var restored = DoneRefs()
        restored.add(offset: 10, count: 10, .all)
        restored.add(offset: 25, .some([3]))
        var done = DoneRefs()
        done.add(offset: 12, .some([1]))
        done.append(restored, from: 15)
        #expect(done.spans(of: 14) == nil)
        #expect(done.spans(of: 15) == .all && done.spans(of: 19) == .all)
        #expect(done.spans(of: 25) == .some([3]))
        var none = DoneRefs()
        none.append(restored, from: 26)
        #expect(none.isEmpty)
    }
}
