import Glibc
import TraceModel

/// Every operation that was seen, with what each side covers of it. An operation is a service and a span name.
///
/// Bounded: what exceeds the limit shares one entry, which is said in the report.
struct OperationTable {
    struct Entry {
        var service: String
        var name: String
        var spans = 0
        /// Kept traces with a span of the operation.
        var traces = PerSide(0)
        /// The kept trace that was counted last, so that each counts once.
        var lastTrace = PerSide<UInt32>(.max)
    }

    /// Operations that are told apart.
    let limit: Int
    /// Where operations beyond the limit go.
    static let overflow = 0

    private(set) var entries = [Entry(service: "(others)", name: "(others)")]
    /// The entries' text as bytes, to compare without making strings.
    private var texts: [[UInt8]] = [[]]
    private var places: [UInt64: UInt32] = [:]
    private var lookup: [UInt8] = []

    init(limit: Int = 100_000) { self.limit = limit }

    /// The operation of a span; its place does not change.
    mutating func place(service: UnsafeRawBufferPointer, name: UnsafeRawBufferPointer) -> Int {
        var hash = FNV1a.offsetBasis
        for byte in service { hash = FNV1a.add(byte, to: hash) }
        // No UTF-8 text has this byte.
        hash = FNV1a.add(0xff, to: hash)
        for byte in name { hash = FNV1a.add(byte, to: hash) }
        while let place = places[hash] {
            if isText(texts[Int(place)], service, name) { return Int(place) }
            hash &+= 1
        }
        guard entries.count <= limit else { return Self.overflow }
        places[hash] = UInt32(entries.count)
        texts.append(Array(service) + [0xff] + Array(name))
        entries.append(
            Entry(service: String(decoding: service, as: UTF8.self), name: String(decoding: name, as: UTF8.self)))
        return entries.count - 1
    }

    private func isText(_ text: [UInt8], _ service: UnsafeRawBufferPointer, _ name: UnsafeRawBufferPointer) -> Bool {
        guard text.count == service.count + 1 + name.count else { return false }
        return text.withUnsafeBytes { bytes in
            let first = UnsafeRawBufferPointer(rebasing: bytes[..<service.count])
            let second = UnsafeRawBufferPointer(rebasing: bytes[(service.count + 1)...])
            return bytes[service.count] == 0xff && Self.isEqual(first, service) && Self.isEqual(second, name)
        }
    }

    private static func isEqual(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
        guard let left = left.baseAddress, let start = right.baseAddress, right.count > 0 else { return right.isEmpty }
        return memcmp(left, start, right.count) == 0
    }

    mutating func countSpan(_ place: Int) { entries[place].spans += 1 }

    /// - Parameter trace: position of the kept trace; its spans come one after the other.
    mutating func countKept(_ place: Int, trace: UInt32, side: Side) {
        guard entries[place].lastTrace[side] != trace else { return }
        entries[place].lastTrace[side] = trace
        entries[place].traces[side] += 1
    }
}
