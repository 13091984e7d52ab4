import OTLP

/// What a client is told: a probability per operation, and one for all others.
public struct SamplingStrategy: Sendable, Equatable {
    public struct Operation: Sendable, Equatable {
        public var name: String
        public var probability: Double

        public init(name: String, probability: Double) {
            self.name = name
            self.probability = probability
        }
    }

    public var defaultProbability: Double
    /// Traces per second that each instance may sample of each operation whatever the probability.
    public var lowerBound: Double
    /// Sorted by name.
    public var operations: [Operation]

    public init(defaultProbability: Double, lowerBound: Double, operations: [Operation] = []) {
        self.defaultProbability = defaultProbability
        self.lowerBound = lowerBound
        self.operations = operations
    }

    /// As Jaeger's collector answers `GET /sampling`: the JSON form of `jaeger.api_v2.SamplingStrategyResponse`.
    /// `probabilisticSampling` is for clients that know no operations.
    package var json: [UInt8] {
        var json = JSONWriter(reservingCapacity: 256 + 96 * operations.count)
        json.object {
            $0.member("strategyType", "PROBABILISTIC")
            $0.key("probabilisticSampling")
            $0.object { $0.member("samplingRate", defaultProbability) }
            $0.key("operationSampling")
            $0.object {
                $0.member("defaultSamplingProbability", defaultProbability)
                $0.member("defaultLowerBoundTracesPerSecond", lowerBound)
                $0.key("perOperationStrategies")
                $0.array {
                    for operation in operations {
                        $0.object {
                            $0.member("operation", operation.name)
                            $0.key("probabilisticSampling")
                            $0.object { $0.member("samplingRate", operation.probability) }
                        }
                    }
                }
            }
        }
        return json.bytes
    }

    /// The same as protobuf. Field numbers are those of
    /// https://github.com/jaegertracing/jaeger-idl/blob/main/proto/api_v2/sampling.proto.
    public var protobuf: [UInt8] {
        var message = ProtobufWriter(reservingCapacity: 64 + 64 * operations.count)
        // strategyType PROBABILISTIC is 0, which proto3 leaves out.
        message.messageField(2) { $0.doubleField(1, defaultProbability) }
        message.messageField(4) { message in
            message.doubleField(1, defaultProbability)
            message.doubleField(2, lowerBound)
            for operation in operations {
                message.messageField(3) {
                    $0.stringField(1, operation.name)
                    $0.messageField(2) { $0.doubleField(1, operation.probability) }
                }
            }
        }
        return message.bytes
    }

    /// The service of a `jaeger.api_v2.SamplingStrategyParameters`; empty where it names none, nil for other bytes.
    public static func service(ofRequest message: [UInt8]) -> String? {
        message.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress else { return "" }
            var reader = WireReader(base: start.assumingMemoryBound(to: UInt8.self), from: 0, to: bytes.count)
            var service = ""
            do {
                while !reader.isAtEnd {
                    let tag = try reader.tag()
                    guard tag == 1 << 3 | WireType.length else {
                        try reader.skip(tag: tag)
                        continue
                    }
                    let range = try reader.lengthDelimited()
                    guard let text = String(validating: bytes[range.start..<range.end], as: UTF8.self) else {
                        return nil
                    }
                    service = text
                }
            } catch {
                return nil
            }
            return service
        }
    }
}

extension ProtobufWriter {
    fileprivate mutating func doubleField(_ field: Int, _ value: Double) {
        if value != 0 { fixed64Field(field, value.bitPattern) }
    }
}
