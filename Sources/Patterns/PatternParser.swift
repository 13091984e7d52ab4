/// Parses the regular expressions of scrub rules, policies and queries.
///
/// The language is what can be searched in linear time: literals, `.`, classes, groups, `|`, `* + ? {n,m}` and their
/// lazy forms, `^ $ \A \z \b \B`, the flags `i` (ASCII letters) and `s`. `\d \w \s` and `\b` are ASCII. Backreferences
/// and look-around are errors. Time is bounded because the text comes from strangers: with a backtracking engine, one
/// crafted attribute could hold a partition for hours.
struct PatternParser {
    private static let maximumDepth = 100
    private static let maximumCount = 1000

    private let scalars: [UInt32]
    private var position = 0
    private var depth = 0
    private var ignoresCase = false
    private var dotMatchesNewline = false

    static func parse(_ pattern: String) throws(PatternError) -> PatternNode {
        var parser = PatternParser(scalars: pattern.unicodeScalars.map(\.value))
        let node = try parser.choice()
        if parser.position < parser.scalars.count {
            throw PatternError(message: "unmatched )", offset: parser.position)
        }
        return node
    }

    private init(scalars: [UInt32]) { self.scalars = scalars }

    private var next: Unicode.Scalar? {
        position < scalars.count ? Unicode.Scalar(scalars[position]) : nil
    }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard next == scalar else { return false }
        position += 1
        return true
    }

    private func failure(_ message: String, at offset: Int? = nil) -> PatternError {
        PatternError(message: message, offset: offset ?? position)
    }

    private mutating func choice() throws(PatternError) -> PatternNode {
        // A flag set inside a group ends with the group, but holds for its later branches.
        let (outerIgnoresCase, outerDot) = (ignoresCase, dotMatchesNewline)
        var branches = [try sequence()]
        while take("|") { branches.append(try sequence()) }
        (ignoresCase, dotMatchesNewline) = (outerIgnoresCase, outerDot)
        return branches.count == 1 ? branches[0] : .choice(branches)
    }

    private mutating func sequence() throws(PatternError) -> PatternNode {
        var nodes: [PatternNode] = []
        while let scalar = next, scalar != "|", scalar != ")" {
            let start = position
            let atom = try atom()
            let node = try quantified(atom, at: start)
            if node != .empty { nodes.append(node) }
        }
        return nodes.isEmpty ? .empty : nodes.count == 1 ? nodes[0] : .sequence(nodes)
    }

    private mutating func quantified(_ atom: PatternNode, at start: Int) throws(PatternError) -> PatternNode {
        guard let scalar = next else { return atom }
        let minimum: Int
        let maximum: Int?
        switch scalar {
        case "*": (minimum, maximum, position) = (0, nil, position + 1)
        case "+": (minimum, maximum, position) = (1, nil, position + 1)
        case "?": (minimum, maximum, position) = (0, 1, position + 1)
        case "{": (minimum, maximum) = try counts()
        default: return atom
        }
        let isLazy = take("?")
        if let following = next, "*+?{".unicodeScalars.contains(following) {
            throw failure(following == "+" ? "possessive quantifiers are not supported" : "two quantifiers in a row")
        }
        if atom == .empty { return .empty }
        return .repetition(atom, minimum: minimum, maximum: maximum, isLazy: isLazy)
    }

    private mutating func counts() throws(PatternError) -> (Int, Int?) {
        let start = position
        position += 1
        guard let minimum = try number() else {
            throw failure("expected a number after {; write \\{ for the character")
        }
        var maximum: Int? = minimum
        if take(",") { maximum = try number() }
        guard take("}") else { throw failure("expected }") }
        if let maximum, maximum < minimum { throw failure("the largest count is below the smallest", at: start) }
        return (minimum, maximum)
    }

    private mutating func number() throws(PatternError) -> Int? {
        let start = position
        var value = 0
        while let scalar = next, ("0"..."9").contains(scalar) {
            value = value * 10 + Int(scalar.value - 0x30)
            if value > Self.maximumCount { throw failure("counts go up to \(Self.maximumCount)", at: start) }
            position += 1
        }
        return position == start ? nil : value
    }

    private mutating func atom() throws(PatternError) -> PatternNode {
        let start = position
        guard let scalar = next else { return .empty }
        position += 1
        switch scalar {
        case ".": return .scalars(dotMatchesNewline ? ScalarRanges.all : ScalarRanges.complement([0x0a...0x0a]))
        case "^": return .assertion(.textStart)
        case "$": return .assertion(.textEnd)
        case "(": return try group(at: start)
        case "[": return try characterClass(at: start)
        case "\\": return try escape(at: start)
        case "*", "+", "?": throw failure("nothing to repeat", at: start)
        case "{": throw failure("nothing to repeat; write \\{ for the character", at: start)
        default: return .scalars(folded([scalar.value...scalar.value]))
        }
    }

    private func folded(_ ranges: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
        ignoresCase ? ScalarRanges.ignoringCase(ranges) : ranges
    }

    private mutating func group(at start: Int) throws(PatternError) -> PatternNode {
        depth += 1
        defer { depth -= 1 }
        if depth > Self.maximumDepth { throw failure("groups nest deeper than \(Self.maximumDepth)", at: start) }
        let (outerIgnoresCase, outerDot) = (ignoresCase, dotMatchesNewline)
        if take("?") {
            if take("P") || next == "<" {
                guard take("<"), next != "=", next != "!" else { throw unsupportedGroup(at: start) }
                while let scalar = next, scalar != ">" { position = scalar == ")" ? scalars.count : position + 1 }
                guard take(">") else { throw failure("a group's name ends with >", at: start) }
            } else if !take(":") {
                try flags(at: start)
                // `(?i)`: holds up to the end of the enclosing group.
                if take(")") { return .empty }
                guard take(":") else { throw unsupportedGroup(at: start) }
            }
        }
        let node = try choice()
        guard take(")") else { throw failure("missing )", at: start) }
        (ignoresCase, dotMatchesNewline) = (outerIgnoresCase, outerDot)
        return node
    }

    private mutating func flags(at start: Int) throws(PatternError) {
        var value = true
        var isAny = false
        while let scalar = next, scalar == "i" || scalar == "s" || scalar == "-" {
            switch scalar {
            case "i": ignoresCase = value
            case "s": dotMatchesNewline = value
            default: value = false
            }
            isAny = true
            position += 1
        }
        if !isAny { throw unsupportedGroup(at: start) }
    }

    private func unsupportedGroup(at start: Int) -> PatternError {
        let message =
            next.map { "=!".unicodeScalars.contains($0) } == true
            ? "look-around is not supported" : "this kind of group is not supported; flags are i and s"
        return failure(message, at: start)
    }

    private mutating func escape(at start: Int) throws(PatternError) -> PatternNode {
        guard let scalar = next else { throw failure("the pattern ends with \\", at: start) }
        switch scalar {
        case "b":
            position += 1
            return .assertion(.wordBoundary)
        case "B":
            position += 1
            return .assertion(.notWordBoundary)
        case "A":
            position += 1
            return .assertion(.textStart)
        case "z":
            position += 1
            return .assertion(.textEnd)
        case "1"..."9", "k": throw failure("backreferences are not supported", at: start)
        default: return .scalars(folded(try escapedRanges(at: start)))
        }
    }

    /// What an escape inside or outside of a class stands for; the position is behind the backslash.
    private mutating func escapedRanges(at start: Int) throws(PatternError) -> [ClosedRange<UInt32>] {
        guard let scalar = next else { throw failure("the pattern ends with \\", at: start) }
        position += 1
        switch scalar {
        case "d": return ScalarRanges.digits
        case "D": return ScalarRanges.complement(ScalarRanges.digits)
        case "w": return ScalarRanges.wordCharacters
        case "W": return ScalarRanges.complement(ScalarRanges.wordCharacters)
        case "s": return ScalarRanges.whitespace
        case "S": return ScalarRanges.complement(ScalarRanges.whitespace)
        case "t": return [0x09...0x09]
        case "n": return [0x0a...0x0a]
        case "v": return [0x0b...0x0b]
        case "f": return [0x0c...0x0c]
        case "r": return [0x0d...0x0d]
        case "0": return [0...0]
        case "x", "u": return try hexadecimal(digits: scalar == "x" ? 2 : 4, at: start)
        case "0"..."9", "a"..."z", "A"..."Z": throw failure("unknown escape \\\(scalar)", at: start)
        default: return [scalar.value...scalar.value]
        }
    }

    /// `\x2d`, `\u002d`, `\x{2d}`, `\u{2d}`.
    private mutating func hexadecimal(digits count: Int, at start: Int) throws(PatternError) -> [ClosedRange<UInt32>] {
        let isBraced = take("{")
        var value: UInt32 = 0
        var digits = 0
        while digits < (isBraced ? 6 : count), let scalar = next,
            let digit = Character(scalar).hexDigitValue, scalar.isASCII
        {
            value = value * 16 + UInt32(digit)
            digits += 1
            position += 1
        }
        let isComplete = isBraced ? digits > 0 && take("}") : digits == count
        guard isComplete, Unicode.Scalar(value) != nil else { throw failure("no such character", at: start) }
        return [value...value]
    }

    private mutating func characterClass(at start: Int) throws(PatternError) -> PatternNode {
        let isNegated = take("^")
        var ranges: [ClosedRange<UInt32>] = []
        var isFirst = true
        while true {
            guard let scalar = next else { throw failure("missing ]", at: start) }
            if scalar == "]", !isFirst {
                position += 1
                break
            }
            isFirst = false
            let memberStart = position
            let member = try classMember()
            guard member.count == 1, member[0].count == 1, next == "-", position + 1 < scalars.count,
                Unicode.Scalar(scalars[position + 1]) != "]"
            else {
                ranges += member
                continue
            }
            position += 1
            let last = try classMember()
            guard last.count == 1, last[0].count == 1 else {
                throw failure("a range needs two characters", at: memberStart)
            }
            if last[0].lowerBound < member[0].lowerBound { throw failure("this range is backwards", at: memberStart) }
            ranges.append(member[0].lowerBound...last[0].lowerBound)
        }
        ranges = ScalarRanges.normalized(folded(ranges))
        if isNegated { ranges = ScalarRanges.complement(ranges) }
        if ranges.isEmpty { throw failure("this class has no characters", at: start) }
        return .scalars(ranges)
    }

    private mutating func classMember() throws(PatternError) -> [ClosedRange<UInt32>] {
        let start = position
        guard let scalar = next else { throw failure("missing ]") }
        position += 1
        switch scalar {
        case "\\":
            if take("b") { return [0x08...0x08] }
            return try escapedRanges(at: start)
        case "[":
            // `[` in a class is a character, but `[:alpha:]` is surely meant as something else.
            if next == ":" { throw failure("POSIX classes are not supported; write A-Za-z, 0-9 or \\s", at: start) }
            return [scalar.value...scalar.value]
        default: return [scalar.value...scalar.value]
        }
    }
}
