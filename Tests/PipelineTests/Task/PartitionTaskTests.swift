import OTLP
import Testing
import TraceModel

@testable import Pipeline

struct PartitionTaskTests {
    private static let oneSampler = """
          sample: { kind: tail_sampler, from: spans, policies: [{ name: all, type: always_sample }] }
          out: { kind: output, from: sample }
        """

    /// Two samplers whose windows differ: the one's watermark runs ahead of the other's.
    private static let twoSamplers = """
          quick: { kind: tail_sampler, from: spans, window: { max: 2s }, policies: [{ name: all, type: always_sample }] }
          slow: { kind: tail_sampler, from: spans, window: { max: 30s }, policies: [{ name: all, type: always_sample }] }
          quick_out: { kind: output, from: quick }
          slow_out: { kind: output, from: slow }
        """

    // MARK: - Restarts

    @Test func aRestartStoresNothingTwiceForTheSamplerThatIsAhead() throws {
        let plan = try RunningRegistry.plan(Self.twoSamplers)
        var stored: [String: [UInt64]] = ["quick_out": [], "slow_out": []]
        var restored = RestoredTask(epoch: 1, entry: nil)
        var decisions: [LaneDecisions] = []
        // A restart after every few records, also during replays: what is sealed each time must be whole.
        var sent: [(span: TestSpan, time: Int64)] = []
        for number in 1...60 as ClosedRange<UInt64> {
            sent.append((TestSpan(trace: number % 7 + number / 20 * 10 + 1, number: number), Int64(number) * 500))
        }
        var reached = 0
        for stop in [5, 9, 9, 12, 20, 21, 35, 36, 50, 60] {
            let driver = try TaskDriver(plan, restored: restored, decisions: decisions)
            let first = Int(driver.task.position)
            // Some restarts end before the replay has caught up.
            let last = stop % 3 == 0 ? stop : max(first, min(stop, first + 4))
            for index in first..<max(last, first) {
                driver.process([sent[index].span], offset: Int64(index), at: sent[index].time)
                #expect(driver.imbalance == 0)
                #expect(driver.ledgerViolations == [])
            }
            reached = max(reached, last)
            let sealed = driver.task.seal()
            if let before = restored.entry {
                #expect(sealed.entry.low >= before.low && sealed.entry.high >= before.high)
            }
            for name in stored.keys { stored[name]? += try driver.sink(name).numbers() }
            decisions += sealed.decisions
            restored = RestoredTask(epoch: restored.epoch + 1, entry: sealed.entry)
        }
        let driver = try TaskDriver(plan, restored: restored, decisions: decisions)
        for index in Int(driver.task.position)..<sent.count {
            driver.process([sent[index].span], offset: Int64(index), at: sent[index].time)
        }
        driver.task.closeAll()
        for name in stored.keys {
            let all = (stored[name] ?? []) + (try driver.sink(name).numbers())
            #expect(all.sorted() == Array(1...60), "\(name)")
        }
        #expect(driver.imbalance == 0)
    }

    @Test func aPartitionWithoutRecordsHasNothingToSay() throws {
        let driver = try TaskDriver(try RunningRegistry.plan(Self.oneSampler))
        #expect(!driver.task.isPositioned)
        driver.process([TestSpan(trace: 1, number: 1)], offset: 1_000_000, at: 1000)
        #expect(driver.task.isPositioned)
        #expect(driver.task.seal().entry.low == 1_000_000)
    }

    @Test func aRecordDeliveredTwiceIsProcessedOnce() throws {
        let driver = try TaskDriver(try RunningRegistry.plan(Self.oneSampler))
        for offset in [0, 1, 1, 0, 2] as [Int64] {
            driver.process([TestSpan(trace: 1, number: UInt64(offset) + 1)], offset: offset, at: 1000)
        }
        driver.task.closeAll()
        #expect(try driver.sink("out").numbers() == [1, 2, 3])
        #expect(driver.task.counters.received == 3 && driver.task.counters.duplicate == 0)
        #expect(driver.task.seal().entry.low == 3)
    }

