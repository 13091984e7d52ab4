import OTLP

/// What one worker tells the others of its fleet, about once per second.
package struct FleetEntry: Sendable, Equatable {
    /// What one budget of the worker is offered, by partition.
    package struct Demand: Sendable, Equatable {
        /// Sampler and policy: `sample/rest`.
        package var budget: String
        package var partitions: [Partition]

        package init(budget: String, partitions: [Partition]) {
            self.budget = budget
            self.partitions = partitions
        }
    }

    package struct Partition: Sendable, Equatable {
        /// Topic and number: `otlp_spans/3`.
        package var name: String
        /// In the budget's unit per second of stream time.
        package var demand: Double

        package init(name: String, demand: Double) {
            self.name = name
            self.demand = demand
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
    private static let maximumPartitions = 100_000
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
                        $0.key("partitions")
                        $0.array { json in
                            for partition in demand.partitions {
                                json.object {
                                    $0.member("partition", partition.name)
                                    $0.member("demand_per_second", partition.demand)
                                }
                            }
                        }
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
        guard
            demands.allSatisfy({ demand in
                demand.partitions.allSatisfy { (0...Self.maximumDemand).contains($0.demand) }
            })
        else { return nil }
    }

    private static func demands(_ reader: inout JSONReader) throws(OTLPJSONError) -> [Demand] {
        var demands: [Demand] = []
        try reader.beginArray()
        while try reader.nextElement() {
            var demand = Demand(budget: "", partitions: [])
            try reader.beginObject()
            while try reader.nextKey() {
                if reader.keyIs("budget") {
                    demand.budget = try reader.text()
                } else if reader.keyIs("partitions") {
                    demand.partitions = try partitions(&reader)
                } else {
                    try reader.skipValue()
                }
            }
            if demands.count < maximumBudgets, demand.budget.utf8.count <= 1024 { demands.append(demand) }
        }
        return demands
    }

    private static func partitions(_ reader: inout JSONReader) throws(OTLPJSONError) -> [Partition] {
        var partitions: [Partition] = []
        try reader.beginArray()
        while try reader.nextElement() {
            var partition = Partition(name: "", demand: 0)
            try reader.beginObject()
            while try reader.nextKey() {
                if reader.keyIs("partition") {
                    partition.name = try reader.text()
                } else if reader.keyIs("demand_per_second") {
                    partition.demand = try reader.double()
                } else {
                    try reader.skipValue()
                }
            }
            if partitions.count < maximumPartitions, partition.name.utf8.count <= 300 { partitions.append(partition) }
        }
        return partitions
    }
}

extension JSONReader {
    fileprivate mutating func text() throws(OTLPJSONError) -> String {
        var bytes: [UInt8] = []
        append(try string(), to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}
