import Pipeline
import Testing
import TraceModel

@testable import Sampling

@Suite("The decision memory")
struct DecisionMemoryTests {
    private func record(_ number: UInt64, kept: Bool, at time: Int64, probability: Double = 0.5) -> DecisionRecord {
        DecisionRecord(
            traceID: TestSpans.traceID(number), isKept: kept, trigger: .root, policyIndex: 1, policyVersion: 2,
            probability: probability, decidedAt: time, spanCount: 1, byteCount: 1, duration: 1, firstOffset: 0,
            lastOffset: 0)
    }

    private enum Found: Equatable {
        case unknown
        case kept(at: Int64, probability: Double)
        case dropped
    }

    private func find(_ number: UInt64, in memory: borrowing DecisionMemory) -> Found {
        switch memory.find(TestSpans.traceID(number)) {
        case .unknown: .unknown
        case .kept(let kept): .kept(at: kept.decidedAt, probability: kept.probability)
        case .dropped: .dropped
        }
    }

    @Test("remembers decisions for the horizon and then forgets them")
    func horizon() {
        var memory = DecisionMemory(horizon: 60_000)
        for number in 1...1000 as ClosedRange<UInt64> {
            memory.remember(record(number, kept: number % 3 == 0, at: Int64(number) * 100))
        }
        memory.expire(streamTime: 100_000)
        for number in 400...1000 as ClosedRange<UInt64> {
            let expected =
                number % 3 == 0 ? Found.kept(at: Int64(number) * 100, probability: 0.5) : .dropped
            let found = find(number, in: memory)
            #expect(found == expected, "decision \(number)")
        }
        memory.expire(streamTime: 1_000_000)
        let count = memory.count
        #expect(count == 0)
        let found = find(1000, in: memory)
        #expect(found == .unknown)
    }

    @Test("finds decisions that were restored out of order")
    func outOfOrder() {
        var memory = DecisionMemory(horizon: 200_000)
        let times = [90_000, 10_000, 50_000, -20_000, 90_001] as [Int64]
        for (index, time) in times.enumerated() {
            memory.remember(record(UInt64(index) + 1, kept: index % 2 == 0, at: time, probability: Double(index)))
        }
        for (index, time) in times.enumerated() {
            let found = find(UInt64(index) + 1, in: memory)
            #expect(found == (index % 2 == 0 ? .kept(at: time, probability: Double(index)) : .dropped))
        }
    }

    @Test("takes any time without a trap", arguments: [Int64.min, Int64.min + 1, -1, 0, Int64.max - 1, Int64.max])
    func extremeTimes(time: Int64) {
        var memory = DecisionMemory(horizon: 3_600_000)
        memory.remember(record(1, kept: true, at: time))
        memory.remember(record(2, kept: false, at: time))
        memory.expire(streamTime: time)
        memory.expire(streamTime: .max)
        memory.remember(record(3, kept: false, at: .min))
        memory.expire(streamTime: .min)
        let count = memory.count
        #expect(count <= 2)
    }

    /// Against a plain dictionary, over several horizons: nothing within the horizon is forgotten, nothing long past it is
    /// known, and the counts add up.
    @Test("agrees with a dictionary over many horizons", arguments: [1, 2, 3] as [UInt64])
    func model(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let horizon: Int64 = 20_000
        var memory = DecisionMemory(horizon: horizon)
        var model: [UInt64: (time: Int64, kept: Bool, probability: Double)] = [:]
        var time: Int64 = 1_000_000
        var number: UInt64 = 0
        for step in 0..<400 {
            // Mostly small steps, sometimes a leap over periods, rarely over the whole horizon.
            switch Int.random(in: 0...60, using: &random) {
            case 0: time += .random(in: 0...60_000, using: &random)
            case 1...3: time += .random(in: 0...9000, using: &random)
            default: time += .random(in: 0...500, using: &random)
            }
            for _ in 0..<Int.random(in: 0...600, using: &random) {
                number += 1
                let decision = record(
                    number, kept: Int.random(in: 0...3, using: &random) == 0, at: time,
                    probability: Double(Int.random(in: 1...50, using: &random)) / 50)
                memory.remember(decision)
                model[number] = (time, decision.isKept, decision.probability)
            }
            memory.expire(streamTime: time)
            guard step % 10 == 9 else { continue }
            model = model.filter { $0.value.time > time - 10 * horizon }
            var wrong: [UInt64] = []
            for (number, known) in model {
                let found = find(number, in: memory)
                let expected = known.kept ? Found.kept(at: known.time, probability: known.probability) : .dropped
                if known.time >= time - horizon {
                    if found != expected { wrong.append(number) }
                } else if known.time < time - 2 * horizon - 4 * memory.periodLength {
                    // Long past: forgotten, and swept.
                    if found != .unknown { wrong.append(number) }
                }
            }
            #expect(wrong.isEmpty, "seed \(seed), step \(step)")
            let (count, alive) = (memory.count, model.values.filter { $0.time >= time - horizon }.count)
            #expect(count >= alive)
        }
    }

