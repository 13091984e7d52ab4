import Glibc
import OTLP
import Pipeline
import Testing
import TraceModel

@testable import Sampling

@Suite("A window on disk")
struct SpillTests {
    private static func disk(_ settings: WindowSettings = .only(max: 5000)) -> WindowSettings {
        var settings = settings
        settings.buffer = .disk
        return settings
    }

    /// Spans of many traces at once, of about `padding` bytes, some longer than one read.
    private static func feed(_ driver: SamplerDriver, seed: UInt64, records: Int, padding: Int) throws {
        var random = SeededRandom(seed: seed)
        for step in 0..<records {
            var spans: [SentSpan] = []
            for index in 0..<Int.random(in: 1...8, using: &random) {
                let trace = UInt64(max(1, step / 4 - .random(in: 0...40, using: &random)))
                spans.append(
                    SentSpan(
                        trace: trace, id: UInt64(step * 8 + index + 1),
                        parent: Int.random(in: 0...9, using: &random) == 0 ? 0 : 1,
                        isError: Int.random(in: 0...19, using: &random) == 0,
                        service: "s\(Int.random(in: 0...5, using: &random))",
                        padding: Int.random(in: 0...30, using: &random) == 0 ? 20_000 : padding))
            }
            try driver.send(spans, at: 1000 + Int64(step) * 10)
        }
    }

    @Test("decides and stores what a window in memory does, byte for byte", arguments: [1, 2, 3] as [UInt64])
    func sameAsMemory(seed: UInt64) throws {
        let files = FaultySpillFiles()
        let policies: [any SamplingPolicy] = [
            StatusCodePolicy(name: "errors", statusCodes: [.error]),
            ProbabilisticPolicy(name: "rest", percentage: 40, salt: ""),
        ]
        let memory = SamplerDriver(.only(max: 5000), policies: policies, wantsDropped: true)
        let disk = SamplerDriver(Self.disk(), policies: policies, wantsDropped: true, spillFiles: files)
        disk.sampler.hotBytes = 2 << 20
        for driver in [memory, disk] {
            try Self.feed(driver, seed: seed, records: 1200, padding: 4000)
            #expect(driver.sampler.gauges.openSpans == driver.open.count)
            driver.closeAll()
            #expect(driver.open.isEmpty && driver.wrongRefs.isEmpty)
        }
        #expect(files.made > 0)
        #expect(disk.decisions == memory.decisions)
        #expect(disk.kept.map(\.payload) == memory.kept.map(\.payload))
        #expect(disk.kept.map(\.summary) == memory.kept.map(\.summary))
        #expect(disk.sampler.gauges.spilledBytes == 0)
    }

    @Test("keeps little in memory, and reads nothing of dropped traces")
    func bounded() throws {
        let files = FaultySpillFiles()
        let driver = SamplerDriver(Self.disk(), policies: [KeepNothingPolicy()], spillFiles: files)
        driver.sampler.hotBytes = 2 << 20
        var highest = 0
        var most = 0
        for step in 0..<700 as Range<Int64> {
            try driver.send([SentSpan(trace: UInt64(step) + 1, id: 1, padding: 40_000)], at: 1000 + step)
            highest = max(highest, driver.sampler.usedBytes)
            most = max(most, driver.sampler.gauges.spilledBytes)
        }
        #expect(most > 18 << 20)
        #expect(highest < driver.sampler.hotBytes + 3 * SpanArena.chunkSize)
        driver.closeAll()
        #expect(files.reads == 0)
        #expect(driver.decisions.count == 700 && driver.open.isEmpty)
        #expect(driver.sampler.gauges.spilledBytes == 0)
        #expect(driver.sampler.gauges.spillFiles <= 1 && files.made - files.closed <= 1)
    }

    @Test("uses the space of decided traces again")
    func reusesSpace() throws {
        let files = FaultySpillFiles()
        let driver = SamplerDriver(
            Self.disk(.only(max: 400, tick: 100)), policies: [KeepNothingPolicy()], spillFiles: files)
        driver.sampler.hotBytes = 2 << 20
        for step in 0..<4000 as Range<Int64> {
            try driver.send([SentSpan(trace: UInt64(step) + 1, id: 1, padding: 40_000)], at: 1000 + step)
        }
        // Half a second of window is 20 MB: one file, however long it goes on.
        #expect(driver.sampler.gauges.spillWrittenBytes > 120 << 20)
        #expect(driver.sampler.gauges.spillFiles == 1 && files.made == 1)
    }

    @Test("goes to disk at the budget before any trace is decided early")
    func automatic() throws {
        let files = FaultySpillFiles()
        let driver = SamplerDriver(.only(max: 60_000), spillFiles: files)
        for trace in 1...2000 as ClosedRange<UInt64> {
            try driver.send([SentSpan(trace: trace, id: 1, padding: 9000)], at: 1000 + Int64(trace))
        }
        #expect(files.made == 0)
        let full = driver.sampler.usedBytes
        driver.sampler.shrink(toBytes: full / 3, output: driver)
        #expect(driver.sampler.usedBytes <= full / 3)
        #expect(driver.decisions.isEmpty)
        // When nothing is left to go to disk, the oldest traces are decided after all.
        driver.sampler.shrink(toBytes: 1000, output: driver)
        #expect(driver.decisions.first?.trigger == .memory)
        driver.closeAll()
        #expect(try driver.storedSpans().count == 2000)
        #expect(driver.open.isEmpty && driver.wrongRefs.isEmpty)
    }

