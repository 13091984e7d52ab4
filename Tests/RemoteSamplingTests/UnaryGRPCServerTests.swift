import NIOCore
import NIOHPACK
import NIOHTTP2
import NIOPosix
import Testing

@testable import UnaryGRPC

struct UnaryGRPCServerTests {
    private struct Answer: Sendable {
        var headers: [HPACKHeaders] = []
        var body: [UInt8] = []

        func field(_ name: String) -> String? { headers.lazy.compactMap { $0.first(name: name) }.first }
    }

    /// Collects one stream's answer.
    private final class Collector: ChannelInboundHandler {
        typealias InboundIn = HTTP2Frame.FramePayload

        private var answer = Answer()
        private let promise: EventLoopPromise<Answer>

        init(_ promise: EventLoopPromise<Answer>) { self.promise = promise }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .headers(let payload):
                answer.headers.append(payload.headers)
                if payload.endStream { promise.succeed(answer) }
            case .data(let payload):
                if case .byteBuffer(let buffer) = payload.data { answer.body += Array(buffer.readableBytesView) }
            default: break
            }
        }

        func channelInactive(context: ChannelHandlerContext) { promise.fail(ChannelError.eof) }
    }

    private static let method = "/test.Echo/Reverse"

    /// Sends requests over one connection, one stream each.
    private func call(
        _ requests: [(path: String, body: [UInt8], type: String)]
    ) async throws -> [Answer] {
        let server = try await UnaryGRPCServer.start(
            host: "127.0.0.1", port: 0,
            methods: [
                Self.method: { (request) throws(GRPCStatus) in
                    if request.isEmpty { throw GRPCStatus(.invalidArgument, "nothing to reverse: 0 % ✗") }
                    return request.reversed()
                }
            ])
        let connection = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: server.port) { channel in
                channel.configureHTTP2Pipeline(
                    mode: .client, connectionConfiguration: .init(), streamConfiguration: .init()
                ) { $0.eventLoop.makeSucceededVoidFuture() }
                .map { (channel, $0) }
            }
        var answers: [Answer] = []
        for request in requests {
            let loop = connection.0.eventLoop
            let promise = loop.makePromise(of: Answer.self)
            let created = loop.makePromise(of: (any Channel).self)
            connection.1.createStreamChannel(promise: created) { stream in
                stream.eventLoop.makeCompletedFuture {
                    try stream.pipeline.syncOperations.addHandler(Collector(promise))
                }
            }
            let stream = try await created.futureResult.get()
            let headers = HPACKHeaders([
                (":method", "POST"), (":scheme", "http"), (":path", request.path), (":authority", "localhost"),
                ("content-type", request.type), ("te", "trailers"),
            ])
            let body = ByteBuffer(bytes: request.body)
            stream.write(HTTP2Frame.FramePayload.headers(.init(headers: headers)), promise: nil)
            stream.writeAndFlush(
                HTTP2Frame.FramePayload.data(.init(data: .byteBuffer(body), endStream: true)), promise: nil)
            answers.append(try await promise.futureResult.get())
        }
        try await connection.0.close()
        await server.stop()
        return answers
    }

    private func framed(_ message: String) -> [UInt8] { [0, 0, 0, 0, UInt8(message.utf8.count)] + Array(message.utf8) }

    @Test("a call is answered with its message, framed, and status 0")
    func answers() async throws {
        let answers = try await call([
            (Self.method, framed("abc"), "application/grpc"), (Self.method, framed("xy"), "application/grpc+proto"),
        ])
        #expect(answers.map(\.body) == [framed("cba"), framed("yx")])
        for answer in answers {
            #expect(answer.field(":status") == "200")
            #expect(answer.field("content-type") == "application/grpc")
            #expect(answer.headers.last?.first(name: "grpc-status") == "0")
        }
    }

    @Test("what cannot be answered has a status that says why, and the connection goes on")
    func refusals() async throws {
        let answers = try await call([
            ("/test.Echo/Revers", framed("abc"), "application/grpc"),
            (Self.method, framed(""), "application/grpc"),
            (Self.method, [1, 0, 0, 0, 1, 65], "application/grpc"),
            (Self.method, [0, 0, 0, 0, 9, 65], "application/grpc"),
            (Self.method, [0, 0], "application/grpc"),
            (Self.method, framed("abc"), "application/json"),
            (Self.method, framed("ok"), "application/grpc"),
        ])
        #expect(answers.map { $0.field("grpc-status") } == ["12", "3", "12", "13", "13", nil, "0"])
        #expect(
            answers[0].field("grpc-message") == "there is no method /test.Echo/Revers; known are /test.Echo/Reverse")
        #expect(answers[1].field("grpc-message") == "nothing to reverse: 0 %25 %E2%9C%97")
        #expect(answers[5].field(":status") == "415")
        #expect(answers[6].body == framed("ko"))
    }
}
