/// Finds what a misspelt name was meant to be.
package enum NearestName {
    /// The candidate that is closest to `name`, or nil where none is close enough to be worth a suggestion. Of equally
    /// close candidates the first one wins.
    package static func nearest(to name: String, among candidates: some Sequence<String>) -> String? {
        let wanted = folded(name)
        guard !wanted.isEmpty, wanted.count <= longestName else { return nil }
        var best: (name: String, distance: Int)?
        for candidate in candidates {
            let other = folded(candidate)
            guard other.count <= longestName else { continue }
            let limit = threshold(max(wanted.count, other.count))
            guard abs(wanted.count - other.count) <= limit || isAbbreviation(wanted, of: other) else { continue }
            var distance = self.distance(wanted, other)
            if distance > limit {
                // `attr` for `attributes`: many edits, yet clearly meant.
                guard isAbbreviation(wanted, of: other) else { continue }
                distance = longestName
            }
            if distance < best?.distance ?? .max { best = (candidate, distance) }
        }
        return best?.name
    }

    /// Names longer than this are no typos of anything; it also bounds the work.
    private static let longestName = 64

    /// Number of edits that still look like a typo in a name of this length.
    private static func threshold(_ length: Int) -> Int {
        switch length {
        case ...2: 0
        case ...5: 1
        case ...8: 2
        default: 3
        }
    }

    private static func isAbbreviation(_ short: [Unicode.Scalar], of long: [Unicode.Scalar]) -> Bool {
        short.count >= 3 && long.starts(with: short)
    }

    /// Case and the choice of separator are never what a user meant to say.
    private static func folded(_ name: String) -> [Unicode.Scalar] {
        name.lowercased().unicodeScalars.map { $0 == "-" || $0 == " " ? "_" : $0 }
    }

    /// Damerau–Levenshtein distance (optimal string alignment): insertions, deletions, substitutions and swaps of
    /// neighbours count one each.
    private static func distance(_ left: [Unicode.Scalar], _ right: [Unicode.Scalar]) -> Int {
        var beforePrevious = [Int](repeating: 0, count: right.count + 1)
        var previous = Array(0...right.count)
        var current = previous
        for row in 0..<left.count {
            current[0] = row + 1
            for column in 0..<right.count {
                let substitution = previous[column] + (left[row] == right[column] ? 0 : 1)
                var cost = min(substitution, previous[column + 1] + 1, current[column] + 1)
                if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                    cost = min(cost, beforePrevious[column - 1] + 1)
                }
                current[column + 1] = cost
            }
            (beforePrevious, previous, current) = (previous, current, beforePrevious)
        }
        return previous[right.count]
    }
}
