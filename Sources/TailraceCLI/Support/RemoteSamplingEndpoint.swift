import RemoteSampling
import Tailrace
import UnaryGRPC

/// Answers remote samplers by HTTP and by gRPC.
struct RemoteSamplingEndpoint: Sendable {
    let workers: [TailraceWorker]

    static let method = "/jaeger.api_v2.SamplingManager/GetSamplingStrategy"

    /// The answer of the first pipeline that counts root spans.
    func strategy(for service: String) -> SamplingStrategy? {
        for worker in workers {
            if let strategy = worker.samplingStrategy(for: service) { return strategy }
        }
        return nil
    }

    @Sendable func json(for service: String) -> [UInt8]? { strategy(for: service)?.json }

    /// Listens for `jaeger.api_v2.SamplingManager`; does nothing without an address.
    static func serve(
        _ endpoint: RemoteSamplingEndpoint, _ address: ListenAddress?, _ log: EventLog
    ) async throws -> UnaryGRPCServer? {
        guard let address else { return nil }
        do {
            let server = try await UnaryGRPCServer.start(
                host: address.host, port: address.port,
                methods: [method: { (request) throws(GRPCStatus) in try endpoint.answer(request) }])
            log.write("remote sampling by gRPC on \(address.host):\(server.port)")
            return server
        } catch {
            throw CommandFailure("cannot listen on \(address.host):\(address.port) for gRPC: \(error)")
        }
    }

    private func answer(_ request: [UInt8]) throws(GRPCStatus) -> [UInt8] {
        guard let service = SamplingStrategy.service(ofRequest: request) else {
            throw GRPCStatus(.invalidArgument, "the request is no jaeger.api_v2.SamplingStrategyParameters")
        }
        guard !service.isEmpty else {
            throw GRPCStatus(.invalidArgument, "serviceName is empty: name the service that asks")
        }
        guard let strategy = strategy(for: service) else {
            throw GRPCStatus(
                .notFound, "no pipeline here has a stage of kind remote_sampling; add one behind the source")
        }
        return strategy.protobuf
    }
}
