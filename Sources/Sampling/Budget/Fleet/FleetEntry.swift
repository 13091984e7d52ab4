import OTLP

/// What one worker tells the others of its fleet, about once per second.
package struct FleetEntry: Sendable, Equatable {
    package struct Demand: Sendable, Equatable {
        /// Sampler and policy: `sample/rest`.
        package var budget: String
        /// What the worker is offered, in the budget's unit per second of stream time.
        package var demand: Double
        /// Partitions that the worker owns and that the budget is for.
        package var partitions: Int

        package init(budget: String, demand: Double, partitions: Int) {
            self.budget = budget
            self.demand = demand
            self.partitions = partitions
        }
    }

    /// New for every start of a process.
    package var worker: String
    /// Grows with every entry of a worker.
    package var sequence: UInt64
    package var demands: [Demand]

    package init(worker: String, sequence: UInt64, demands: [Demand]) {
        self.worker = worker
        self.sequence = sequence
        self.demands = demands
    }
}

/// The value of a record in the budget's topic, as JSON that people can read with any Kafka tool.
extension FleetEntry {
    private static let version: UInt64 = 1
    private static let maximumBudgets = 1000
    /// Units per second; more is a mistake of the sender.
    private static let maximumDemand = 1e15

    package func encoded() -> [UInt8] {
        var json = JSONWriter()
        json.object { json in
            json.member("version", Self.version)
            json.member("worker", worker)
            json.member("sequence", sequence)
            json.key("budgets")
            json.array { json in
                for demand in demands {
                    json.object {
                        $0.member("budget", demand.budget)
                        $0.member("demand_per_second", demand.demand)
                        $0.member("partitions", demand.partitions)
                    }
                }
            }
        }
        return json.bytes
    }

    /// Nil for anything that is no entry, or one of a later version. Members that are not known are skipped.
    package init?(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return nil }
        var reader = JSONReader(base: base, count: bytes.count)
        self.init(worker: "", sequence: 0, demands: [])
        var version: UInt64 = 0
        do {
            try reader.beginObject()
            while try reader.nextKey() {
                if reader.keyIs("version") {
                    version = try reader.uint64()
                } else if reader.keyIs("worker") {
                    worker = try reader.text()
                } else if reader.keyIs("sequence") {
                    sequence = try reader.uint64()
                } else if reader.keyIs("budgets") {
                    demands = try Self.demands(&reader)
                } else {
                    try reader.skipValue()
                }
            }
            try reader.finish()
        } catch {
            return nil
        }
        guard version == Self.version, !worker.isEmpty, worker.utf8.count <= 256 else { return nil }
        guard demands.allSatisfy({ (0...Self.maximumDemand).contains($0.demand) }) else { return nil }
    }

    private static func demands(_ reader: inout JSONReader) throws(OTLPJSONError) -> [Demand] {
        var demands: [Demand] = []
        try reader.beginArray()
        while try reader.nextElement() {
            var demand = Demand(budget: "", demand: 0, partitions: 0)
            try reader.beginObject()
            while try reader.nextKey() {
                if reader.keyIs("budget") {
                    demand.budget = try reader.text()
                } else if reader.keyIs("demand_per_second") {
                    demand.demand = try reader.double()
                } else if reader.keyIs("partitions") {
                    demand.partitions = Int(try reader.uint32())
                } else {
                    try reader.skipValue()
                }
            }
            if demands.count < maximumBudgets, demand.budget.utf8.count <= 1024 { demands.append(demand) }
        }
        return demands
    }
}

extension JSONReader {
    fileprivate mutating func text() throws(OTLPJSONError) -> String {
        var bytes: [UInt8] = []
        append(try string(), to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}
