import ArgumentParser
import Foundation
import OTLP
import Pipeline
import Query
import TraceModel

struct SearchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "search", abstract: "Finds stored traces, newest first.",
        discussion: """
            Example: tailrace search --service checkout --error --since 15m
            Example: tailrace search --tag http.route=/api/cart --min-duration 500ms --json
            """)

    @Option(help: "Traces with a span of this service.") var service: String?
    @Option(help: "Traces with a span of this name.") var operation: String?
    @Option(help: "Searchable attribute, key=value; repeatable, all must match.") var tag: [String] = []
    @Flag(help: "Only traces with an error.") var error = false
    @Option(help: "Shortest duration, for example 250ms.") var minDuration: String?
    @Option(help: "Longest duration, for example 2s.") var maxDuration: String?
    @Option(help: "How far back, for example 15m; everything by default.") var since: String?
    @Option(help: "At most so many traces, 1 to 1500.") var limit = 20
    @Option(help: "Go on where the last page ended: the cursor that it printed.") var cursor: String?
    @Option(help: "Directory of a store; ./data by default.") var store: String?
    @Option(help: "URL of a running server, asked instead of a store.") var server: String?
    @Flag(help: "Write one JSON object per trace instead of a table.") var json = false

    func run() async throws {
        let query = try makeQuery()
        let page: SearchPage
        switch try TraceClient(store: store, server: server) {
        case .store(let store):
            do { page = try store.search(query) } catch { throw CommandFailure("\(error)") }
        case .server(let url): page = try await ask(url)
        }
        if json {
            var writer = JSONWriter()
            for row in page.traces { Self.write(row, &writer) }
            Terminal.output(writer.bytes)
        } else {
            let text = SearchTable(width: Terminal.width, usesColour: Terminal.outputIsTerminal).render(page)
            Terminal.output(text.hasSuffix("\n") ? text : text + "\n")
        }
    }

    private func makeQuery() throws -> TraceQuery {
        var query = TraceQuery()
        query.service = service
        query.operation = operation
        query.hasError = error ? true : nil
        query.minDuration = try nanoseconds(minDuration, "--min-duration")
        query.maxDuration = try nanoseconds(maxDuration, "--max-duration")
        if let since = try nanoseconds(since, "--since") {
            let now = UInt64(WallClock.now()) * 1_000_000
            query.from = now > since ? now - since : 0
        }
        guard (1...TraceQuery.maximumLimit).contains(limit) else {
            throw ValidationError("--limit must be 1 to \(TraceQuery.maximumLimit)")
        }
        query.limit = limit
        if let cursor {
            guard let parsed = SearchCursor(cursor) else { throw ValidationError("--cursor \(cursor) is no cursor") }
            query.cursor = parsed
        }
        query.tags = try tag.map { text in
            guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
                throw ValidationError("--tag \(text) has no value; write key=value")
            }
            return TraceQuery.Tag(key: String(text[..<equals]), value: String(text[text.index(after: equals)...]))
        }
        return query
    }

    private func nanoseconds(_ text: String?, _ option: String) throws -> UInt64? {
        guard let text else { return nil }
        guard let milliseconds = Units.duration(text) else {
            throw ValidationError("\(option) \(text) has no unit or is no duration; write 250ms or 15m")
        }
        return UInt64(milliseconds) * 1_000_000
    }

    private static func write(_ row: TraceSummaryRow, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("trace_id", row.traceID.hex)
            writer.member("root_service", row.rootService)
            writer.member("root_operation", row.rootName)
            writer.member("start_unix_nano", String(row.startTime))
            writer.member("duration_nano", row.duration)
            writer.member("spans", row.spanCount)
            writer.member("left_out_spans", row.leftOutSpanCount)
            writer.member("errors", row.errorCount)
            writer.key("services")
            writer.array { writer in for service in row.services { writer.string(service) } }
            writer.member("policy", row.policy)
            writer.member("probability", row.probability)
            writer.member("reason", row.reason)
        }
        writer.endLine()
    }

    // MARK: - A running server

    private func ask(_ url: URL) async throws -> SearchPage {
        var items = [URLQueryItem(name: "limit", value: String(limit))]
        if let service { items.append(URLQueryItem(name: "service", value: service)) }
        if let operation { items.append(URLQueryItem(name: "operation", value: operation)) }
        if error { items.append(URLQueryItem(name: "error", value: "true")) }
        if let minDuration { items.append(URLQueryItem(name: "min_duration", value: minDuration)) }
        if let maxDuration { items.append(URLQueryItem(name: "max_duration", value: maxDuration)) }
        if let cursor { items.append(URLQueryItem(name: "cursor", value: cursor)) }
        if let since { items.append(URLQueryItem(name: "time_range", value: since)) }
        for text in tag { items.append(URLQueryItem(name: "tag", value: text)) }
        guard let data = try await TraceClient.get(url, "/v1/traces", items) else {
            throw CommandFailure("\(url) has no trace search; is it a Tailrace server?")
        }
        do {
            let answer = try JSONDecoder().decode(Answer.self, from: data)
            return SearchPage(
                remote: answer.traces.compactMap(\.row), nextCursor: answer.nextCursor.flatMap { SearchCursor($0) })
        } catch {
            throw CommandFailure("the server's answer cannot be read: \(error)")
        }
    }

    private struct Answer: Decodable {
        struct Trace: Decodable {
            var traceID: String
            var rootServiceName: String
            var rootTraceName: String
            var hasRoot: Bool
            var startTimeUnixNano: String
            var durationNanos: String
            var spanCount: Int
            var leftOutSpanCount: Int?
            var errorCount: Int
            var services: [String]
            var policy: String
            var probability: Double
            var reason: String

            var row: TraceSummaryRow? {
                guard let id = TraceID(hex: traceID) else { return nil }
                return TraceSummaryRow(
                    remote: id, rootService: rootServiceName, rootName: rootTraceName, hasRoot: hasRoot,
                    startTime: UInt64(startTimeUnixNano) ?? 0, duration: UInt64(durationNanos) ?? 0,
                    spanCount: spanCount, leftOutSpanCount: leftOutSpanCount ?? 0, errorCount: errorCount,
                    services: services, policy: policy,
                    probability: probability, reason: reason)
            }
        }
        var traces: [Trace]
        var nextCursor: String?
    }
}
