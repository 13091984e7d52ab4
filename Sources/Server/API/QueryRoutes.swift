import Glibc
import Hummingbird
import Query
import TraceModel

/// The routes that read the store.
struct QueryRoutes: Sendable {
    let store: TraceStore
    let pool: BlockingPool

    func add(to router: Router<BasicRequestContext>) {
        for path in ["/v1/traces/{id}", "/trace/{id}"] as [RouterPath] {
            router.get(path) { request, context in try await trace(request, context) }
        }
        for path in ["/v1/traces", "/search"] as [RouterPath] {
            router.get(path) { request, _ in try await search(request) }
        }
        router.get("/v1/services") { request, _ in
            try QueryString(request.uri.query ?? "").checkNames([])
            return try await answer { TraceJSON.services(try store.services()) }
        }
        router.get("/v1/operations") { request, _ in
            let parameters = try QueryString(request.uri.query ?? "")
            try parameters.checkNames(["service", "service_name"])
            guard let service = try parameters.single("service") ?? parameters.single("service_name") else {
                throw APIError.badParameter("service", "'service' is required")
            }
            return try await answer { TraceJSON.operations(try store.operations(service: service)) }
        }
    }

    private func trace(_ request: Request, _ context: BasicRequestContext) async throws -> Response {
        try QueryString(request.uri.query ?? "").checkNames([])
        let text = context.parameters.get("id") ?? ""
        guard let id = TraceID(hex: text), !id.isZero else {
            throw APIError(
                status: .badRequest, code: "bad_trace_id",
                message: "a trace id is 1 to 32 hex digits, not all zero; '\(text)' is not", parameter: "id")
        }
        return try await answer {
            guard let trace = try store.trace(id) else {
                throw APIError.notFound("no trace \(id.hex) is stored; it may have been dropped, or not be decided yet")
            }
            return TraceJSON.trace(trace)
        }
    }

    private func search(_ request: Request) async throws -> Response {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        let now = UInt64(max(0, time.tv_sec)) * 1_000_000_000 + UInt64(max(0, time.tv_nsec))
        let query = try SearchParameters.query(try QueryString(request.uri.query ?? ""), now: now)
        return try await answer { TraceJSON.search(try store.search(query)) }
    }

    /// Reads and renders off the event loop: a trace of 10,000 spans is milliseconds of work.
    private func answer(_ body: @escaping @Sendable () throws -> [UInt8]) async throws -> Response {
        .json(try await pool.run(body))
    }
}
