/// What can go wrong, independent of protocol and language.
enum Fault: Sendable, Hashable {
    /// No answer in time.
    case timeout
    /// Connection refused: the callee's own span does not exist.
    case unavailable
    /// A bug in the callee.
    case internalError
    /// A database chose the transaction as a deadlock's victim.
    case deadlock
    /// The bank says no.
    case declined
    case unauthorized
    case notFound
    case outOfStock
    case rateLimited

    /// Whether callers try again.
    var isRetriable: Bool {
        switch self {
        case .timeout, .unavailable, .deadlock, .rateLimited: true
        default: false
        }
    }

    /// What a service reports to its caller when this happened below it.
    var surfaced: Fault { self == .deadlock ? .internalError : self }

    var httpStatus: Int {
        switch self {
        case .timeout: 504
        case .unavailable: 503
        case .internalError, .deadlock: 500
        case .declined: 402
        case .unauthorized: 401
        case .notFound: 404
        case .outOfStock: 409
        case .rateLimited: 429
        }
    }

    var grpcStatus: (code: Int, name: String) {
        switch self {
        case .timeout: (4, "DEADLINE_EXCEEDED")
        case .unavailable: (14, "UNAVAILABLE")
        case .internalError, .deadlock: (13, "INTERNAL")
        case .declined, .outOfStock: (9, "FAILED_PRECONDITION")
        case .unauthorized: (16, "UNAUTHENTICATED")
        case .notFound: (5, "NOT_FOUND")
        case .rateLimited: (8, "RESOURCE_EXHAUSTED")
        }
    }

    /// PostgreSQL's SQLSTATE.
    var sqlState: String {
        switch self {
        case .timeout: "57014"
        case .unavailable: "08006"
        case .deadlock: "40P01"
        default: "XX000"
        }
    }

    /// The semantic conventions call a client's mistakes errors of the client's span, not of the server's.
    var isServerError: Bool {
        switch self {
        case .timeout, .unavailable, .internalError, .deadlock: true
        default: false
        }
    }

    var message: String {
        switch self {
        case .timeout: "deadline exceeded while waiting for the response"
        case .unavailable: "connect: connection refused"
        case .internalError: "unexpected state while handling the request"
        case .deadlock: "deadlock detected"
        case .declined: "payment declined by issuer: insufficient funds"
        case .unauthorized: "invalid credentials"
        case .notFound: "no such item"
        case .outOfStock: "not enough items in stock"
        case .rateLimited: "too many requests"
        }
    }
}
