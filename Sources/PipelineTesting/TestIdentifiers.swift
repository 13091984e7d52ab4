import TraceModel

/// Ids that follow from names, so that a test gives the same result wherever it runs.
enum TestIdentifiers {
    static func traceID(_ name: String) -> TraceID {
        let hash = FNV1a.hash(name)
        let id = TraceID(high: mixed(hash), low: mixed(hash ^ 0x5bf0_3635))
        return id.isZero ? TraceID(high: 0, low: 1) : id
    }

    static func spanID(_ number: Int, of trace: TraceID) -> SpanID {
        let value = mixed(trace.low &+ UInt64(number) &* 0x9e37_79b9_7f4a_7c15)
        return SpanID(value == 0 ? 1 : value)
    }

    /// splitmix64's finalizer (https://prng.di.unimi.it/splitmix64.c): every bit of the input changes half of the output's,
    /// which probabilistic policies count on.
    static func mixed(_ value: UInt64) -> UInt64 {
        var value = value
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}
