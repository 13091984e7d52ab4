import OTLP

/// What survives a restart: the estimated rates, the probabilities in force, who asks, and who does not follow.
extension RemoteSamplingStrategies {
    /// Older rates say nothing about present traffic, milliseconds.
    private static let longestOutage: Int64 = 3_600_000
    private static let version: UInt64 = 1

    public func encoded(now: Int64) -> [UInt8] {
        var message = ProtobufWriter(reservingCapacity: 64 * rates.count)
        message.varintField(1, Self.version)
        message.fixed64Field(2, UInt64(bitPattern: now))
        for (key, rate) in rates {
            message.messageField(3) { Self.write(rate, key.service, key.operation, to: &$0) }
        }
        for (service, rate) in others {
            message.messageField(4) { Self.write(rate, service, "", to: &$0) }
        }
        for (service, time) in requests {
            message.messageField(5) {
                $0.stringField(1, service)
                $0.fixed64Field(2, UInt64(bitPattern: time))
            }
        }
        for (service, rate) in unsampled {
            message.messageField(6) {
                $0.stringField(1, service)
                $0.fixed64Field(2, rate.bitPattern)
            }
        }
        return message.bytes
    }

    private static func write(
        _ rate: OperationRate, _ service: String, _ operation: String, to message: inout ProtobufWriter
    ) {
        message.stringField(1, service)
        message.stringField(2, operation)
        message.fixed64Field(3, rate.level.bitPattern)
        message.fixed64Field(4, rate.variance.bitPattern)
        message.fixed64Field(5, rate.probability.bitPattern)
    }

    /// Takes over what `encoded` gave, as far as there is room; what is damaged or too old is left. Called before the first
    /// `add`.
    ///
    /// - Returns: whether anything was taken over.
    @discardableResult
    public mutating func restore(_ bytes: [UInt8], now: Int64) -> Bool {
        bytes.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress else { return false }
            var reader = WireReader(base: start.assumingMemoryBound(to: UInt8.self), from: 0, to: bytes.count)
            do {
                guard try reader.tag() == 1 << 3 | WireType.varint, try reader.varint() == Self.version,
                    try reader.tag() == 2 << 3 | WireType.fixed64
                else { return false }
                let writtenAt = Int64(bitPattern: try reader.fixed64())
                let (age, overflow) = now.subtractingReportingOverflow(writtenAt)
                guard !overflow, age >= 0, age <= Self.longestOutage else { return false }
                while !reader.isAtEnd {
                    let tag = try reader.tag()
                    guard tag & 7 == WireType.length else {
                        try reader.skip(tag: tag)
                        continue
                    }
                    let range = try reader.lengthDelimited()
                    restoreEntry(tag >> 3, WireReader(base: reader.base, range: range), bytes, age: age)
                }
                return true
            } catch {
                return false
            }
        }
    }

    private mutating func restoreEntry(
        _ field: UInt64, _ entry: WireReader, _ bytes: UnsafeRawBufferPointer, age: Int64
    ) {
        var entry = entry
        var texts = ["", ""]
        var numbers: [UInt64: UInt64] = [:]
        do {
            while !entry.isAtEnd {
                let tag = try entry.tag()
                switch tag & 7 {
                case WireType.length where (1...2).contains(tag >> 3):
                    let range = try entry.lengthDelimited()
                    texts[Int(tag >> 3) - 1] = String(decoding: bytes[range.start..<range.end], as: UTF8.self)
                case WireType.fixed64: numbers[tag >> 3] = try entry.fixed64()
                default: try entry.skip(tag: tag)
                }
            }
        } catch {
            return
        }
        if field == 5 {
            if requests.count < Self.maxServices { requests[texts[0]] = numbers[2].map { Int64(bitPattern: $0) } }
            return
        }
        if field == 6 {
            guard let rate = numbers[2].map(Double.init(bitPattern:)), rate > 0, rate.isFinite,
                unsampled.count < Self.maxServices
            else { return }
            unsampled[texts[0]] = rate
            return
        }
        guard let level = numbers[3].map(Double.init(bitPattern:)), level.isFinite,
            let variance = numbers[4].map(Double.init(bitPattern:)), variance > 0, variance.isFinite,
            let probability = numbers[5].map(Double.init(bitPattern:)), probability > 0, probability <= 1
        else { return }
        var rate = OperationRate(level: level, variance: variance, probability: probability)
        rate.age(intervals: Double(age) / Double(max(1, settings.calculationInterval)))
        if field == 3, rates.count < settings.maxOperations {
            rates[OperationKey(service: texts[0], operation: texts[1])] = rate
        } else if field == 4, others.count < Self.maxServices {
            others[texts[0]] = rate
        }
    }
}
