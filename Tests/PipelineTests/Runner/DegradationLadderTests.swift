import Pipeline
import Testing

@Suite("Degradation ladder")
struct DegradationLadderTests {
    private func pressure(
        window: Int = 10, buffered: Int = 0, spilled: Int = 0, spillError: String? = nil, early: Bool = false,
        free: UInt64 = 500, error: String? = nil
    ) -> DegradationLadder.Pressure {
        DegradationLadder.Pressure(
            windowBytes: window, bufferedBytes: buffered, budget: 100, spilledBytes: spilled, spillError: spillError,
            isDecidingEarly: early,
            space: StoreSpace(freeBytes: free, totalBytes: 1000), flushError: error)
    }

    private func kinds(_ ladder: DegradationLadder) -> [DegradationStep.Kind] { ladder.steps.map(\.kind) }

    @Test("no step is taken while there is room")
    func room() {
        var ladder = DegradationLadder()
        ladder.update(pressure())
        #expect(ladder.steps.isEmpty)
    }

    @Test("a used-up budget goes to disk, then decides early, then pauses")
    func memory() {
        var ladder = DegradationLadder()
        ladder.update(pressure(window: 90, buffered: 20, spilled: 5))
        #expect(kinds(ladder) == [.spill])
        ladder.update(pressure(window: 90, buffered: 20, spilled: 5, early: true))
        #expect(kinds(ladder) == [.spill, .earlyDecisions])
        ladder.update(pressure(window: 90, buffered: 101, spilled: 5, early: true))
        #expect(kinds(ladder) == [.spill, .earlyDecisions, .pause])
        ladder.update(pressure(window: 0, buffered: 101))
        #expect(kinds(ladder) == [.pause])
        ladder.update(pressure())
        #expect(ladder.steps.isEmpty)
    }

    @Test("a filling disk loses the index first, then reading, and both come back with room to spare")
    func disk() {
        var ladder = DegradationLadder()
        ladder.update(pressure(free: 49))
        #expect(ladder.steps.map(\.cause) == [.diskNearlyFull])
        ladder.update(pressure(free: 9))
        #expect(kinds(ladder) == [.withoutIndex, .pause])
        // Just above the thresholds is not yet room: the steps would flap.
        ladder.update(pressure(free: 11))
        #expect(kinds(ladder) == [.withoutIndex, .pause])
        ladder.update(pressure(free: 13))
        #expect(kinds(ladder) == [.withoutIndex])
        ladder.update(pressure(free: 55))
        #expect(kinds(ladder) == [.withoutIndex])
        ladder.update(pressure(free: 61))
        #expect(ladder.steps.isEmpty)
    }

    @Test("a disk that takes no spans pauses a worker over its budget, and only that one")
    func spillError() {
        var ladder = DegradationLadder()
        ladder.update(pressure(spillError: "no space left on device"))
        #expect(ladder.steps.isEmpty)
        ladder.update(pressure(window: 101, spillError: "no space left on device"))
        #expect(kinds(ladder) == [.pause])
    }

    @Test("a store that cannot be written pauses until a flush succeeds")
    func store() {
        var ladder = DegradationLadder()
        ladder.update(pressure(error: "no space left on device"))
        #expect(ladder.steps.map(\.cause) == [.store])
        #expect(ladder.steps[0].detail.contains("no space left on device"))
        ladder.update(pressure())
        #expect(ladder.steps.isEmpty)
    }
}
