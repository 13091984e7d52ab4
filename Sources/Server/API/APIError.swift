import HTTPTypes
import Hummingbird
import OTLP

/// An answer other than the one that was asked for, as JSON: `{"error":{"code","message","parameter"}}`.
struct APIError: HTTPResponseError {
    var status: HTTPResponse.Status
    /// A stable snake_case word for programs.
    var code: String
    /// One sentence for people: what is wrong and what would be right.
    var message: String
    /// The query parameter at fault.
    var parameter: String?

    static func badParameter(_ parameter: String, _ message: String, code: String = "bad_parameter") -> APIError {
        APIError(status: .badRequest, code: code, message: message, parameter: parameter)
    }

    static func notFound(_ message: String) -> APIError {
        APIError(status: .notFound, code: "not_found", message: message)
    }

    static func unavailable(_ message: String) -> APIError {
        APIError(status: .serviceUnavailable, code: "unavailable", message: message)
    }

    var response: Response {
        var json = JSONWriter()
        json.object {
            $0.key("error")
            $0.object {
                $0.member("code", code)
                $0.member("message", message)
                if let parameter { $0.member("parameter", parameter) }
            }
        }
        return .json(json.bytes, status: status)
    }

    func response(from request: Request, context: some RequestContext) throws -> Response { response }
}

extension Response {
    static func json(_ bytes: [UInt8], status: HTTPResponse.Status = .ok) -> Response {
        Response(status, "application/json", bytes)
    }

    init(_ status: HTTPResponse.Status, _ contentType: String, _ bytes: [UInt8]) {
        // Answers change as traces arrive; a cache between would show yesterday's.
        self.init(
            status: status, headers: [.contentType: contentType, .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}