    @Test("stays in memory while the disk is full, decides nobody early, and goes to disk when there is space again")
    func fullDisk() throws {
        let files = FaultySpillFiles()
        files.writesLeft = 3
        let driver = SamplerDriver(Self.disk(.only(max: 60_000)), spillFiles: files)
        driver.sampler.hotBytes = 2 << 20
        for step in 0..<400 as Range<Int64> {
            try driver.send([SentSpan(trace: UInt64(step) + 1, id: 1, padding: 40_000)], at: 1000 + step)
        }
        #expect(driver.sampler.gauges.spillError?.contains("no space left") == true)
        #expect(driver.sampler.gauges.spillFailures > 0)
        let used = driver.sampler.usedBytes
        #expect(used > 10 << 20)
        driver.sampler.shrink(toBytes: 1 << 20, output: driver)
        #expect(driver.decisions.isEmpty)
        files.writesLeft = nil
        driver.sampler.shrink(toBytes: 5 << 20, output: driver)
        #expect(driver.sampler.gauges.spillError == nil)
        #expect(driver.sampler.usedBytes <= 5 << 20)
        driver.closeAll()
        #expect(try driver.storedSpans().count == 400)
        #expect(driver.open.isEmpty && driver.wrongRefs.isEmpty && driver.sampler.failure == nil)
    }

    /// The worker is paused while the disk refuses: it would wait for a write that never comes (simulator, seed 5261).
    @Test("does not wait for the disk any more once what it refused is decided")
    func decidedAfterRefusal() throws {
        let files = FaultySpillFiles()
        files.writesLeft = 0
        let driver = SamplerDriver(.only(max: 5000), policies: [KeepNothingPolicy()], spillFiles: files)
        for step in 0..<100 as Range<Int64> {
            try driver.send([SentSpan(trace: UInt64(step) + 1, id: 1, padding: 40_000)], at: 1000 + step)
        }
        driver.sampler.shrink(toBytes: 1 << 20, output: driver)
        #expect(driver.sampler.gauges.spillError != nil && driver.decisions.isEmpty)
        driver.closeAll()
        driver.sampler.shrink(toBytes: 1000, output: driver)
        #expect(driver.open.isEmpty && driver.sampler.gauges.spillError == nil)
    }

    @Test("no directory for files is like a full disk")
    func noDirectory() throws {
        let files = FaultySpillFiles()
        files.makesFail = true
        let driver = SamplerDriver(Self.disk(), spillFiles: files)
        driver.sampler.hotBytes = 2 << 20
        for step in 0..<300 as Range<Int64> {
            try driver.send([SentSpan(trace: UInt64(step) + 1, id: 1, padding: 40_000)], at: 1000 + step)
        }
        #expect(driver.sampler.gauges.spillError != nil)
        driver.closeAll()
        #expect(try driver.storedSpans().count == 300)
    }

    @Test("spans that cannot be read back are a failure of the sampler, and nothing of their trace is reported")
    func brokenDisk() throws {
        let files = FaultySpillFiles()
        let driver = SamplerDriver(Self.disk(.only(max: 60_000)), spillFiles: files)
        driver.sampler.hotBytes = 2 << 20
        for step in 0..<300 as Range<Int64> {
            try driver.send([SentSpan(trace: UInt64(step) + 1, id: 1, padding: 40_000)], at: 1000 + step)
        }
        files.readsFail = true
        driver.closeAll()
        #expect(driver.sampler.failure.map { "\($0)" }?.contains("input/output error") == true)
        // Whole traces with their refs and decision, or nothing: the rest is still in custody.
        let stored = try driver.storedSpans().count
        #expect(stored == driver.decisions.count && stored + driver.open.count == 300 && stored < 300)
    }

    @Test("files of a real directory have no name, and are gone when they are released")
    func realFiles() throws {
        let directory = "/tmp/tailrace-spill-\(UInt64.random(in: 0 ... .max))/spill"
        do {
            let driver = SamplerDriver(Self.disk(), spillFiles: SpillDirectory(directory))
            driver.sampler.hotBytes = 2 << 20
            try Self.feed(driver, seed: 9, records: 1200, padding: 4000)
            #expect(driver.sampler.gauges.spilledBytes > 0)
            #expect(Self.names(in: directory) == [])
            driver.closeAll()
            #expect(driver.sampler.failure == nil && driver.open.isEmpty)
            let stored = try driver.storedSpans().count
            #expect(stored > 1000)
        }
        rmdir(directory)
        #expect(rmdir(String(directory.dropLast("/spill".count))) == 0)
    }

    private static func names(in directory: String) -> [String]? {
        guard let stream = opendir(directory) else { return nil }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }
}
