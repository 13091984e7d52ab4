import Testing

@testable import RemoteSampling

struct SamplingStrategyTests {
    private let strategy = SamplingStrategy(
        defaultProbability: 0.25, lowerBound: 0.5, operations: [.init(name: "GET \"/\"", probability: 0.125)])

    @Test("the JSON is what Jaeger's collector answers")
    func json() {
        let text = String(decoding: strategy.json, as: UTF8.self)
        #expect(
            text == #"{"strategyType":"PROBABILISTIC","probabilisticSampling":{"samplingRate":0.25},"#
                + #""operationSampling":{"defaultSamplingProbability":0.25,"defaultLowerBoundTracesPerSecond":0.5,"#
                + #""perOperationStrategies":[{"operation":"GET \"/\"","probabilisticSampling":{"samplingRate":0.125}}]}}"#
        )
    }

    @Test("the protobuf message has the field numbers of jaeger.api_v2")
    func protobuf() {
        func double(_ value: Double) -> [UInt8] { withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) } }
        let name = Array("GET \"/\"".utf8)
        let rate = [0x09] + double(0.125)
        let operation = [0x0a, UInt8(name.count)] + name + [0x12, UInt8(rate.count)] + rate
        let operations =
            [0x09] + double(0.25) + [0x11] + double(0.5) + [0x1a, UInt8(operation.count)] + operation
        let expected = [0x12, 9, 0x09] + double(0.25) + [0x22, UInt8(operations.count)] + operations
        #expect(strategy.protobuf == expected)
    }

    @Test("the service is read from a request, and other bytes are refused without a trap")
    func request() {
        #expect(SamplingStrategy.service(ofRequest: []) == "")
        #expect(SamplingStrategy.service(ofRequest: [0x0a, 3] + Array("cat".utf8)) == "cat")
        #expect(SamplingStrategy.service(ofRequest: [0x10, 5, 0x0a, 1, 0x61]) == "a")
        #expect(SamplingStrategy.service(ofRequest: [0x0a, 9, 0x61]) == nil)
        #expect(SamplingStrategy.service(ofRequest: [0x0a, 2, 0xff, 0xfe]) == nil)
    }
}
