import HTTPTypes
import Hummingbird
import Logging

/// Makes every failure a JSON answer and puts the headers on that no answer may lack.
struct AnswerMiddleware: RouterMiddleware {
    typealias Context = BasicRequestContext

    let logger: Logger

    func handle(
        _ request: Request, context: BasicRequestContext,
        next: (Request, BasicRequestContext) async throws -> Response
    ) async throws -> Response {
        var response: Response
        do {
            response = try await next(request, context)
        } catch let error as APIError {
            response = error.response
        } catch let error as any HTTPResponseError {
            response =
                APIError(
                    status: error.status, code: error.status == .notFound ? "not_found" : "request_failed",
                    message: error.status == .notFound
                        ? "there is nothing at \(request.uri.path)" : error.status.reasonPhrase.lowercased()
                ).response
        } catch {
            // The reason is for the operator; it may name files.
            logger.error("request failed", metadata: ["path": "\(request.uri.path)", "error": "\(error)"])
            response =
                APIError(
                    status: .internalServerError, code: "internal",
                    message: "the store could not answer; the server's log says why"
                ).response
        }
        response.headers[.xContentTypeOptions] = "nosniff"
        if let name = HTTPField.Name("Referrer-Policy") { response.headers[name] = "no-referrer" }
        return response
    }
}
