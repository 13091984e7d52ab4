import Glibc
import OTLP
import Pipeline
import Tailrace
import TraceModel

/// A window of five minutes at 20,000 spans per second, in memory or on disk: resident memory and speed.
///
/// Traces have ten spans of about 450 bytes in three records, one second and three seconds apart; 1 % are kept.
enum SpillBenchmarks {
    private static let tracesPerSecond = 2000
    private static let start: Int64 = 1_750_000_000_000

    /// A record whose ids are put in by hand: encoding anew would cost more than what is measured.
    private struct Template {
        var bytes: [UInt8]
        private var traceOffsets: [Int] = []
        private var spanOffsets: [Int] = []

        init(spans: Int, isRoot: Bool) {
            let trace = TraceID(high: 0xa1b2_c3d4_e5f6_0718, low: 0x91a2_b3c4_d5e6_f708)
            let models = (0..<spans).map { index in
                Span(
                    traceID: trace, spanID: SpanID(0xf1f2_f3f4_f5f6_f700 + UInt64(index)),
                    parentSpanID: SpanID(isRoot && index == 0 ? 0 : 7), name: "GET /api/products/{id}", kind: .server,
                    startTime: 1_750_000_000_000_000_000, endTime: 1_750_000_000_012_000_000,
                    attributes: [
                        Attribute("http.request.method", .string("GET")),
                        Attribute("url.path", .string("/api/products/OLJCESPC7Z")),
                        Attribute("http.response.status_code", .int(200)),
                        Attribute("server.address", .string("frontend-7c9f8d5b4-x2x9q")),
                        Attribute("user_agent.original", .string("Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101")),
                        Attribute("network.peer.address", .string("10.244.17.203")),
                        Attribute("app.session.id", .string("4f1c2a66-52f1-4d5a-9d0e-3c8b7a9e1f20")),
                    ])
            }
            let resource = Resource(attributes: [Attribute("service.name", .string("frontend"))])
            bytes = OTLPEncoder.encode([
                ResourceSpans(
                    resource: resource,
                    scopeSpans: [ScopeSpans(scope: InstrumentationScope(name: "http"), spans: models)]
                )
            ])
            for index in bytes.indices.dropLast(15) {
                if bytes[index..<(index + 4)].elementsEqual([0xa1, 0xb2, 0xc3, 0xd4]) { traceOffsets.append(index) }
                if bytes[index..<(index + 4)].elementsEqual([0xf1, 0xf2, 0xf3, 0xf4]) { spanOffsets.append(index) }
            }
        }

        mutating func set(_ trace: UInt64, firstSpan: UInt64) {
            bytes.withUnsafeMutableBytes { bytes in
                for offset in traceOffsets {
                    // Spread over the whole id, as random ids are.
                    let high = trace &* 0x9e37_79b9_7f4a_7c15
                    bytes.storeBytes(of: high ^ high >> 29, toByteOffset: offset, as: UInt64.self)
                    bytes.storeBytes(
                        of: (high &* 0xbf58_476d_1ce4_e5b9) ^ trace, toByteOffset: offset + 8, as: UInt64.self)
                }
                for (index, offset) in spanOffsets.enumerated() {
                    bytes.storeBytes(of: firstSpan + UInt64(index), toByteOffset: offset, as: UInt64.self)
                }
            }
        }
    }

    /// - Parameters:
    ///   - buffer: `memory` or `disk`.
    ///   - minutes: of stream time; from the sixth on windows close.
    static func run(buffer: String, directory: String, minutes: Int) throws {
        let task = try BenchmarkTask.makeTask(
            window:
                "{ max: 5m, settle: 5m, idle: 5m, max_bytes: 64GiB, buffer: \(buffer), spill_directory: \(directory) }",
            horizon: "10m")
        var templates = [
            Template(spans: 4, isRoot: true), Template(spans: 3, isRoot: false), Template(spans: 3, isRoot: false),
        ]
        // Traces ago: one second, three seconds.
        let delays = [0, tracesPerSecond, 3 * tracesPerSecond]
        var offset: Int64 = 0
        var spans = 0
        var most = 0
        let begin = (Measuring.seconds(), Measuring.cpuSeconds())
        for trace in 0..<(minutes * 60 * tracesPerSecond) {
            let time = start + Int64(trace) * 1000 / Int64(tracesPerSecond)
            for (part, delay) in delays.enumerated() where trace >= delay {
                templates[part].set(UInt64(trace - delay) + 1, firstSpan: UInt64(offset) * 8 + 1)
                BenchmarkTask.feed(task, templates[part].bytes, offset: offset, time: time)
                offset += 1
                spans += part == 0 ? 4 : 3
            }
            if trace % (2 * tracesPerSecond) == 0 {
                _ = task.seal()
                most = max(most, task.openSpans)
            }
        }
        let (seconds, cpu) = (Measuring.seconds() - begin.0, Measuring.cpuSeconds() - begin.1)
        let gauges = task.gauges
        print(
            "window of 5 minutes, buffer: \(buffer): \(most) spans in the window, "
                + "\(Measuring.highestResidentBytes() / 1_000_000) MB resident at most (VmHWM), "
                + "\(Measuring.format(Double(spans) / seconds / 1e6, 2)) M spans/s, "
                + "\(Measuring.format(cpu / Double(spans) * 1e9)) ns of CPU per span")
        print(
            "  \(templates[0].bytes.count / 4) bytes per span, \(gauges.openTraces) open traces, "
                + "index and newest spans \(gauges.windowBytes / 1_000_000) MB, on disk \(gauges.spilledBytes / 1_000_000) MB "
                + "in \(gauges.spillFiles) files, \(gauges.spillReads) reads, decisions \(gauges.decisionBytes / 1_000_000) MB"
        )
        precondition(task.counters.imbalance(inWindow: task.openSpans) == 0, "the ledger does not add up")
    }
}
