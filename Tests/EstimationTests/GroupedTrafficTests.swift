import Estimation
import Testing

struct GroupedTrafficTests {
    @Test("rows are grouped by what was asked, the largest first, with everything exact beside the sample")
    func grouping() throws {
        func rows(_ grouping: GroupedTraffic.Grouping) -> [TrafficRow] {
            var traffic = GroupedTraffic(by: grouping)
            for number in 1...10 {
                traffic.add(
                    service: "shop", operation: "GET /\(number % 2)", probability: nil, isError: number == 1,
                    duration: UInt64(number), spanCount: 3)
            }
            traffic.add(
                service: "pay", operation: "charge", probability: 0.5, isError: true, duration: 100, spanCount: 2)
            return traffic.rows
        }
        #expect(rows(.all).map(\.exact?.traces) == [11])
        #expect(rows(.all).map(\.service) == [nil])
        #expect(rows(.service).map(\.service) == ["shop", "pay"])
        #expect(rows(.operation).map(\.operation) == ["GET /0", "GET /1", "charge"])
        let shop = try #require(rows(.service).first)
        let exact = try #require(shop.exact)
        #expect(exact.errorTraces == 1 && exact.spans == 30 && exact.errorRate == 0.1)
        #expect(exact.durations == [5, 9, 10, 10])
        #expect(shop.estimate.sampleCount == 0 && shop.estimate.errorRate == nil)
        #expect(shop.estimate.traces.upper == .infinity)
        let pay = try #require(rows(.service).last)
        #expect(pay.estimate.traces.value == 2 && pay.exact?.traces == 1)
    }

    @Test("the nearest rank is exact for every share that people write")
    func nearestRank() {
        for count in [1, 2, 10, 100, 200, 700, 1000, 12_345, 1_000_000] {
            for permille in [1, 500, 900, 950, 990, 999, 1000] {
                let exact = (permille * count + 999) / 1000
                #expect(NearestRank.index(Double(permille) / 1000, of: count) == exact - 1, "\(permille) of \(count)")
                #expect(NearestRank.index(Double(permille) / 10 / 100, of: count) == exact - 1)
            }
        }
        #expect(NearestRank.index(0.5, of: 0) == 0)
    }

    @Test("a sample in which nothing stands for the dropped traces claims no upper end")
    func blindSamples() throws {
        var traffic = GroupedTraffic(by: .all)
        traffic.add(service: "", operation: "", probability: 1, isError: true, duration: 5, spanCount: 1)
        traffic.add(service: "", operation: "", probability: nil, isError: false, duration: 9, spanCount: 1)
        let estimate = try #require(traffic.rows.first).estimate
        #expect(estimate.traces == Estimate(value: 1, lower: 1, upper: .infinity))
        #expect(estimate.errorRate == Estimate(value: 1, lower: 0, upper: 1))
        #expect(estimate.durations.allSatisfy { $0?.upper == .infinity && $0?.lower == 0 })
        traffic.add(service: "", operation: "", probability: 0.5, isError: false, duration: 9, spanCount: 1)
        #expect(try #require(traffic.rows.first).estimate.traces.upper.isFinite)
    }

    @Test("intervals hold in small groups too: counts and rates of rare errors, where mostly none is seen, in 93 %")
    func rareErrors() throws {
        var generator = SeededRandom(state: 20_261_121)
        print("seed 20261121")
        var inside = (rate: 0, count: 0, errors: 0)
        let runs = 2000
        for _ in 0..<runs {
            var traffic = GroupedTraffic(by: .all)
            for _ in 0..<Int.random(in: 50...200, using: &generator) {
                let isError = Int.random(in: 0..<100, using: &generator) < 3
                let isKept = Int.random(in: 0..<10, using: &generator) == 0
                traffic.add(
                    service: "", operation: "", probability: isKept ? 0.1 : nil, isError: isError, duration: 1,
                    spanCount: 1)
            }
            let row = try #require(traffic.rows.first)
            let exact = try #require(row.exact)
            if row.estimate.errorRate?.contains(exact.errorRate ?? 0) == true { inside.rate += 1 }
            if row.estimate.traces.contains(Double(exact.traces)) { inside.count += 1 }
            if row.estimate.errorTraces.contains(Double(exact.errorTraces)) { inside.errors += 1 }
        }
        print("inside: \(inside) of \(runs)")
        #expect(Double(inside.rate) / Double(runs) >= 0.93)
        #expect(Double(inside.count) / Double(runs) >= 0.93)
        #expect(Double(inside.errors) / Double(runs) >= 0.93)
    }
}
