import NIOCore
import NIOHPACK
import NIOHTTP2

/// One call: an HTTP/2 stream. https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
final class UnaryCallHandler: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias OutboundOut = HTTP2Frame.FramePayload

    /// A flag (compressed or not) and the length of what follows.
    private static let prefixSize = 5

    private let methods: [String: UnaryGRPCServer.Method]
    private var method: UnaryGRPCServer.Method?
    private var request: [UInt8] = []
    private var isAnswered = false

    init(methods: [String: UnaryGRPCServer.Method]) { self.methods = methods }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isAnswered else { return }
        switch unwrapInboundIn(data) {
        case .headers(let payload):
            if method == nil { begin(payload.headers, context) }
            if payload.endStream { finish(context) }
        case .data(let payload):
            if case .byteBuffer(let buffer) = payload.data {
                guard request.count + buffer.readableBytes <= UnaryGRPCServer.maximumRequestBytes + Self.prefixSize
                else {
                    fail(
                        GRPCStatus(
                            .resourceExhausted,
                            "a request has at most \(UnaryGRPCServer.maximumRequestBytes) bytes here"), context)
                    return
                }
                request.append(contentsOf: buffer.readableBytesView)
            }
            if payload.endStream { finish(context) }
        default: break
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func begin(_ headers: HPACKHeaders, _ context: ChannelHandlerContext) {
        let type = headers.first(name: "content-type") ?? ""
        guard headers.first(name: ":method") == "POST", type.hasPrefix("application/grpc") else {
            // Not a gRPC client: it reads the HTTP status.
            send(
                HPACKHeaders([(":status", "415"), ("content-type", "text/plain")]), endStream: true, context)
            isAnswered = true
            return
        }
        let path = headers.first(name: ":path") ?? ""
        guard let found = methods[path] else {
            let known = methods.keys.sorted().joined(separator: ", ")
            fail(GRPCStatus(.unimplemented, "there is no method \(path); known are \(known)"), context)
            return
        }
        method = found
    }

    private func finish(_ context: ChannelHandlerContext) {
        guard !isAnswered, let method else { return }
        guard request.count >= Self.prefixSize else {
            fail(GRPCStatus(.internal, "the request ends before its message"), context)
            return
        }
        guard request[0] == 0 else {
            fail(GRPCStatus(.unimplemented, "compressed requests are not supported"), context)
            return
        }
        let length = request[1..<Self.prefixSize].reduce(0) { $0 << 8 | Int($1) }
        guard length == request.count - Self.prefixSize else {
            fail(GRPCStatus(.internal, "the request is not one message of the length that it states"), context)
            return
        }
        do {
            let answer = try method(Array(request[Self.prefixSize...]))
            succeed(answer, context)
        } catch {
            fail(error, context)
        }
    }

    private func succeed(_ message: [UInt8], _ context: ChannelHandlerContext) {
        isAnswered = true
        send(
            HPACKHeaders([(":status", "200"), ("content-type", "application/grpc")]), endStream: false, context)
        var buffer = context.channel.allocator.buffer(capacity: Self.prefixSize + message.count)
        buffer.writeInteger(UInt8(0))
        buffer.writeInteger(UInt32(truncatingIfNeeded: message.count))
        buffer.writeBytes(message)
        context.write(wrapOutboundOut(.data(.init(data: .byteBuffer(buffer)))), promise: nil)
        send(HPACKHeaders([("grpc-status", "0")]), endStream: true, context)
    }

    private func fail(_ status: GRPCStatus, _ context: ChannelHandlerContext) {
        isAnswered = true
        send(
            HPACKHeaders([
                (":status", "200"), ("content-type", "application/grpc"), ("grpc-status", String(status.code.rawValue)),
                ("grpc-message", status.headerText),
            ]), endStream: true, context)
    }

    private func send(_ headers: HPACKHeaders, endStream: Bool, _ context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(.headers(.init(headers: headers, endStream: endStream))), promise: nil)
    }
}
