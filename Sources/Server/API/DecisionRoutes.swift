import Hummingbird
import Query
import TraceModel

/// `GET /v1/decisions/{id}`: why a trace was kept or dropped.
struct DecisionRoutes: Sendable {
    let explain: @Sendable (TraceID) throws -> TraceExplanation
    let pool: BlockingPool

    func add(to router: Router<BasicRequestContext>) {
        router.get("/v1/decisions/{id}") { request, context in
            try QueryString(request.uri.query ?? "").checkNames([])
            let id = try TraceID(pathParameter: context.parameters.get("id") ?? "")
            let explanation = try await pool.run { try explain(id) }
            // What is not known is answered in full too: how far the log reaches says whether "not found" means anything.
            return Response.json(explanation.json(), status: explanation.decision == .unknown ? .notFound : .ok)
        }
    }
}

extension TraceID {
    /// A trace id in a path. Throws an `APIError` (400) for anything else.
    init(pathParameter text: String) throws(APIError) {
        guard let id = TraceID(hex: text), !id.isZero else {
            throw APIError(
                status: .badRequest, code: "bad_trace_id",
                message: "a trace id is 1 to 32 hex digits, not all zero; '\(text)' is not", parameter: "id")
        }
        self = id
    }
}
