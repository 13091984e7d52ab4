import Glibc
import Hummingbird
import Query

/// `GET /v1/stats`: traffic as kept traces let estimate it, and as it was counted.
struct StatisticsRoutes: Sendable {
    let store: TraceStore
    let pool: BlockingPool

    static let names = ["service", "service_name", "operation", "by", "start_time", "end_time", "time_range", "limit"]

    func add(to router: Router<BasicRequestContext>) {
        router.get("/v1/stats") { request, _ in
            var time = timespec()
            clock_gettime(CLOCK_REALTIME, &time)
            let now = UInt64(max(0, time.tv_sec)) * 1_000_000_000 + UInt64(max(0, time.tv_nsec))
            let query = try Self.query(try QueryString(request.uri.query ?? ""), now: now)
            return Response.json(try await pool.run { StatisticsJSON.answer(try store.traffic(query), query) })
        }
    }

    /// - Parameter now: nanoseconds since the Unix epoch; `time_range` ends there.
    static func query(_ parameters: QueryString, now: UInt64) throws(APIError) -> TrafficQuery {
        try parameters.checkNames(names)
        var query = TrafficQuery()
        query.service = try SearchParameters.service(parameters)
        query.operation = try parameters.single("operation")
        if let text = try parameters.single("by") {
            guard let grouping = TrafficQuery.Grouping(rawValue: text) else {
                let known = TrafficQuery.Grouping.allCases.map(\.rawValue).joined(separator: " or ")
                throw .badParameter("by", "'by' must be \(known), not '\(text)'")
            }
            query.grouping = grouping
        }
        (query.from, query.to) = try SearchParameters.times(parameters, now: now)
        if let text = try parameters.single("limit") {
            guard let limit = Int(text), (1...TrafficQuery.maximumLimit).contains(limit) else {
                throw .badParameter(
                    "limit", "'limit' must be a number from 1 to \(TrafficQuery.maximumLimit), not '\(text)'")
            }
            query.limit = limit
        }
        return query
    }
}
