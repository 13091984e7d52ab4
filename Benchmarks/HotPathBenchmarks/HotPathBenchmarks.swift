import Benchmark
import BenchmarkWorkloads
import Glibc

// A pass handles a million spans, so that the scaling factor makes every figure one per span.
private let spansPerPass = 1_000_000

/// Made once, when the first benchmark needs it.
nonisolated(unsafe) private let records: RecordSet = {
    do { return try RecordSet(spans: spansPerPass) } catch { fatalError("the traffic does not scan: \(error)") }
}()

/// Calls of malloc, where Benchmarks/malloc_counter.c is preloaded. The benchmark package's own count needs an interposer
/// that is built from another package; without it, it reads 0.
private func mallocs() -> Int {
    guard let symbol = dlsym(nil, "tailrace_malloc_count") else { return 0 }
    return Int(truncatingIfNeeded: symbol.load(as: UInt64.self))
}

private func residentBytes() -> Int {
    guard let file = fopen("/proc/self/statm", "r") else { return 0 }
    defer { fclose(file) }
    var pages: (Int, Int) = (0, 0)
    withUnsafeMutablePointer(to: &pages.0) { total in
        withUnsafeMutablePointer(to: &pages.1) { resident in
            withVaList([total, resident]) { _ = vfscanf(file, "%ld %ld", $0) }
        }
    }
    return pages.1 * Int(sysconf(Int32(_SC_PAGESIZE)))
}

private let mallocCalls = BenchmarkMetric.custom(
    "malloc calls per pass", polarity: .prefersSmaller, useScalingFactor: false)
private let residentShare = BenchmarkMetric.custom(
    "resident bytes per 1000 bytes of records", polarity: .prefersSmaller, useScalingFactor: false)

extension Benchmark {
    /// Measures one pass of `body`, mallocs included.
    fileprivate func measurePass(_ body: () throws -> Void) rethrows {
        let before = mallocs()
        startMeasurement()
        try body()
        stopMeasurement()
        measurement(mallocCalls, mallocs() - before)
    }
}

let benchmarks: @Sendable () -> Void = {
    let configuration = Benchmark.Configuration(
        metrics: [.wallClock, .cpuTotal, mallocCalls], warmupIterations: 1, scalingFactor: .mega,
        maxDuration: .seconds(8), maxIterations: 30)

    Benchmark("scan and validate, per span", configuration: configuration) {
        (benchmark: Benchmark, workload: ScanWorkload) in
        try benchmark.measurePass { blackHole(try workload.scan()) }
    } setup: {
        try ScanWorkload(records)
    }

    Benchmark(
        "OTLP/JSON to protobuf, scan and validate, per span",
        configuration: .init(
            metrics: [.wallClock, .cpuTotal, mallocCalls], warmupIterations: 3, scalingFactor: .kilo,
            maxDuration: .seconds(3), maxIterations: 100)
    ) { (benchmark: Benchmark, workload: ScanWorkload) in
        try benchmark.measurePass { blackHole(try workload.scanJSON()) }
    } setup: {
        try ScanWorkload(records)
    }

    Benchmark("scan, window and decide, 1 % kept, per span", configuration: configuration) {
        (benchmark: Benchmark, workload: SamplingWorkload) in
        workload.prepareRound()
        let before = workload.lateSpans
        benchmark.measurePass { workload.runRound() }
        if !workload.isBalanced { benchmark.error("the ledger does not add up") }
        // The traffic has a few late spans. Were the trace ids not new, all would be late, and nothing be windowed.
        if workload.lateSpans - before > UInt64(records.spanCount / 50) { benchmark.error("too many late spans") }
    } setup: {
        try SamplingWorkload(records, percentage: 1)
    }

    Benchmark("late span: scan and look up its trace's decision, per span", configuration: configuration) {
        (benchmark: Benchmark, workload: SamplingWorkload) in
        let before = workload.lateSpans
        benchmark.measurePass { workload.runLateRound() }
        if workload.lateSpans - before != UInt64(records.spanCount) { benchmark.error("not every span was late") }
    } setup: {
        let workload = try SamplingWorkload(records, percentage: 1)
        workload.runRound()
        workload.closeWindows()
        return workload
    }

    Benchmark("window of a million spans, memory", configuration: .init(metrics: [residentShare], maxIterations: 1)) {
        benchmark in
        let workload = try SamplingWorkload(records, percentage: 1)
        let before = residentBytes()
        let bytes = workload.fillWindow(spans: spansPerPass)
        benchmark.measurement(residentShare, (residentBytes() - before) * 1000 / bytes)
        blackHole(workload)
    }

    // Segments of 100 000 spans, until a million are written.
    Benchmark(
        "segment of kept traces, compressed in memory, per span",
        configuration: .init(
            metrics: [.wallClock, .cpuTotal, mallocCalls], warmupIterations: 0, scalingFactor: .mega,
            maxDuration: .seconds(20), maxIterations: 3)
    ) { (benchmark: Benchmark, workload: SegmentWorkload) in
        try benchmark.measurePass {
            for _ in 0..<10 { blackHole(try workload.encode()) }
        }
    } setup: {
        try SegmentWorkload(RecordSet(spans: 100_000))
    }
}
