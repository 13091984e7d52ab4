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
