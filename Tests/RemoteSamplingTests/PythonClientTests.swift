import Foundation
import Testing

@testable import RemoteSampling
@testable import UnaryGRPC

/// The gRPC answer read by another implementation: Python's grpcio and protobuf, from .venv-test.
struct PythonClientTests {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// The messages as https://github.com/jaegertracing/jaeger-idl declares them, then a call.
    private static let script = """
        import json, sys, grpc
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, json_format
        F = descriptor_pb2.FieldDescriptorProto
        file = descriptor_pb2.FileDescriptorProto(name="sampling.proto", package="jaeger.api_v2", syntax="proto3")
        def message(name, *fields):
            m = file.message_type.add(name=name)
            for number, field, kind in fields:
                repeated = kind.startswith("*")
                f = m.field.add(name=field, number=number,
                                label=F.LABEL_REPEATED if repeated else F.LABEL_OPTIONAL, json_name=field)
                kind = kind.lstrip("*")
                if kind == "double": f.type = F.TYPE_DOUBLE
                elif kind == "string": f.type = F.TYPE_STRING
                elif kind == "int32": f.type = F.TYPE_INT32
                else: f.type, f.type_name = F.TYPE_MESSAGE, ".jaeger.api_v2." + kind
        message("Probabilistic", (1, "samplingRate", "double"))
        message("Operation", (1, "operation", "string"), (2, "probabilisticSampling", "Probabilistic"))
        message("PerOperation", (1, "defaultSamplingProbability", "double"),
                (2, "defaultLowerBoundTracesPerSecond", "double"), (3, "perOperationStrategies", "*Operation"))
        message("Response", (1, "strategyType", "int32"), (2, "probabilisticSampling", "Probabilistic"),
                (4, "operationSampling", "PerOperation"))
        message("Parameters", (1, "serviceName", "string"))
        pool = descriptor_pool.DescriptorPool()
        pool.Add(file)
        def of(name): return message_factory.GetMessageClass(pool.FindMessageTypeByName("jaeger.api_v2." + name))
        call = grpc.insecure_channel("127.0.0.1:" + sys.argv[1]).unary_unary(
            "/jaeger.api_v2.SamplingManager/GetSamplingStrategy",
            request_serializer=of("Parameters").SerializeToString, response_deserializer=of("Response").FromString)
        answer = json_format.MessageToDict(call(of("Parameters")(serviceName="shop"), timeout=20))
        try:
            call(of("Parameters")(serviceName=""), timeout=20)
            refusal = "none"
        except grpc.RpcError as error:
            refusal = error.code().name + ": " + error.details()
        print(json.dumps({"answer": answer, "refusal": refusal}))
        """

    @Test("grpcio reads the answer and the refusal")
    func grpcio() async throws {
        let python = Self.root.appendingPathComponent(".venv-test/bin/python")
        guard FileManager.default.isExecutableFile(atPath: python.path) else {
            print("skipped: .venv-test is missing; scripts/deps.sh test makes it")
            return
        }
        guard try Self.run(python, ["-c", "import grpc"]).status == 0 else {
            print("skipped: .venv-test has no grpcio; scripts/deps.sh test installs it")
            return
        }
        let strategy = SamplingStrategy(
            defaultProbability: 0.25, lowerBound: 0.5, operations: [.init(name: "GET /é", probability: 0.125)])
        let server = try await UnaryGRPCServer.start(
            host: "127.0.0.1", port: 0,
            methods: [
                "/jaeger.api_v2.SamplingManager/GetSamplingStrategy": { (request) throws(GRPCStatus) in
                    guard SamplingStrategy.service(ofRequest: request) == "shop" else {
                        throw GRPCStatus(.invalidArgument, "name a service, 100 %")
                    }
                    return strategy.protobuf
                }
            ])
        let port = String(server.port)
        let result = try await withCheckedThrowingContinuation {
            (continuation: CheckedContinuation<(Int32, Data), any Error>) in
            DispatchQueue.global().async {
                continuation.resume(with: Result { try Self.run(python, ["-c", Self.script, port]) })
            }
        }
        await server.stop()
        #expect(result.0 == 0)
        let json = try #require(try JSONSerialization.jsonObject(with: result.1) as? [String: Any])
        #expect(json["refusal"] as? String == "INVALID_ARGUMENT: name a service, 100 %")
        let answer = try #require(json["answer"] as? [String: Any])
        #expect((answer["probabilisticSampling"] as? [String: Any])?["samplingRate"] as? Double == 0.25)
        let operations = try #require(answer["operationSampling"] as? [String: Any])
        #expect(operations["defaultSamplingProbability"] as? Double == 0.25)
        #expect(operations["defaultLowerBoundTracesPerSecond"] as? Double == 0.5)
        let list = try #require(operations["perOperationStrategies"] as? [[String: Any]])
        #expect(list.map { $0["operation"] as? String } == ["GET /é"])
        #expect((list[0]["probabilisticSampling"] as? [String: Any])?["samplingRate"] as? Double == 0.125)
    }

    private static func run(_ program: URL, _ arguments: [String]) throws -> (status: Int32, output: Data) {
        let process = Process()
        process.executableURL = program
        process.arguments = arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, data)
    }
}
