import Hummingbird

/// Jaeger's remote sampling: `GET /sampling?service=`, and the path of Jaeger's collector.
struct SamplingRoutes: Sendable {
    /// The strategy of a service as JSON; nil where no pipeline of the process counts root spans.
    ///
    /// Nil in a process that only reads a store.
    let strategy: (@Sendable (_ service: String) -> [UInt8]?)?

    func add(to router: Router<BasicRequestContext>) {
        for path in ["/sampling", "/api/sampling"] as [RouterPath] {
            router.get(path) { request, _ in
                let parameters = try QueryString(request.uri.query ?? "")
                try parameters.checkNames(["service"])
                guard let service = try parameters.single("service") else {
                    throw APIError.badParameter(
                        "service", "'service' must be given once: the name of the service that asks")
                }
                guard let strategy else {
                    throw APIError(
                        status: .notFound, code: "no_remote_sampling",
                        message:
                            "this process reads a store and sees no traffic; ask a worker, 'tailrace run' (port 16687 "
                            + "unless --listen says otherwise) or 'tailrace up' (16686)")
                }
                guard let json = strategy(service) else {
                    throw APIError(
                        status: .notFound, code: "no_remote_sampling",
                        message: "no pipeline here has a stage of kind remote_sampling; add one behind the source")
                }
                return Response.json(json)
            }
        }
    }
}
