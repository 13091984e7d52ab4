import CXXHash
import Glibc
import Patterns

/// Whether a text is one of some values, or matches one of some patterns.
final class StringTest {
    let values: [[UInt8]]
    /// They learn while they search: changed in place.
    private var matchers: [TextMatcher]
    var hasPatterns: Bool { results != nil }
    /// What the patterns answered; nil where there are none.
    private let results: ResultCache?

    /// Whole values, case sensitive. Empty ones are left out, as the Collector does.
    init(exact values: [String]) {
        self.values = values.filter { !$0.isEmpty }.map { Array($0.utf8) }
        matchers = []
        results = nil
    }

    /// Patterns that match any part of the text. Results are remembered by value, so that a pattern runs only for values
    /// not seen before.
    ///
    /// - Throws: the first pattern that cannot be used.
    init(patterns: [String], cacheSize: Int) throws(PatternError) {
        var matchers: [TextMatcher] = []
        for pattern in patterns { matchers.append(try TextMatcher(pattern)) }
        values = []
        self.matchers = matchers
        results = ResultCache(size: cacheSize)
    }

    func accepts(_ text: UnsafeRawBufferPointer) -> Bool {
        guard let results else {
            for index in values.indices where values[index].count == text.count {
                let isEqual = values[index].withUnsafeBytes { Self.areEqual($0, text) }
                if isEqual { return true }
            }
            return false
        }
        let hash = text.baseAddress.map { XXH3_64bits($0, text.count) } ?? 0
        if let known = results.find(text, hash) { return known }
        let result = search(text)
        results.remember(text, hash, result)
        return result
    }

    private func search(_ text: UnsafeRawBufferPointer) -> Bool {
        for index in matchers.indices where matchers[index].matches(text) { return true }
        return false
    }

    static func areEqual(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
        guard left.count == right.count else { return false }
        guard let leftStart = left.baseAddress, let rightStart = right.baseAddress else { return true }
        return memcmp(leftStart, rightStart, left.count) == 0
    }

    /// Remembered results: a table of fixed size in which a value has two places, and the older one gives way.
    ///
    /// Values are kept whole, since equal hashes could be made on purpose. Long values are not kept: memory is at most
    /// `size` times `longestValue` bytes.
    private final class ResultCache {
        private static let longestValue = 512

        private struct Entry {
            var value: [UInt8]
            var hash: UInt64
            var result: Bool
        }

        private var entries: [Entry?]
        private let mask: Int

        init(size: Int) {
            var slots = 2
            while slots < size { slots *= 2 }
            entries = Array(repeating: nil, count: slots)
            mask = slots - 1
        }

        func find(_ text: UnsafeRawBufferPointer, _ hash: UInt64) -> Bool? {
            let first = Int(truncatingIfNeeded: hash) & mask
            return find(text, hash, slot: first) ?? find(text, hash, slot: first ^ 1)
        }

        private func find(_ text: UnsafeRawBufferPointer, _ hash: UInt64, slot: Int) -> Bool? {
            guard entries[slot]?.hash == hash, let entry = entries[slot] else { return nil }
            let isEqual = entry.value.withUnsafeBytes { areEqual($0, text) }
            return isEqual ? entry.result : nil
        }

        func remember(_ text: UnsafeRawBufferPointer, _ hash: UInt64, _ result: Bool) {
            guard text.count <= Self.longestValue else { return }
            let first = Int(truncatingIfNeeded: hash) & mask
            entries[first ^ 1] = entries[first]
            entries[first] = Entry(value: Array(text), hash: hash, result: result)
        }
    }
}