    @Test("keeps 300,000 even decisions in less than 10 bytes each, and gives memory back when the load falls")
    func memoryUse() {
        var memory = DecisionMemory(horizon: 60_000)
        var number: UInt64 = 0
        var time: Int64 = 0
        func run(seconds: Int, perSecond: Int) {
            for _ in 0..<seconds {
                time += 1000
                for _ in 0..<perSecond {
                    number += 1
                    memory.remember(record(number, kept: number % 20 == 0, at: time))
                }
                memory.expire(streamTime: time)
            }
        }
        run(seconds: 130, perSecond: 5000)
        let full = (memory.count, memory.byteCount)
        #expect(full.0 >= 300_000 && full.0 < 330_000)
        #expect(full.1 < full.0 * 10, "\(full.1) bytes for \(full.0)")
        run(seconds: 200, perSecond: 50)
        let later = (memory.count, memory.byteCount)
        #expect(later.0 < 3400)
        #expect(later.1 < full.1 / 4, "\(later.1) bytes for \(later.0)")
    }

    /// The rate is computed from what is compared: it must be of the size that measuring would give, and 2⁻³² per
    /// fingerprint compared at most 28 times.
    @Test("computes a false-positive rate of at most 28 fingerprints of 32 bits")
    func falsePositives() {
        var memory = DecisionMemory(horizon: 60_000)
        for number in 1...200_000 as ClosedRange<UInt64> {
            memory.remember(record(number, kept: false, at: Int64(number / 1000)))
        }
        let rate = memory.falsePositiveRate
        #expect(rate > 1 / 4_294_967_296 && rate <= 3 * 28 / 4_294_967_296, "\(rate)")
        var found = 0
        for number in 1_000_000..<1_400_000 as Range<UInt64> {
            if case .dropped = memory.find(TestSpans.traceID(number)) { found += 1 }
        }
        #expect(found == 0)
    }
}

@Suite("A table of fingerprints")
struct FingerprintTableTests {
    @Test("holds what was inserted until it is nearly full, and says so when it is", arguments: [1, 2, 3] as [UInt64])
    func fills(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var periods = DecisionPeriods(horizon: 13_000)
        periods.move(to: 100)
        var table = try #require(FingerprintTable(capacity: 30_000))
        defer { table.release() }
        var inserted: [UInt64] = []
        while table.hasRoom {
            let hash = random.next()
            guard table.insert(hash, tag: periods.tag(of: 100), periods) else { break }
            inserted.append(hash)
        }
        #expect(inserted.count * 100 >= table.capacity * 96)
        let (holdsAll, count) = (inserted.allSatisfy { table.contains($0) }, table.count)
        #expect(holdsAll)
        #expect(count == inserted.count)
    }

    @Test("uses the slots of a dead period again, and forgets when it is swept")
    func reuses() throws {
        var random = SeededRandom(seed: 4)
        var periods = DecisionPeriods(horizon: 13_000)
        periods.move(to: 100)
        var table = try #require(FingerprintTable(capacity: 10_000))
        defer { table.release() }
        let old = (0..<9000).map { _ in random.next() }
        var inserted = 0
        for hash in old where table.insert(hash, tag: periods.tag(of: 100), periods) { inserted += 1 }
        periods.move(to: 114)
        table.recount(periods)
        #expect(table.count == 0)
        let new = (0..<9000).map { _ in random.next() }
        for hash in new where table.insert(hash, tag: periods.tag(of: 114), periods) { inserted += 1 }
        #expect(inserted == 18_000)
        table.sweep(to: table.lineCount, living: periods.living)
        #expect(new.allSatisfy { table.contains($0) })
        #expect(old.filter { table.contains($0) }.isEmpty)
    }
}

