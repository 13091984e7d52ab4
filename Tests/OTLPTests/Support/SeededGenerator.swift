import Foundation

/// SplitMix64: the same numbers for the same seed on every machine.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        return value ^ value >> 31
    }

    mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }

    mutating func chance(_ oneIn: Int) -> Bool { below(oneIn) == 0 }
}

enum TestSettings {
    /// `TAILRACE_SEED` repeats a failure or explores others; every failure states its seed.
    static let seed = ProcessInfo.processInfo.environment["TAILRACE_SEED"].flatMap { UInt64($0) } ?? 20_240_917

    /// `TAILRACE_FUZZ_ROUNDS` runs the mutation tests for longer.
    static let rounds = ProcessInfo.processInfo.environment["TAILRACE_FUZZ_ROUNDS"].flatMap { Int($0) } ?? 4000
}
