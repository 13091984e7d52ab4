import CXXHash
import Glibc
import OTLP

/// Resources and scopes of the spans in the window, each kept once: they repeat in every record.
///
/// A unit is alive while runs use it; dead ones stay for a while, since the same service sends again soon.
struct UnitTable: ~Copyable {
    struct Unit {
        /// Resource, resource schema URL, scope, scope schema URL: one after the other.
        var bytes: UnsafeMutableRawBufferPointer
        var lengths: (resource: Int, resourceSchemaURL: Int, scope: Int, scopeSchemaURL: Int)
        var hash: UInt64
        var liveRuns: Int
        /// Equal for units with the same resource and resource schema URL.
        var resourceHash: UInt64
    }

    /// Dead units are swept once there are this many of them.
    static let sweepThreshold = 1024

    private var units: [Unit?] = []
    private var freeIndices: [UInt32] = []
    private var byHash: [UInt64: [UInt32]] = [:]
    /// Where a unit with these lower bits of its hash was found last: a look without a dictionary. May name any unit.
    private var recent = [UInt32](repeating: 0, count: 256)
    private var deadCount = 0
    private(set) var byteCount = 0

    init() {}

    deinit {
        for unit in units { unit?.bytes.deallocate() }
    }

    /// The index of this unit's bytes, added where they are new.
    ///
    /// - Parameter record: the bytes that the unit's ranges refer to.
    mutating func intern(_ unit: SpanUnit, in record: UnsafeRawBufferPointer) -> UInt32 {
        let parts = (
            Self.slice(unit.resource, record), Self.slice(unit.resourceSchemaURL, record),
            Self.slice(unit.scope, record), Self.slice(unit.scopeSchemaURL, record)
        )
        let resourceHash = Self.hash(parts.1, seed: Self.hash(parts.0, seed: UInt64(parts.0.count)))
        let hash = Self.hash(parts.3, seed: Self.hash(parts.2, seed: resourceHash &+ UInt64(parts.2.count)))
        let slot = Int(truncatingIfNeeded: hash & 255)
        let guess = recent[slot]
        if Int(guess) < units.count, units[Int(guess)]?.hash == hash, matches(guess, parts) { return guess }
        for index in byHash[hash] ?? [] where matches(index, parts) {
            recent[slot] = index
            return index
        }

        let lengths = (parts.0.count, parts.1.count, parts.2.count, parts.3.count)
        let total = lengths.0 + lengths.1 + lengths.2 + lengths.3
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, total), alignment: 8)
        var position = 0
        for part in [parts.0, parts.1, parts.2, parts.3] {
            if let start = part.baseAddress, let target = bytes.baseAddress {
                (target + position).copyMemory(from: start, byteCount: part.count)
            }
            position += part.count
        }
        let added = Unit(
            bytes: bytes,
            lengths: (lengths.0, lengths.1, lengths.2, lengths.3), hash: hash, liveRuns: 0, resourceHash: resourceHash)
        byteCount += total + 160
        deadCount += 1
        let index: UInt32
        if let free = freeIndices.popLast() {
            index = free
            units[Int(free)] = added
        } else {
            index = UInt32(units.count)
            units.append(added)
        }
        byHash[hash, default: []].append(index)
        recent[slot] = index
        return index
    }

    mutating func retain(_ index: UInt32) {
        if units[Int(index)]?.liveRuns == 0 { deadCount -= 1 }
        units[Int(index)]?.liveRuns += 1
    }

    @inline(__always)
    mutating func release(_ index: UInt32) {
        units[Int(index)]?.liveRuns -= 1
        if units[Int(index)]?.liveRuns == 0 { deadCount += 1 }
    }

    /// Forgets dead units when there are many. Not called while indices of fresh units are held outside of runs.
    mutating func sweepIfNeeded() -> [UInt32] {
        guard deadCount > Self.sweepThreshold, deadCount * 2 > units.count - freeIndices.count else { return [] }
        var swept: [UInt32] = []
        for index in units.indices {
            guard let unit = units[index], unit.liveRuns == 0 else { continue }
            byHash[unit.hash]?.removeAll { $0 == UInt32(index) }
            if byHash[unit.hash]?.isEmpty == true { byHash[unit.hash] = nil }
            byteCount -= unit.lengths.resource + unit.lengths.resourceSchemaURL + unit.lengths.scope
            byteCount -= unit.lengths.scopeSchemaURL + 160
            unit.bytes.deallocate()
            units[index] = nil
            freeIndices.append(UInt32(index))
            swept.append(UInt32(index))
        }
        deadCount = 0
        return swept
    }

    func resourceHash(_ index: UInt32) -> UInt64 { units[Int(index)]?.resourceHash ?? 0 }

    /// Equal hashes alone could be an accident, or an attack.
    func haveSameResource(_ left: UInt32, _ right: UInt32) -> Bool {
        left == right
            || resourceHash(left) == resourceHash(right) && equal(resource(left), resource(right))
                && equal(resourceSchemaURL(left), resourceSchemaURL(right))
    }

    func resource(_ index: UInt32) -> UnsafeRawBufferPointer { part(index) { (0, $0.resource) } }

    func resourceSchemaURL(_ index: UInt32) -> UnsafeRawBufferPointer {
        part(index) { ($0.resource, $0.resourceSchemaURL) }
    }

    func scope(_ index: UInt32) -> UnsafeRawBufferPointer {
        part(index) { ($0.resource + $0.resourceSchemaURL, $0.scope) }
    }

    func scopeSchemaURL(_ index: UInt32) -> UnsafeRawBufferPointer {
        part(index) { ($0.resource + $0.resourceSchemaURL + $0.scope, $0.scopeSchemaURL) }
    }

    private func part(
        _ index: UInt32,
        _ place: ((resource: Int, resourceSchemaURL: Int, scope: Int, scopeSchemaURL: Int)) -> (Int, Int)
    ) -> UnsafeRawBufferPointer {
        guard let unit = units[Int(index)] else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        let (offset, length) = place(unit.lengths)
        return UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(unit.bytes)[offset..<(offset + length)])
    }

    @inline(__always)
    private static func slice(_ range: ByteRange, _ record: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        guard range.end <= record.count, !range.isEmpty else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(rebasing: record[range.start..<range.end])
    }

    private func matches(
        _ index: UInt32,
        _ parts: (UnsafeRawBufferPointer, UnsafeRawBufferPointer, UnsafeRawBufferPointer, UnsafeRawBufferPointer)
    ) -> Bool {
        equal(resource(index), parts.0) && equal(resourceSchemaURL(index), parts.1)
            && equal(scope(index), parts.2) && equal(scopeSchemaURL(index), parts.3)
    }

    private func equal(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
        guard left.count == right.count else { return false }
        guard let leftStart = left.baseAddress, let rightStart = right.baseAddress else { return true }
        return memcmp(leftStart, rightStart, left.count) == 0
    }

    private static func hash(_ bytes: UnsafeRawBufferPointer, seed: UInt64) -> UInt64 {
        guard let start = bytes.baseAddress else { return seed }
        return XXH3_64bits_withSeed(start, bytes.count, seed)
    }
}
