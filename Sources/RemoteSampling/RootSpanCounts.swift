/// A service's operation: the name of a root span and its resource's `service.name`.
public struct OperationKey: Hashable, Sendable {
    public var service: String
    public var operation: String

    public init(service: String, operation: String) {
        self.service = service
        self.operation = operation
    }
}

/// Root spans of one operation that were seen in some time.
public struct OperationCount: Sendable, Equatable {
    /// Spans whose probability is known, the sum of `1/p`, and the sum of its squares.
    public private(set) var marked = 0.0
    public private(set) var weight = 0.0
    public private(set) var squaredWeight = 0.0
    /// Spans that do not tell their probability.
    public private(set) var unmarked = 0.0

    public init() {}

    public mutating func add(_ mark: SamplerMark) {
        switch mark {
        case .none: unmarked += 1
        case .probability(let probability):
            // A client that claims less than one in ten million is taken for wrong, not for ten million traces.
            let inverse = 1 / min(1, max(1e-7, probability))
            marked += 1
            weight += inverse
            squaredWeight += inverse * inverse
        // Kept by the client's lower bound: the traces of the probability stand for all.
        case .lowerBound: break
        }
    }

    public mutating func add(_ other: OperationCount) {
        marked += other.marked
        weight += other.weight
        squaredWeight += other.squaredWeight
        unmarked += other.unmarked
    }
}

/// What a root span tells of the sampler that let it through.
public enum SamplerMark: Sendable, Equatable {
    case none
    /// It was kept with this probability.
    case probability(Double)
    /// It was kept to have some of its operation, beside those of the probability.
    case lowerBound
}

/// Root spans by operation: what the stage counts between two hand-overs. Bounded: beyond `capacity` operations, those of
/// one service are counted together, and beyond that they are counted as overflow.
public struct RootSpanCounts: Sendable {
    public private(set) var operations: [OperationKey: OperationCount] = [:]
    /// By service; of operations for which there was no room.
    public private(set) var others: [String: OperationCount] = [:]
    /// Spans that are in neither.
    public private(set) var overflow: UInt64 = 0
    private let capacity: Int

    public init(capacity: Int = 4096) { self.capacity = capacity }

    public var isEmpty: Bool { operations.isEmpty && others.isEmpty && overflow == 0 }

    public mutating func add(_ mark: SamplerMark, to key: OperationKey) {
        if operations[key] != nil || operations.count < capacity {
            operations[key, default: OperationCount()].add(mark)
        } else if others[key.service] != nil || others.count < capacity {
            others[key.service, default: OperationCount()].add(mark)
        } else {
            overflow += 1
        }
    }

    public mutating func removeAll() {
        operations.removeAll(keepingCapacity: true)
        others.removeAll(keepingCapacity: true)
        overflow = 0
    }
}
