import Glibc

/// Clocks of the process.
enum Measuring {
    static func seconds() -> Double { read(CLOCK_MONOTONIC) }

    static func cpuSeconds() -> Double { read(CLOCK_PROCESS_CPUTIME_ID) }

    static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

    static func residentBytes() -> Int { status("VmRSS:") }

    /// The most resident memory the process ever had.
    static func highestResidentBytes() -> Int { status("VmHWM:") }

    private static func status(_ name: String) -> Int {
        guard let file = fopen("/proc/self/status", "r") else { return 0 }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        while fgets(&line, 256, file) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            if text.hasPrefix(name) { return (Int(text.filter(\.isNumber)) ?? 0) * 1024 }
        }
        return 0
    }

    /// Runs a body several times and prints the median of CPU time per span.
    static func report(_ name: String, spans: Int, runs: Int = 7, _ body: () throws -> Void) rethrows {
        try body()  // warms caches and fills reused buffers
        var times: [Double] = []
        for _ in 0..<runs {
            let start = cpuSeconds()
            try body()
            times.append((cpuSeconds() - start) / Double(spans) * 1e9)
        }
        print("\(name): \(format(median(times))) ns per span (median of \(runs))")
    }

    static func format(_ value: Double, _ digits: Int = 1) -> String {
        let scale = pow(10, Double(digits))
        return String((value * scale).rounded() / scale)
    }

    private static func read(_ clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
