/// Refs at or above a watermark whose effect is durable: what a replay skips. Exact; content is not looked at.
public struct DoneRefs: Sendable, Equatable {
    /// Which spans of one record are done.
    public enum Spans: Sendable, Equatable {
        case all
        /// Bit *i* of the words is span *i*.
        case some([UInt64])
    }

    public private(set) var records: [Int64: Spans] = [:]

    public init() {}

    public mutating func add(offset: Int64, _ spans: Spans) {
        records[offset] = spans
    }

    /// Adds what another set knows about offsets from `offset` on.
    public mutating func merge(_ other: DoneRefs, from offset: Int64) {
        for (candidate, spans) in other.records where candidate >= offset { records[candidate] = spans }
    }

    public mutating func remove(offset: Int64) -> Spans? {
        records.removeValue(forKey: offset)
    }

    public var isEmpty: Bool { records.isEmpty }
}

extension DoneRefs.Spans {
    public func contains(_ index: UInt32) -> Bool {
        switch self {
        case .all: true
        case .some(let words):
            Int(index / 64) < words.count && words[Int(index / 64)] & (1 << UInt64(index % 64)) != 0
        }
    }
}