@Suite("Kept decisions")
struct KeptDecisionTests {
    /// Enough for segments that have pages of their own, and that grew through all the sizes before.
    @Test("each is found with its latest reason however many there are, and no other trace is")
    func grows() {
        var random = SeededRandom(seed: 7)
        var kept = KeptDecisions()
        let ids = (0..<400_000).map { _ in TraceID(high: random.next(), low: random.next()) }
        func reason(_ index: Int) -> KeptDecisions.Reason {
            KeptDecisions.Reason(
                policyIndex: UInt16(index % 5), policyVersion: 1, probability: Double(index % 100), trigger: .root)
        }
        for (index, id) in ids.enumerated() {
            kept.insert(id, hash: DecisionMemory.hash(id), reason(index), decidedAt: Int64(index), oldest: 0)
        }
        for (index, id) in ids.enumerated() where index % 3 == 0 {
            kept.insert(id, hash: DecisionMemory.hash(id), reason(index + 1), decidedAt: 400_000, oldest: 0)
        }
        var wrong = 0
        for (index, id) in ids.enumerated() {
            let found = kept.find(id, hash: DecisionMemory.hash(id))
            let (expected, time) = index % 3 == 0 ? (reason(index + 1), 400_000) : (reason(index), Int64(index))
            if found?.reason != expected || found?.decidedAt != time { wrong += 1 }
            let other = TraceID(high: id.high, low: ~id.low)
            if kept.find(other, hash: DecisionMemory.hash(other)) != nil { wrong += 1 }
        }
        #expect(wrong == 0)
        let (count, byteCount) = (kept.count, kept.byteCount)
        #expect(count == ids.count)
        #expect(byteCount < ids.count * 30, "\(byteCount) bytes")
        // All but the last are old: what is swept is gone, the rest stays.
        kept.sweep(share: 1, oldest: 400_000)
        let left = kept.count
        #expect(left == (ids.count + 2) / 3)
        let isThere = kept.find(ids[0], hash: DecisionMemory.hash(ids[0])) != nil
        let isGone = kept.find(ids[1], hash: DecisionMemory.hash(ids[1])) == nil
        #expect(isThere && isGone)
    }

    /// Nobody must be able to make tables grow without end, or traces forgotten, by choosing his trace ids.
    @Test("ids that somebody chose for their hash are found too, in little memory, and are forgotten in time")
    func crowded() {
        let hash: @Sendable (TraceID) -> UInt64 = { _ in 0x1234_5678_9abc_def0 }
        var kept = KeptDecisions(hash: hash)
        let ids = (0..<5000 as Range<UInt64>).map { TraceID(high: 1, low: $0) }
        let reason = KeptDecisions.Reason(policyIndex: 0, policyVersion: 0, probability: 1, trigger: .max)
        for _ in 0..<2 {
            for id in ids { kept.insert(id, hash: hash(id), reason, decidedAt: 5, oldest: 0) }
        }
        let found = ids.filter { kept.find($0, hash: hash($0)) != nil }.count
        #expect(found == ids.count)
        let (count, byteCount) = (kept.count, kept.byteCount)
        #expect(count == ids.count)
        #expect(byteCount < 1 << 20, "\(byteCount) bytes")
        kept.sweep(share: 1, oldest: 6)
        let (left, isKnown) = (kept.count, kept.find(ids[4000], hash: hash(ids[4000])) != nil)
        #expect(left == 0 && !isKnown)
    }
}

@Suite("Decisions restored from before a change of the policies")
struct RestoredDecisionTests {
    @Test(
        "late spans follow the old decision, with its version and probability, and no policy of the new list is credited"
    )
    func oldVersion() throws {
        let driver = SamplerDriver(policies: [KeepNothingPolicy()])
        func record(_ number: UInt64, isKept: Bool) -> DecisionRecord {
            DecisionRecord(
                traceID: TestSpans.traceID(number), isKept: isKept, trigger: .idle, policyIndex: 0, policyVersion: 99,
                probability: 0.25, decidedAt: 1000, spanCount: 3, byteCount: 100, duration: 1, firstOffset: 0,
                lastOffset: 2)
        }
        driver.sampler.restore([record(1, isKept: true), record(2, isKept: false)])
        try driver.send([SentSpan(trace: 1, id: 7), SentSpan(trace: 2, id: 8)], at: 2000)
        let decision = try #require(driver.kept.first?.decision)
        #expect(driver.kept.count == 1 && driver.kept[0].isLate)
        #expect(decision.policyVersion == 99 && decision.probability == 0.25 && decision.trigger == .idle)
        #expect(decision.decidedAt == 1000)
        #expect(decision.policy == "" && decision.reason.contains("earlier version"))
        #expect(driver.lateDroppedSpans == 1)
        #expect(driver.open.isEmpty)
    }
}