    @Test func aLogThatWasRecreatedIsReadFromItsStart() throws {
        let plan = try RunningRegistry.plan(Self.oneSampler)
        let old = try TaskDriver(plan)
        for offset in 0..<10 as Range<Int64> {
            old.process([TestSpan(trace: 1, number: UInt64(offset) + 1)], offset: offset + 500, at: 1000)
        }
        let new = try TaskDriver(plan, restored: RestoredTask(epoch: 2, entry: old.task.seal().entry))
        new.task.restartLog(at: 0)
        new.process([TestSpan(trace: 2, number: 99)], offset: 0, at: 2000)
        new.process(bytes: [1, 2, 3], offset: 1, at: 2000)
        #expect(new.deadLetters.rejects.count == 1)
        #expect(new.task.seal().entry.low == 0)
        new.task.closeAll()
        #expect(try new.sink("out").numbers() == [99])
        #expect(new.task.seal().entry.low == 2)
    }

    @Test func droppedTracesAloneAreNewsForAManifest() throws {
        let plan = try RunningRegistry.plan(
            """
              sample: { kind: tail_sampler, from: spans, policies: [{ name: no, type: latency, latency: { threshold_ms: 9999 } }] }
              out: { kind: output, from: sample }
            """)
        let driver = try TaskDriver(plan)
        driver.process([TestSpan(trace: 1, number: 1)], offset: 0, at: 1000)
        _ = driver.task.seal()
        #expect(!driver.task.isDirty)
        driver.task.closeAll()
        #expect(driver.task.isDirty)
        let sealed = driver.task.seal()
        #expect(sealed.entry.low == 1 && sealed.decisions[0].records.count == 1)
    }

    // MARK: - Time

    @Test func timestampsOutOfTheOrdinaryNeitherTrapNorCloseWindows() throws {
        let driver = try TaskDriver(try RunningRegistry.plan(Self.oneSampler))
        for (offset, time) in ([-1, .min, 5000] as [Int64]).enumerated() {
            driver.process([TestSpan(trace: 1, number: UInt64(offset) + 1)], offset: Int64(offset), at: time)
        }
        #expect(driver.task.streamTime == 5000)
        driver.process([TestSpan(trace: 2, number: 9)], offset: 3, at: .max)
        driver.task.closeAll()
        #expect(try driver.sink("out").numbers().sorted() == [1, 2, 3, 9])
        #expect(driver.imbalance == 0)
    }

    @Test func aClockThatRunsAheadIsSetBackToThePresent() throws {
        let driver = try TaskDriver(try RunningRegistry.plan(Self.oneSampler))
        driver.process([TestSpan(trace: 1, number: 1)], offset: 0, at: 100_000, now: 100_000)
        driver.process([TestSpan(trace: 2, number: 2)], offset: 1, at: 200_000, now: 101_000)
        driver.process([TestSpan(trace: 3, number: 3)], offset: 2, at: 106_000, now: 101_000)
        driver.process([TestSpan(trace: 4, number: 4)], offset: 3, at: -1, now: 107_000)
        #expect(driver.task.counters.clampedTimestamps == 1)
        #expect(driver.task.streamTime == 107_000)
    }

    @Test func aQuietPartitionClosesItsWindowsByTheWallClock() throws {
        let driver = try TaskDriver(try RunningRegistry.plan(Self.oneSampler))
        driver.process([TestSpan(trace: 1, number: 1, isRoot: true)], offset: 0, at: 1000)
        driver.task.advanceIdle(to: 11_000)
        #expect(try driver.sink("out").numbers() == [])
        driver.task.advanceIdle(to: 12_000)
        #expect(try driver.sink("out").numbers() == [1])
        #expect(driver.task.low == 1 && driver.imbalance == 0)
    }

