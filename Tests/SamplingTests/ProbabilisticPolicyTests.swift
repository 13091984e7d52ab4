import Testing
import TraceModel

@testable import Sampling

/// Vectors made with an independent implementation in Python (exact fractions, rounded to 64 bits of mantissa as Go's
/// `big.Float` is).
struct ProbabilisticPolicyTests {
    @Test(
        arguments: [
            (0, 0), (0.0001, 18_446_744_073_709), (0.001, 184_467_440_737_095), (0.01, 1_844_674_407_370_955),
            (0.1, 18_446_744_073_709_551), (0.3, 55_340_232_221_128_655), (0.7, 129_127_208_515_966_847),
            (1, 184_467_440_737_095_519), (1.5, 276_701_161_105_643_263), (2.5, 461_168_601_842_738_815),
            (3, 553_402_322_211_286_527), (5, 922_337_203_685_477_631), (7.3, 1_346_612_317_380_797_183),
            (10, 1_844_674_407_370_955_263), (12.5, 2_305_843_009_213_693_951), (20, 3_689_348_814_741_910_527),
            (25, 4_611_686_018_427_387_903), (33.333, 6_148_853_202_089_604_095), (50, 9_223_372_036_854_775_807),
            (66.6, 12_285_531_553_090_559_999), (75, 13_835_058_055_282_163_711), (90, 16_602_069_666_338_596_863),
            (99, 18_262_276_632_972_455_935), (99.9, 18_428_297_329_635_844_095),
            (99.99999999999999, 18_446_744_073_709_549_567), (1e-15, 184), (1e-17, 1), (1e-18, 0),
            (Double.leastNonzeroMagnitude, 0), (100, UInt64.max), (250, UInt64.max), (-5, 0),
        ] as [(Double, UInt64)])
    func theThresholdIsTheCollectors(percentage: Double, threshold: UInt64) {
        #expect(ProbabilisticPolicy.threshold(percentage: percentage) == threshold)
    }

    @Test(
        arguments: [
            ("", "0102030405060708090a0b0c0d0e0f10", 15_838_989_281_584_434_349),
            ("default-hash-seed", "6513270e269e0d37f2a74de452e6b438", 16_748_998_176_472_893_230),
            ("default-hash-seed", "d23f0824128b2f330c5c7fd0a6a3a450", 334_210_362_952_067_387),
            ("default-hash-seed", "9531985d5d9dc9f81818e811892f902b", 10_459_548_921_521_243_765),
            ("a", "0102030405060708090a0b0c0d0e0f10", 15_738_846_537_740_734_940),
            ("a", "6b0d549b6f03675a1600a35a099950d8", 6_441_307_663_723_910_811),
            ("second sampler", "0fd630f1f29d0da9953f48f1a09f76b5", 17_637_831_117_250_384_359),
            ("second sampler", "0cb1e29c658cda1495e60af593bd04cf", 5_464_892_574_936_723_224),
            ("ümlaut", "922766581e27a1c08a6a63ec24ede6a4", 17_455_589_310_525_020_966),
            ("ümlaut", "ae97ba94d0eda82f8f6d05584ef8aa38", 2_459_999_710_003_306_301),
        ] as [(String, String, UInt64)])
    func theHashIsTheCollectors(salt: String, id: String, hash: UInt64) throws {
        let traceID = try #require(TraceID(hex: id))
        let policy = ProbabilisticPolicy(name: "p", percentage: 50, salt: salt)
        #expect(policy.hash(of: traceID) == hash)
    }

    @Test(arguments: [0.5, 3, 25, 80])
    func theShareOfKeptTracesIsThePercentage(percentage: Double) {
        let policy = ProbabilisticPolicy(name: "p", percentage: percentage, salt: "")
        var random = SeededRandom(seed: 11)
        let count = 100_000
        var kept = 0
        for _ in 0..<count {
            let vote = policy.vote(
                on: .empty(TraceID(high: random.next(), low: random.next())), matched: ConditionBits(low: 0))
            switch vote {
            case .keep(let probability):
                kept += 1
                #expect(probability == percentage / 100)
            case .pass(let probability): #expect(probability == percentage / 100)
            case .drop, .limited: Issue.record("a probabilistic policy has no veto and no limit")
            }
        }
        let share = percentage / 100
        let deviation = (share * (1 - share) / Double(count)).squareRoot()
        #expect(abs(Double(kept) / Double(count) - share) < 5 * deviation)
    }

    @Test func aHigherPercentageKeepsTheSameTracesAndMore() {
        let low = ProbabilisticPolicy(name: "low", percentage: 5, salt: "s")
        let high = ProbabilisticPolicy(name: "high", percentage: 20, salt: "s")
        var random = SeededRandom(seed: 3)
        for _ in 0..<10_000 {
            let trace = TraceEvidence.empty(TraceID(high: random.next(), low: random.next()))
            if case .keep = low.vote(on: trace, matched: ConditionBits(low: 0)) {
                guard case .keep = high.vote(on: trace, matched: ConditionBits(low: 0)) else {
                    Issue.record("kept at 5 % and not at 20 %: \(trace.traceID.hex)")
                    return
                }
            }
        }
    }
}

extension TraceEvidence {
    static func empty(_ id: TraceID) -> TraceEvidence {
        TraceEvidence(
            traceID: id, duration: 0, spanCount: 1, errorCount: 0, byteCount: 0, statusSeen: 1, hasRoot: true,
            decidedAt: 0)
    }
}
