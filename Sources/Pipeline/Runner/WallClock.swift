import Glibc

/// The clocks of the shell around the state machines.
package enum WallClock {
    /// Milliseconds since the Unix epoch.
    package static func now() -> Int64 { read(CLOCK_REALTIME) }

    /// Milliseconds of a clock that nobody sets.
    package static func monotonic() -> Int64 { read(CLOCK_MONOTONIC) }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
