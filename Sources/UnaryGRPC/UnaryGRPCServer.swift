public import NIOCore
import NIOHTTP2
import NIOPosix

/// A gRPC server for calls with one request and one answer, over HTTP/2 without TLS.
///
/// For the few protocols that clients speak over gRPC only. The messages are bytes: whoever registers a method reads and
/// writes them. No compression, no streaming, no reflection. Why not a framework: docs/decisions/020-unary-grpc-by-hand.md.
public final class UnaryGRPCServer: Sendable {
    /// Answers one call. Runs on an event loop: it must not block.
    public typealias Method = @Sendable (_ request: [UInt8]) throws(GRPCStatus) -> [UInt8]

    /// A larger request is refused.
    static let maximumRequestBytes = 1 << 20

    private let channel: any Channel

    /// Binds and serves.
    ///
    /// - Parameters:
    ///   - port: 0 takes any free port.
    ///   - methods: by path, `/package.Service/Method`.
    /// - Throws: where the address cannot be bound.
    public static func start(
        host: String, port: Int, methods: [String: Method],
        group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
    ) async throws -> UnaryGRPCServer {
        let channel = try await ServerBootstrap(group: group)
            .serverChannelOption(ChannelOptions.backlog, value: 256)
            .serverChannelOption(ChannelOptions.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { connection in
                connection.eventLoop.makeCompletedFuture {
                    _ = try connection.pipeline.syncOperations.configureHTTP2Pipeline(
                        mode: .server, connectionConfiguration: .init(), streamConfiguration: .init()
                    ) { stream in
                        stream.eventLoop.makeCompletedFuture {
                            try stream.pipeline.syncOperations.addHandler(UnaryCallHandler(methods: methods))
                        }
                    }
                }
            }
            .bind(host: host, port: port).get()
        return UnaryGRPCServer(channel)
    }

    private init(_ channel: any Channel) { self.channel = channel }

    /// The port that is bound.
    public var port: Int { channel.localAddress?.port ?? 0 }

    /// Accepts no more connections.
    public func stop() async { try? await channel.close() }
}
