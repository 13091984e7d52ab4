import Glibc

/// Clocks of the process.
enum Measuring {
    static func seconds() -> Double { read(CLOCK_MONOTONIC) }

    static func cpuSeconds() -> Double { read(CLOCK_PROCESS_CPUTIME_ID) }

    static func format(_ value: Double, _ digits: Int) -> String {
        let scale = pow(10, Double(digits))
        return String((value * scale).rounded() / scale)
    }

    private static func read(_ clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
