import Testing

@testable import Sampling

/// Workers that hold one budget together: 4 of them, 8 partitions whose traffic differs up to seven times, about three times as
/// much as the budget allows.
@Suite("A budget that is shared by workers")
struct FleetBudgetTests {
    private static let seeds: [UInt64] = [1, 2, 3]
    private static let traces = [20, 70, 35, 10, 60, 25, 45, 30]

    private static func fleet(_ seed: UInt64, workers: Int = 4) -> SimulatedFleet {
        var fleet = SimulatedFleet(seed: seed, rate: 350, traces: traces, workers: workers)
        fleet.run(seconds: 20)
        return fleet
    }

    @Test("is held by all of them together, from the first seconds on", arguments: seeds)
    func steady(seed: UInt64) {
        var fleet = Self.fleet(seed)
        fleet.run(seconds: 30)
        #expect(abs(fleet.stream(5..<45) - 1) < 0.01)
        #expect(fleet.highestStream(5..<45, over: 1) < 1.05)
        #expect(fleet.workers.allSatisfy { $0.share.members == 4 && $0.share.basis == .demand })
        #expect(abs(fleet.workers.reduce(0) { $0 + $1.share.value } - 1) < 0.02)
    }

    @Test("is used whole again 10 s after one of four was killed", arguments: seeds)
    func killed(seed: UInt64) {
        var fleet = Self.fleet(seed)
        fleet.kill(3)
        fleet.run(seconds: 30)
        // Its records wait in the log: until then its part waits too.
        #expect(fleet.wall(22..<29) < 1)
        #expect(abs(fleet.wall(31..<49) - 1) < 0.05)
        for second in 31..<49 { #expect(abs(fleet.wall(second..<second + 1) - 1) < 0.1) }
    }

    @Test("neither grows nor shrinks when the partitions of a killed worker move at once", arguments: seeds)
    func handedOver(seed: UInt64) {
        var fleet = Self.fleet(seed)
        fleet.kill(3)
        fleet.run(seconds: 7)
        fleet.rebalance()
        fleet.run(seconds: 30)
        #expect(abs(fleet.stream(20..<50) - 1) < 0.05)
        #expect(fleet.highestStream(10..<50, over: 5) < 1.1)
        #expect(abs(fleet.stream(32..<50) - 1) < 0.05)
    }

    @Test("is paid back where a killed worker's part was spent by others before its partitions moved", arguments: seeds)
    func handedOverLate(seed: UInt64) {
        var fleet = Self.fleet(seed)
        fleet.kill(3)
        fleet.run(seconds: 40)
        fleet.rebalance()
        fleet.run(seconds: 80)
        #expect(fleet.highestStream(10..<130, over: 10) < 1.25)
        #expect(abs(fleet.stream(20..<130) - 1) < 0.05)
        #expect(abs(fleet.stream(110..<130) - 1) < 0.05)
    }

    @Test("is held while a worker stands still, and when it goes on", arguments: seeds)
    func stalled(seed: UInt64) {
        var fleet = Self.fleet(seed)
        fleet.stall(1)
        fleet.run(seconds: 25)
        #expect(abs(fleet.wall(31..<44) - 1) < 0.05)
        fleet.go(on: 1)
        fleet.run(seconds: 75)
        #expect(fleet.highestStream(10..<110, over: 10) < 1.3)
        #expect(abs(fleet.stream(20..<110) - 1) < 0.05)
        #expect(fleet.workers.allSatisfy { $0.share.members == 4 })
    }

    @Test("stays the same when workers are added", arguments: seeds)
    func added(seed: UInt64) {
        var fleet = Self.fleet(seed, workers: 2)
        fleet.add()
        fleet.add()
        fleet.run(seconds: 3)
        fleet.rebalance()
        fleet.run(seconds: 25)
        for second in 18..<43 { #expect(abs(fleet.stream(second..<second + 5) - 1) < 0.05) }
        #expect(fleet.workers.allSatisfy { $0.share.members == 4 })
    }

    @Test("is shared by partitions where the topic is out of reach, and by demand when it is back", arguments: seeds)
    func topicLost(seed: UInt64) {
        var fleet = Self.fleet(seed)
        for worker in 0..<4 { fleet.cutOff(worker, true) }
        fleet.run(seconds: 30)
        #expect(fleet.workers.allSatisfy { $0.share.basis == .partitions && $0.share.value == 0.25 })
        #expect(fleet.highestStream(10..<49, over: 1) < 1.05)
        for worker in 0..<4 { fleet.cutOff(worker, false) }
        fleet.run(seconds: 20)
        #expect(fleet.workers.allSatisfy { $0.share.basis == .demand && $0.share.members == 4 })
        #expect(abs(fleet.stream(55..<69) - 1) < 0.02)
    }

    @Test("is never exceeded when the traffic of one partition jumps", arguments: seeds)
    func burst(seed: UInt64) {
        var fleet = Self.fleet(seed)
        fleet.offer(400, to: 3)
        fleet.run(seconds: 25)
        #expect(fleet.highestStream(10..<44, over: 1) < 1.05)
        #expect(abs(fleet.stream(25..<44) - 1) < 0.03)
        fleet.offer(10, to: 3)
        fleet.run(seconds: 25)
        #expect(fleet.highestStream(44..<69, over: 1) < 1.05)
        #expect(abs(fleet.stream(60..<69) - 1) < 0.03)
    }

    @Test("keeps everything where everything fits, however uneven the partitions are")
    func everythingFits() {
        var fleet = SimulatedFleet(seed: 4, rate: 1500, traces: Self.traces, workers: 4)
        fleet.run(seconds: 40)
        let offered = fleet.offeredByStream[10..<38].reduce(0, +)
        #expect(fleet.keptByStream[10..<38].reduce(0, +) == offered)
        #expect(offered / 28 < 1200)
    }

    // MARK: - The machine by itself

    private static func entry(_ worker: String, _ sequence: UInt64, _ demands: [String: Double]) -> FleetEntry {
        FleetEntry(
            worker: worker, sequence: sequence,
            demands: [
                FleetEntry.Demand(
                    budget: "s/b",
                    partitions: demands.sorted { $0.key < $1.key }.map {
                        FleetEntry.Partition(name: $0.key, demand: $0.value)
                    })
            ])
    }

    @Test("gives shares that add up to one, whatever is offered")
    func sums() {
        var random = SeededRandom(seed: 7)
        for _ in 0..<500 {
            let demands = (0..<Int.random(in: 1...40, using: &random)).map { _ in
                Bool.random(using: &random) ? 0 : Double.random(in: 0...1e9, using: &random)
            }
            let shares = DemandShare.shares(demands, floor: 0.1)
            #expect(abs(shares.reduce(0, +) - 1) < 1e-9)
            #expect(shares.allSatisfy { $0 >= 0.09 / Double(shares.count) })
        }
        #expect(DemandShare.shares([], floor: 0.1).isEmpty)
    }

    @Test("goes by the newest entry of a worker, not by the last to come")
    func order() {
        var budget = FleetBudget(worker: "a")
        budget.receive(Self.entry("a", 5, ["t/0": 100]), at: 0)
        budget.receive(Self.entry("b", 9, ["t/1": 300]), at: 0)
        budget.receive(Self.entry("b", 8, ["t/1": 9000]), at: 10)
        let share = budget.share(of: "s/b", partitions: ["t/0"], partitionCount: 2, at: 20)
        #expect(share.basis == .demand && share.members == 2 && share.fleetDemand == 400)
        #expect(abs(share.value - (0.05 + 0.9 * 0.25)) < 1e-12)
    }

    @Test(
        "keeps the part of partitions that nobody has, until they are stale; who takes them over owes what others had")
    func orphans() {
        var budget = FleetBudget(worker: "a")
        budget.receive(Self.entry("a", 1, ["t/0": 100]), at: 0)
        budget.receive(Self.entry("b", 1, ["t/1": 100]), at: 0)
        budget.receiveDeparture(of: "b")
        #expect(budget.share(of: "s/b", partitions: ["t/0"], partitionCount: 2, at: 5000).value == 0.5)
        budget.receive(Self.entry("a", 2, ["t/0": 100]), at: 9900)
        #expect(budget.share(of: "s/b", partitions: ["t/0"], partitionCount: 2, at: 10_200).value == 1)
        #expect(budget.expired == 0)
        budget.receive(Self.entry("a", 3, ["t/0": 100, "t/1": 100]), at: 14_000)
        #expect(budget.takeDebts(of: "s/b") == ["t/1": 4000])
        #expect(budget.takeDebts(of: "s/b").isEmpty)
    }

    /// Two workers with four partitions each, that hear each other at once; what they have of a budget together.
    private struct Pair {
        var workers = ["a", "b"].map { FleetBudget(worker: $0) }
        var budgets = ["s/old", "s/old"]
        private let partitions = [["t/0", "t/1", "t/2", "t/3"], ["t/4", "t/5", "t/6", "t/7"]]

        /// - Parameter speaking: workers whose entries reach the topic.
        mutating func step(at now: Int64, speaking: Range<Int> = 0..<2) -> Double {
            for index in 0..<2 {
                let demand = FleetEntry.Demand(
                    budget: budgets[index],
                    partitions: partitions[index].enumerated().map { .init(name: $1, demand: Double(10 + 30 * $0)) })
                guard let entry = workers[index].report([demand], at: now), speaking.contains(index) else { continue }
                for receiver in 0..<2 { workers[receiver].receive(entry, at: now) }
            }
            return (0..<2).reduce(0) {
                $0 + workers[$1].share(of: budgets[$1], partitions: partitions[$1], partitionCount: 8, at: now).value
            }
        }
    }

    @Test("is not spent twice while its policy is renamed on one worker after the other")
    func renamed() {
        var pair = Pair()
        for now in stride(from: Int64(0), to: 120_000, by: 200) {
            if now == 20_000 { pair.budgets[0] = "s/new" }
            if now == 80_000 { pair.budgets[1] = "s/new" }
            let sum = pair.step(at: now)
            #expect(sum < 1.02, "\(now) ms: \(sum)")
            if now > 1000 { #expect(sum > 0.9, "\(now) ms: \(sum)") }
        }
    }

    @Test("is not spent twice while a worker that begins at the same time is not heard yet")
    func startedTogether() {
        var pair = Pair()
        for now in stride(from: Int64(0), to: 10_000, by: 200) {
            // The other's connection takes two seconds and a half longer.
            let sum = pair.step(at: now, speaking: now < 2500 ? 0..<1 : 0..<2)
            #expect(sum < 1.02, "\(now) ms: \(sum)")
        }
        #expect(abs(pair.step(at: 10_000) - 1) < 1e-9)
    }

    @Test("does not believe entries of the past for long, and owes nothing for them")
    func backlog() {
        var budget = FleetBudget(worker: "a")
        budget.receive(Self.entry("b", 70, ["t/1": 100]), at: 0, isBacklog: true)
        budget.receive(Self.entry("a", 1, ["t/0": 100]), at: 100)
        #expect(budget.share(of: "s/b", partitions: ["t/0"], partitionCount: 2, at: 200).value == 0.5)
        #expect(budget.share(of: "s/b", partitions: ["t/0"], partitionCount: 2, at: 3300).value == 1)
        budget.receive(Self.entry("a", 2, ["t/0": 100, "t/1": 100]), at: 9000)
        #expect(budget.takeDebts(of: "s/b").isEmpty)
    }

    @Test("tells something new at once, and the rest once per interval")
    func reports() {
        var budget = FleetBudget(worker: "a")
        func demands(_ count: Int) -> [FleetEntry.Demand] {
            [FleetEntry.Demand(budget: "s/b", partitions: (0..<count).map { .init(name: "t/\($0)", demand: 1) })]
        }
        #expect(budget.report(demands(0), at: 0)?.sequence == 1)
        #expect(budget.report(demands(0), at: 200) == nil)
        #expect(budget.report(demands(2), at: 400)?.sequence == 2)
        #expect(budget.report(demands(2), at: 1200) == nil)
        #expect(budget.report(demands(2), at: 1400)?.sequence == 3)
    }

    @Test("takes a partition's silence for a demand that ends")
    func silence() {
        var meter = DemandMeter<Int>()
        #expect(meter.demand(of: 1, average: 100, offered: 50, at: 0) == 100)
        #expect(meter.demand(of: 1, average: 100, offered: 50, at: 2000) == 100)
        #expect(meter.demand(of: 1, average: 100, offered: 50, at: 60_000) < 0.01)
        #expect(meter.demand(of: 1, average: 100, offered: 51, at: 60_200) == 100)
        #expect(meter.demand(of: 1, average: .nan, offered: 51, at: 60_200) == 0)
    }

    // MARK: - Entries

    private static func read(_ text: String) -> FleetEntry? {
        Array(text.utf8).withUnsafeBytes { FleetEntry($0) }
    }

    @Test("reads its entries as they were written, and skips what it does not know")
    func entries() {
        let entry = Self.entry("wörker \"1\"", 77, ["otlp_spans/0": 12.5, "otlp_spans/1": 0])
        #expect(entry.encoded().withUnsafeBytes { FleetEntry($0) } == entry)
        #expect(
            Self.read(
                #"{"version":1,"later":{"x":[1]},"worker":"w","sequence":3,"budgets":[{"budget":"s/b","more":1}]}"#)
                == FleetEntry(worker: "w", sequence: 3, demands: [.init(budget: "s/b", partitions: [])]))
    }

    @Test(
        "believes no entry that is damaged or absurd",
        arguments: [
            "", "{}", "null", #"{"version":2,"worker":"w","sequence":1,"budgets":[]}"#,
            #"{"version":1,"worker":"","sequence":1,"budgets":[]}"#,
            #"{"version":1,"worker":"w","sequence":-1,"budgets":[]}"#,
            #"{"version":1,"worker":"w","sequence":1,"budgets":[{"budget":"b","partitions":[{"partition":"t/0","demand_per_second":-5}]}]}"#,
            #"{"version":1,"worker":"w","sequence":1,"budgets":[{"budget":"b","partitions":[{"partition":"t/0","demand_per_second":"NaN"}]}]}"#,
            #"{"version":1,"worker":"w","sequence":1,"budgets":[{"budget":"b","partitions":[{"partition":"t/0","demand_per_second":1e300}]}]}"#,
            #"{"version":1,"worker":"w","sequence":1"#,
        ])
    func absurdEntries(text: String) {
        #expect(Self.read(text) == nil)
    }
}
