import OTLP
import Pipeline
import Sampling
import Tailrace
import TraceModel

/// What the adaptive samplers cost per trace with 100,000 keys: the algorithm alone, and the policy in a task, which reads the
/// keys from the spans' bytes.
enum SamplerBenchmarks {
    private static let keys = 100_000
    private static let tracesPerSecond = 20_000
    private static let spansPerTrace = 10
    private static let start: Int64 = 1_750_000_000_000

    /// SplitMix64.
    private struct Random {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var mixed = state
            mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
            mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
            return mixed ^ mixed >> 31
        }
    }

    static func run() throws {
        print("\(keys) keys, \(tracesPerSecond) traces of \(spansPerTrace) spans per second, one in 25 kept")
        budget()
        dynamic("dynamic", .average(goalRate: 25, interval: 30_000))
        dynamic("ema_dynamic", .movingAverage(goalRate: 25, .init()))
        try policies()
    }

    // MARK: - The algorithms alone

    private static func budget() {
        var random = Random(state: 1)
        var settings = BudgetSettings(rate: Double(tracesPerSecond * spansPerTrace) / 25)
        settings.maximumKeys = keys
        var sampler = BudgetSampler(settings: settings)
        var times: [Double] = []
        for tick in 1...100 {
            let traces = (0..<tracesPerSecond).map { number in
                BudgetTrace(
                    traceID: TraceID(high: random.next(), low: random.next()), spanCount: UInt32(spansPerTrace),
                    key: random.next() % UInt64(keys) &+ 1, shape: random.next() % 3, hasError: number % 100 == 0,
                    duration: random.next() % 1_000_000_000)
            }
            let begin = Measuring.cpuSeconds()
            _ = sampler.decide(traces, at: start + Int64(tick) * 1000)
            // The first seconds fill the tables.
            if tick > 20 { times.append((Measuring.cpuSeconds() - begin) / Double(tracesPerSecond) * 1e6) }
        }
        report("budget, algorithm", times, sampler.byteCount)
    }

    /// Updates of the rates included: every second counts, those without one too.
    private static func dynamic(_ name: String, _ algorithm: DynamicSampler.Algorithm) {
        var random = Random(state: 2)
        var sampler = DynamicSampler(algorithm, maximumKeys: keys)
        var kept = 0.0
        let seconds = 120
        var begin = 0.0
        for second in 0..<seconds {
            if second == 30 { begin = Measuring.cpuSeconds() }
            for number in 0..<tracesPerSecond {
                let time = start + Int64(second) * 1000 + Int64(number * 1000 / tracesPerSecond)
                kept += 1 / sampler.rate(of: random.next() % UInt64(keys) &+ 1, count: Double(spansPerTrace), at: time)
            }
        }
        let traces = Double((seconds - 30) * tracesPerSecond)
        let microseconds = (Measuring.cpuSeconds() - begin) / traces * 1e6
        print(
            "\(name), algorithm with MaxKeys \(keys): \(Measuring.format(microseconds, 2)) µs per trace (mean of 90 s, "
                + "updates included), one in \(Measuring.format(Double(seconds * tracesPerSecond) / kept)) kept")
    }

    private static func report(_ name: String, _ times: [Double], _ bytes: Int) {
        print(
            "\(name): \(Measuring.format(Measuring.median(times), 2)) µs per trace (median of \(times.count) ticks, most "
                + "\(Measuring.format(times.max() ?? 0, 2))), \(bytes / 1_000_000) MB")
    }

    // MARK: - The policies in a task

    private static func policies() throws {
        let fields = "FieldList: [service.name, http.route]"
        let variants = [
            ("deterministic", "- { name: p, type: deterministic, SampleRate: 25 }"),
            (
                "budget",
                """
                - { name: p, type: budget, rate: \(tracesPerSecond * spansPerTrace / 25) spans/s, key: [service, http.route], max_keys: \(keys) }
                """
            ),
            ("dynamic", "- { name: p, type: dynamic, SampleRate: 25, \(fields), MaxKeys: \(keys) }"),
            (
                "rules with 5 rules, the last one deterministic",
                """
                - name: p
                  type: rules
                  Rules:
                    - { Drop: true, Conditions: [{ Field: root.http.route, Operator: starts-with, Value: /health }] }
                    - { SampleRate: 1, Conditions: [{ Field: http.response.status_code, Operator: '>=', Value: 500, Datatype: int }] }
                    - { SampleRate: 1, Conditions: [{ Field: duration_ms, Operator: '>', Value: 5000 }] }
                    - { SampleRate: 1, Scope: span, Conditions: [{ Field: service.name, Operator: '=', Value: pay }, { Field: error, Operator: exists }] }
                    - { SampleRate: 25 }
                """
            ),
        ]
        var base: Double?
        for (name, policy) in variants {
            let microseconds = try task(policy)
            let more = base.map { ", \(Measuring.format(microseconds - $0, 2)) µs more than deterministic" } ?? ""
            print("\(name), whole task: \(Measuring.format(microseconds, 2)) µs per trace\(more)")
            base = base ?? microseconds
        }
    }

    /// CPU time per trace of scan, window, decision and assembly of what is kept. Every trace is one record.
    private static func task(_ policy: String) throws -> Double {
        let task = try BenchmarkTask.makeTask(
            window: "{ max: 2s, settle: 1s, idle: 2s, max_bytes: 64GiB }", policies: policy)
        var payload = template()
        let traceIDs = occurrences(of: marker(0xEE), in: payload)
        let routes = occurrences(of: Array("/route/00000".utf8), in: payload)
        var random = Random(state: 3)
        let seconds = 40
        var begin = 0.0
        var offset: Int64 = 0
        for second in 0..<seconds {
            if second == 10 { begin = Measuring.cpuSeconds() }
            for number in 0..<tracesPerSecond {
                write(random.next(), random.next(), to: &payload, at: traceIDs)
                let route = Int(random.next() % UInt64(keys))
                for place in routes {
                    var rest = route
                    for digit in 0..<5 {
                        payload[place + 11 - digit] = 0x30 + UInt8(rest % 10)
                        rest /= 10
                    }
                }
                BenchmarkTask.feed(
                    task, payload, offset: offset,
                    time: start + Int64(second) * 1000 + Int64(number * 1000 / tracesPerSecond))
                offset += 1
            }
            _ = task.seal()
        }
        return (Measuring.cpuSeconds() - begin) / Double((seconds - 10) * tracesPerSecond) * 1e6
    }

    /// One trace with a route in every span, as OTLP.
    private static func template() -> [UInt8] {
        let id = TraceID(high: 0xEEEE_EEEE_EEEE_EEEE, low: 0xEEEE_EEEE_EEEE_EEEE)
        let spans = (0..<UInt64(spansPerTrace)).map { number in
            Span(
                traceID: id, spanID: SpanID(number + 1), parentSpanID: SpanID(number), name: "operation-\(number)",
                kind: .server, startTime: 1_000_000_000, endTime: 1_020_000_000,
                attributes: [
                    Attribute("http.request.method", .string("GET")), Attribute("http.response.status_code", .int(200)),
                    Attribute("http.route", .string("/route/00000")), Attribute("url.scheme", .string("https")),
                    Attribute("server.address", .string("shop.example")), Attribute("server.port", .int(443)),
                    Attribute("thread.id", .int(17)), Attribute("user_agent.original", .string("benchmark/1.0")),
                ])
        }
        let resource = Resource(attributes: [Attribute("service.name", .string("shop"))])
        return OTLPEncoder.encode([
            ResourceSpans(
                resource: resource,
                scopeSpans: [ScopeSpans(scope: InstrumentationScope(name: "bench"), spans: spans)])
        ])
    }

    private static func marker(_ byte: UInt8) -> [UInt8] { Array(repeating: byte, count: 16) }

    private static func occurrences(of part: [UInt8], in bytes: [UInt8]) -> [Int] {
        guard bytes.count >= part.count else { return [] }
        return (0...(bytes.count - part.count)).filter { bytes[$0..<($0 + part.count)].elementsEqual(part) }
    }

    private static func write(_ high: UInt64, _ low: UInt64, to bytes: inout [UInt8], at places: [Int]) {
        for place in places {
            for index in 0..<8 {
                bytes[place + index] = UInt8(truncatingIfNeeded: high >> UInt64(56 - 8 * index))
                bytes[place + 8 + index] = UInt8(truncatingIfNeeded: low >> UInt64(56 - 8 * index))
            }
        }
    }
}
