/// The state that survives a restart.
extension DynamicSampler {
    private static var version: UInt64 { 1 }

    func encode(into encoder: inout StateEncoder) {
        encoder.number(Self.version)
        encoder.signed(nextUpdate)
        encoder.number(hasRates ? 1 : 0)
        encoder.double(burstSum)
        encoder.double(burstThreshold)
        encoder.number(UInt64(completedIntervals))
        for table in [counts, averages, rates] { Self.encode(table, into: &encoder) }
        encoder.number(UInt64(blocks.count))
        for block in blocks {
            encoder.signed(block.start)
            Self.encode(block.counts, into: &encoder)
        }
    }

    /// What cannot be read leaves the sampler as it was.
    mutating func restore(from decoder: inout StateDecoder) {
        guard decoder.number() == Self.version, let next = decoder.signed(), let hasRates = decoder.number(),
            let burstSum = decoder.double(), let burstThreshold = decoder.double(), let completed = decoder.number(),
            let counts = Self.table(from: &decoder), let averages = Self.table(from: &decoder),
            let rates = Self.table(from: &decoder), let blockCount = decoder.count(ofSize: 2)
        else { return }
        var blocks: [(start: Int64, counts: [UInt64: Double])] = []
        for _ in 0..<blockCount {
            guard let start = decoder.signed(), let counts = Self.table(from: &decoder) else { return }
            blocks.append((start, counts))
        }
        nextUpdate = next
        self.hasRates = hasRates != 0
        self.burstSum = burstSum
        self.burstThreshold = burstThreshold
        completedIntervals = Int(clamping: completed)
        self.counts = counts
        self.averages = averages
        self.rates = rates
        self.blocks = blocks
        countNewKeys()
    }

    private static func encode(_ table: [UInt64: Double], into encoder: inout StateEncoder) {
        encoder.number(UInt64(table.count))
        for (key, value) in table.sorted(by: { $0.key < $1.key }) {
            encoder.word(key)
            encoder.double(value)
        }
    }

    private static func table(from decoder: inout StateDecoder) -> [UInt64: Double]? {
        guard let count = decoder.count(ofSize: 16) else { return nil }
        var table: [UInt64: Double] = [:]
        for _ in 0..<count {
            guard let key = decoder.word(), let value = decoder.double(), value.isFinite, value >= 0 else { return nil }
            table[key] = value
        }
        return table
    }
}
