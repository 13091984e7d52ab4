/// Finds the rules whose keys fit an attribute's key.
///
/// Exact keys are in a hash table by length and first eight bytes; a key of a length that no rule has costs one test.
/// Keys with `*` are tried one after the other.
struct KeyMatcher: Sendable {
    private struct Entry: Sendable {
        var prefix: UInt64
        var bytes: [UInt8]
        var rules: UInt64
    }

    private struct Wildcard: Sendable {
        var bytes: [UInt8]
        var rules: UInt64
    }

    /// Bit n: some key is n bytes long; bit 63: 63 or more.
    private var lengths: UInt64 = 0
    private var entries: [Entry] = []
    /// Open addressing; -1 is free. At most half full.
    private var slots: [Int32] = []
    private var wildcards: [Wildcard] = []

    /// `keys[i]` are the keys of rule i.
    init(keys: [[String]]) {
        var exact: [String: UInt64] = [:]
        var patterns: [String: UInt64] = [:]
        for (rule, ruleKeys) in keys.enumerated() {
            for key in ruleKeys {
                if key.utf8.contains(UInt8(ascii: "*")) {
                    patterns[key, default: 0] |= 1 << UInt64(rule)
                } else {
                    exact[key, default: 0] |= 1 << UInt64(rule)
                }
            }
        }
        wildcards = patterns.map { Wildcard(bytes: Array($0.key.utf8), rules: $0.value) }
        if exact.isEmpty { return }
        var capacity = 8
        while capacity < exact.count * 2 { capacity *= 2 }
        slots = [Int32](repeating: -1, count: capacity)
        for (key, rules) in exact {
            let bytes = Array(key.utf8)
            let prefix = bytes.withUnsafeBytes { Self.prefix($0) }
            lengths |= 1 << UInt64(min(bytes.count, 63))
            var slot = Self.hash(prefix, bytes.count) & (capacity - 1)
            while slots[slot] >= 0 { slot = (slot + 1) & (capacity - 1) }
            slots[slot] = Int32(entries.count)
            entries.append(Entry(prefix: prefix, bytes: bytes, rules: rules))
        }
    }

    var isEmpty: Bool { entries.isEmpty && wildcards.isEmpty }

    /// The rules, as bits, one of whose keys fits.
    @inline(__always)
    func rules(for key: UnsafeRawBufferPointer) -> UInt64 {
        var found: UInt64 = 0
        if lengths & (1 << UInt64(min(key.count, 63))) != 0 { found = exactRules(for: key) }
        if !wildcards.isEmpty {
            for wildcard in wildcards where Self.matches(wildcard.bytes, key) { found |= wildcard.rules }
        }
        return found
    }

    private func exactRules(for key: UnsafeRawBufferPointer) -> UInt64 {
        let prefix = Self.prefix(key)
        var slot = Self.hash(prefix, key.count) & (slots.count - 1)
        while slots[slot] >= 0 {
            let index = Int(slots[slot])
            if entries[index].prefix == prefix, entries[index].bytes.count == key.count,
                entries[index].bytes.elementsEqual(key)
            {
                return entries[index].rules
            }
            slot = (slot + 1) & (slots.count - 1)
        }
        return 0
    }

    @inline(__always)
    private static func prefix(_ key: UnsafeRawBufferPointer) -> UInt64 {
        if key.count >= 8 { return key.loadUnaligned(as: UInt64.self) }
        var prefix: UInt64 = 0
        for byte in key { prefix = prefix << 8 | UInt64(byte) }
        return prefix
    }

    @inline(__always)
    private static func hash(_ prefix: UInt64, _ length: Int) -> Int {
        let mixed = (prefix ^ UInt64(length) &* 0x9e37_79b9_7f4a_7c15) &* 0xff51_afd7_ed55_8ccd
        return Int(truncatingIfNeeded: mixed >> 40)
    }

    /// `*` takes any bytes. Time is at most pattern times key: only the last `*` is ever retried.
    static func matches(_ pattern: [UInt8], _ key: UnsafeRawBufferPointer) -> Bool {
        var at = 0
        var position = 0
        var lastStar = -1
        var retry = 0
        while position < key.count {
            if at < pattern.count, pattern[at] == UInt8(ascii: "*") {
                lastStar = at
                retry = position
                at += 1
            } else if at < pattern.count, pattern[at] == key[position] {
                at += 1
                position += 1
            } else if lastStar >= 0 {
                retry += 1
                position = retry
                at = lastStar + 1
            } else {
                return false
            }
        }
        while at < pattern.count, pattern[at] == UInt8(ascii: "*") { at += 1 }
        return at == pattern.count
    }
}
