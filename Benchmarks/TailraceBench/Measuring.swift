import Glibc

/// Clocks and counters of the process.
enum Measuring {
    static func seconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    static func cpuSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    static func residentBytes() -> Int {
        guard let file = fopen("/proc/self/statm", "r") else { return 0 }
        defer { fclose(file) }
        var size = 0
        var resident = 0
        withUnsafeMutablePointer(to: &size) { size in
            withUnsafeMutablePointer(to: &resident) { resident in
                withVaList([size, resident]) { _ = vfscanf(file, "%ld %ld", $0) }
            }
        }
        return resident * 4096
    }

    /// The most resident memory the process ever had.
    static func highestResidentBytes() -> Int {
        guard let file = fopen("/proc/self/status", "r") else { return 0 }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        while fgets(&line, 256, file) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            guard text.hasPrefix("VmHWM:") else { continue }
            return (Int(text.filter(\.isNumber)) ?? 0) * 1024
        }
        return 0
    }

    /// Calls of malloc so far; nil where the counter (Benchmarks/malloc_counter.c) is not preloaded.
    static func mallocs() -> UInt64? {
        guard let symbol = dlsym(nil, "tailrace_malloc_count") else { return nil }
        return symbol.load(as: UInt64.self)
    }

    static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

    /// Runs a body several times and prints the median per span.
    static func report(_ name: String, spans: Int, runs: Int = 7, _ body: () throws -> Void) rethrows {
        try body()  // warms caches and fills reused buffers
        var times: [Double] = []
        let before = mallocs()
        for _ in 0..<runs {
            let start = cpuSeconds()
            try body()
            times.append((cpuSeconds() - start) / Double(spans))
        }
        let perSpan = median(times)
        var line = "\(name): \(format(perSpan * 1e9)) ns/span, \(format(1 / perSpan / 1e6, 2)) M spans/s"
        if let before, let after = mallocs() {
            line += ", \(format(Double(after - before) / Double(spans * runs), 4)) mallocs/span"
        }
        print(line)
    }

    static func format(_ value: Double, _ digits: Int = 1) -> String {
        let scale = pow(10, Double(digits))
        return String((value * scale).rounded() / scale)
    }
}
