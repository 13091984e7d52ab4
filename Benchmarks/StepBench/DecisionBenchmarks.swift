import Glibc
import Pipeline
import Sampling
import TraceModel

/// Remembered decisions: memory and look-up time at 50,000 decisions per second over ten minutes, 5 % of them kept.
enum DecisionBenchmarks {
    private static let rate: UInt64 = 50_000
    private static let start: Int64 = 1_750_000_000_000

    /// SplitMix64: ids as random as W3C wants them.
    private static func mixed(_ number: UInt64) -> UInt64 {
        var mixed = number &* 0x9e37_79b9_7f4a_7c15
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }

    private static func id(_ number: UInt64) -> TraceID {
        TraceID(high: mixed(number &* 2 &+ 1), low: mixed(number &* 2))
    }

    static func run() {
        var memory = DecisionMemory(horizon: 600_000)
        let before = Measuring.residentBytes()
        var number: UInt64 = 0
        var largest = 0
        var slowest = 0.0
        let begin = Measuring.cpuSeconds()
        // Two horizons: in the second, every second forgets as much as it remembers.
        for second in 0..<1300 as Range<Int64> {
            let tickStart = Measuring.cpuSeconds()
            for _ in 0..<rate {
                number += 1
                memory.remember(record(number, at: start + second * 1000))
            }
            memory.expire(streamTime: start + second * 1000)
            largest = max(largest, memory.byteCount)
            if second > 700 { slowest = max(slowest, Measuring.cpuSeconds() - tickStart) }
        }
        let insertion = (Measuring.cpuSeconds() - begin) / Double(number) * 1e9
        print(
            "decisions remembered: \(memory.count) (\(memory.keptCount) kept), \(memory.byteCount / 1_000_000) MB, "
                + "at most \(largest / 1_000_000) MB, resident \((Measuring.residentBytes() - before) / 1_000_000) MB")
        print(
            "remember: \(Measuring.format(insertion)) ns, slowest second \(Measuring.format(slowest * 1000)) ms "
                + "for \(rate); false positives \(memory.falsePositiveRate)")
        let window = rate * 500
        // Part of both figures below.
        print("ids made and chosen alone: \(Measuring.format(choosing { number - mixed($0) % window })) ns")
        report("look-up, unknown trace", memory) { 1 << 40 + $0 }
        report("look-up, decided trace", memory) { number - mixed($0) % window }
    }

    private static func record(_ number: UInt64, at time: Int64) -> DecisionRecord {
        DecisionRecord(
            traceID: id(number), isKept: number % 20 == 0, trigger: .root, policyIndex: UInt16(number % 3),
            policyVersion: 7, probability: Double(number % 1000) / 1000, decidedAt: time, spanCount: 1, byteCount: 1,
            duration: 1, firstOffset: 0, lastOffset: 0)
    }

    private static func choosing(_ pick: (UInt64) -> UInt64) -> Double {
        let count: UInt64 = 14_000_000
        var sum: UInt64 = 0
        let begin = Measuring.cpuSeconds()
        for index in 0..<count {
            let id = id(pick(index))
            sum ^= id.high ^ id.low
        }
        let time = (Measuring.cpuSeconds() - begin) / Double(count) * 1e9
        // Used, or the loop would not be there.
        return sum == 0 ? 0 : time
    }

    /// Look-ups that do not wait for each other, as those of a record's spans.
    private static func report(_ name: String, _ memory: borrowing DecisionMemory, _ pick: (UInt64) -> UInt64) {
        let count: UInt64 = 2_000_000
        var times: [Double] = []
        var found = 0
        for _ in 0..<7 {
            let begin = Measuring.cpuSeconds()
            for index in 0..<count {
                if case .unknown = memory.find(id(pick(index))) { continue }
                found += 1
            }
            times.append((Measuring.cpuSeconds() - begin) / Double(count) * 1e9)
        }
        print("\(name): \(Measuring.format(Measuring.median(times))) ns (median of 7), \(found) of \(7 * count) found")
    }
}
