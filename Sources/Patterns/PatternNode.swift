/// A regular expression as a tree.
indirect enum PatternNode: Hashable, Sendable {
    case empty
    /// One character out of sorted, disjoint ranges of Unicode scalars.
    case scalars([ClosedRange<UInt32>])
    case assertion(PatternAssertion)
    case sequence([PatternNode])
    case choice([PatternNode])
    case repetition(PatternNode, minimum: Int, maximum: Int?, isLazy: Bool)

    /// Whether it matches the empty text, which would have nothing to scrub.
    var matchesEmpty: Bool {
        switch self {
        case .empty, .assertion: true
        case .scalars: false
        case .sequence(let nodes): nodes.allSatisfy(\.matchesEmpty)
        case .choice(let nodes): nodes.contains(where: \.matchesEmpty)
        case .repetition(let node, let minimum, _, _): minimum == 0 || node.matchesEmpty
        }
    }
}

/// A condition on a position between two characters.
enum PatternAssertion: Hashable, Sendable {
    case textStart
    case textEnd
    case wordBoundary
    case notWordBoundary

    /// The same condition seen by a reader that goes backwards.
    var reversed: PatternAssertion {
        switch self {
        case .textStart: .textEnd
        case .textEnd: .textStart
        case .wordBoundary, .notWordBoundary: self
        }
    }
}

/// What is wrong with a regular expression, and at which character (counted from 0).
package struct PatternError: Error, Hashable, Sendable {
    package var message: String
    package var offset: Int
}

/// Operations on sorted, disjoint ranges of Unicode scalars.
enum ScalarRanges {
    static let digits: [ClosedRange<UInt32>] = [0x30...0x39]
    static let wordCharacters: [ClosedRange<UInt32>] = [0x30...0x39, 0x41...0x5a, 0x5f...0x5f, 0x61...0x7a]
    static let whitespace: [ClosedRange<UInt32>] = [0x09...0x0d, 0x20...0x20]
    static let all: [ClosedRange<UInt32>] = [0...0xd7ff, 0xe000...0x10ffff]

    static func normalized(_ ranges: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
        var result: [ClosedRange<UInt32>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = result.last, range.lowerBound <= last.upperBound + 1 {
                result[result.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
            } else {
                result.append(range)
            }
        }
        return result
    }

    /// Every scalar that is not in `ranges`.
    static func complement(_ ranges: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
        var result: [ClosedRange<UInt32>] = []
        var next: UInt32 = 0
        // Surrogates are no scalars; adding them here keeps them out of the result.
        for range in normalized(ranges + [0xd800...0xdfff]) {
            if range.lowerBound > next { result.append(next...(range.lowerBound - 1)) }
            next = range.upperBound + 1
        }
        if next <= 0x10ffff { result.append(next...0x10ffff) }
        return result
    }

    /// `ranges` with the other case of every ASCII letter in them.
    static func ignoringCase(_ ranges: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
        var result = ranges
        for range in ranges {
            for (letters, shift) in [(0x41...0x5a as ClosedRange<UInt32>, Int64(32)), (0x61...0x7a, -32)]
            where range.overlaps(letters) {
                let part = range.clamped(to: letters)
                result.append(
                    UInt32(Int64(part.lowerBound) + shift)...UInt32(Int64(part.upperBound) + shift))
            }
        }
        return normalized(result)
    }
}