    // MARK: - Scrubbing

    private static let branches = """
          mask: { kind: mask, from: spans, text: "*" }
          split: { kind: split, from: mask, reads_secret: true }
          masked: { kind: tail_sampler, from: [split, split.odd], policies: [{ name: all, type: always_sample }] }
          raw: { kind: tail_sampler, from: spans, policies: [{ name: all, type: always_sample }] }
          masked_out: { kind: output, from: masked }
          raw_out: { kind: output, from: raw }
        """

    @Test func aBranchBesideAScrubberKeepsItsSpansAsTheyCame() throws {
        let driver = try TaskDriver(try RunningRegistry.plan(Self.branches))
        driver.process(
            [TestSpan(trace: 1, number: 1, secret: "a"), TestSpan(trace: 2, number: 2, secret: "b")], offset: 0,
            at: 1000)
        driver.task.closeAll()
        #expect(try driver.sink("masked_out").secrets().sorted() == ["*a", "*b"])
        #expect(try driver.sink("raw_out").secrets().sorted() == ["a", "b"])
        #expect(driver.imbalance == 0)
    }

    @Test func whatCannotBeScrubbedIsADeadLetterAndNotPassedOn() throws {
        let driver = try TaskDriver(try RunningRegistry.plan(Self.branches))
        driver.process(
            [TestSpan(trace: 1, number: 1, secret: "unreadable"), TestSpan(trace: 2, number: 2, secret: "b")],
            offset: 0, at: 1000)
        driver.task.closeAll()
        #expect(try driver.sink("masked_out").secrets() == ["*b"])
        #expect(driver.deadLetters.rejects.map(\.code) == ["not_scrubbable"])
        #expect(driver.imbalance == 0)
    }

    @Test func scrubbersAreAppliedInTheirOrderAlsoWhereOneCannotWait() throws {
        let plan = try RunningRegistry.plan(
            """
              first: { kind: mask, from: spans, text: "1" }
              second: { kind: mask, from: first, text: "2" }
              sample: { kind: tail_sampler, from: second, policies: [{ name: all, type: always_sample }] }
              split: { kind: split, from: second, reads_secret: true }
              eager: { kind: tail_sampler, from: split, policies: [{ name: all, type: always_sample }] }
              out: { kind: output, from: sample }
              eager_out: { kind: output, from: eager }
            """)
        let driver = try TaskDriver(plan)
        driver.process([TestSpan(trace: 2, number: 1, secret: "x")], offset: 0, at: 1000)
        driver.task.closeAll()
        #expect(try driver.sink("out").secrets() == ["21x"])
        #expect(try driver.sink("eager_out").secrets() == ["21x"])
    }

    @Test func aLazyScrubberIsAppliedToWhatIsKept() throws {
        let plan = try RunningRegistry.plan(
            """
              mask: { kind: mask, from: spans, text: "*" }
              sample: { kind: tail_sampler, from: mask, policies: [{ name: all, type: always_sample }] }
              out: { kind: output, from: sample }
              plain: { kind: output, from: mask }
            """)
        let driver = try TaskDriver(plan)
        driver.process([TestSpan(trace: 2, number: 1, secret: "x")], offset: 0, at: 1000)
        driver.task.closeAll()
        #expect(try driver.sink("out").secrets() == ["*x"])
        let payload = try #require(try driver.sink("plain").payloads.first)
        #expect(try TestSpan.decode(payload.payload)[0].attributes["secret"]?.text == "*x")
    }

    // MARK: - Failures

    @Test func aSinkThatRefusesIsRemembered() throws {
        let driver = try TaskDriver(try RunningRegistry.plan(Self.oneSampler))
        try driver.sink("out").refuses = true
        driver.process([TestSpan(trace: 1, number: 1)], offset: 0, at: 1000)
        driver.task.closeAll()
        #expect(driver.task.failure != nil)
    }
}
