/// A set of byte values.
struct ByteSet: Hashable, Sendable {
    private var words: SIMD4<UInt64> = .zero

    mutating func insert(_ range: ClosedRange<UInt8>) {
        for byte in range { words[Int(byte >> 6)] |= 1 << UInt64(byte & 63) }
    }

    func contains(_ byte: UInt8) -> Bool { words[Int(byte >> 6)] >> UInt64(byte & 63) & 1 != 0 }
}

/// A pattern compiled to a nondeterministic automaton over UTF-8 bytes (Thompson's construction).
struct PatternProgram: Sendable {
    enum Instruction: Sendable {
        case bytes(ByteSet, next: Int32)
        /// The first is preferred.
        case split(Int32, Int32)
        case assert(PatternAssertion, next: Int32)
        case match
    }

    /// More would make the worst case per byte slow; a pattern of that size is a mistake.
    static let maximumSize = 5000

    private(set) var instructions: [Instruction] = [.match]
    private(set) var entry: Int32 = 0
    private(set) var hasAssertions = false
    private let isReversed: Bool

    /// `isReversed`: reads the text backwards. `isSearch`: the match may begin anywhere behind the start, earliest
    /// first.
    init(_ node: PatternNode, isReversed: Bool, isSearch: Bool) throws(PatternError) {
        self.isReversed = isReversed
        entry = try compile(node, next: 0)
        if isSearch {
            var any = ByteSet()
            any.insert(0...255)
            let loop = try emit(.match)
            let skip = try emit(.bytes(any, next: loop))
            instructions[Int(loop)] = .split(entry, skip)
            entry = loop
        }
    }

    private mutating func emit(_ instruction: Instruction) throws(PatternError) -> Int32 {
        if instructions.count >= Self.maximumSize {
            throw PatternError(message: "the pattern is too large; use smaller counts", offset: 0)
        }
        instructions.append(instruction)
        return Int32(instructions.count - 1)
    }

    /// Emits `node` so that it goes on to `next`, and returns where it begins.
    private mutating func compile(_ node: PatternNode, next: Int32) throws(PatternError) -> Int32 {
        switch node {
        case .empty:
            return next
        case .scalars(let ranges):
            return try compile(ranges, next: next)
        case .assertion(let assertion):
            hasAssertions = true
            return try emit(.assert(isReversed ? assertion.reversed : assertion, next: next))
        case .sequence(let nodes):
            var next = next
            for node in isReversed ? nodes : nodes.reversed() { next = try compile(node, next: next) }
            return next
        case .choice(let nodes):
            guard var start = try nodes.last.map({ (node) throws(PatternError) in try compile(node, next: next) })
            else {
                return next
            }
            for node in nodes.dropLast().reversed() {
                start = try emit(.split(try compile(node, next: next), start))
            }
            return start
        case .repetition(let node, let minimum, let maximum, let isLazy):
            var next = next
            if let maximum {
                let end = next
                for _ in minimum..<maximum {
                    next = try emitSplit(try compile(node, next: next), end, prefersSecond: isLazy)
                }
            } else {
                let loop = try emit(.match)
                let body = try compile(node, next: loop)
                instructions[Int(loop)] = isLazy ? .split(next, body) : .split(body, next)
                // A body that matches nothing must be able to leave the loop with its own preference, not the loop's:
                // x* becomes (x+)?, as in RE2.
                next = node.matchesEmpty ? try emitSplit(body, next, prefersSecond: isLazy) : loop
            }
            for _ in 0..<minimum { next = try compile(node, next: next) }
            return next
        }
    }

    private mutating func emitSplit(_ first: Int32, _ second: Int32, prefersSecond: Bool) throws(PatternError) -> Int32
    {
        try emit(prefersSecond ? .split(second, first) : .split(first, second))
    }

    /// A class becomes one set of ASCII bytes and the byte sequences of the rest.
    private mutating func compile(_ ranges: [ClosedRange<UInt32>], next: Int32) throws(PatternError) -> Int32 {
        var ascii = ByteSet()
        var hasASCII = false
        var starts: [Int32] = []
        for range in ranges {
            if range.lowerBound < 0x80 {
                ascii.insert(UInt8(range.lowerBound)...UInt8(min(range.upperBound, 0x7f)))
                hasASCII = true
            }
            if range.upperBound >= 0x80 {
                for sequence in utf8Sequences(max(range.lowerBound, 0x80)...range.upperBound) {
                    var target = next
                    for bytes in isReversed ? sequence : sequence.reversed() {
                        var set = ByteSet()
                        set.insert(bytes)
                        target = try emit(.bytes(set, next: target))
                    }
                    starts.append(target)
                }
            }
        }
        if hasASCII { starts.append(try emit(.bytes(ascii, next: next))) }
        guard var start = starts.first else { return next }
        for other in starts.dropFirst() { start = try emit(.split(other, start)) }
        return start
    }
}

/// The sequences of byte ranges that are the UTF-8 of the scalars in `range` and of nothing else.
func utf8Sequences(_ range: ClosedRange<UInt32>) -> [[ClosedRange<UInt8>]] {
    let (low, high) = (range.lowerBound, range.upperBound)
    func split(at last: UInt32) -> [[ClosedRange<UInt8>]] {
        utf8Sequences(low...last) + utf8Sequences((last + 1)...high)
    }
    // Lengths of encodings; surrogates, which have none, are cut out by the caller's ranges or here.
    for last: UInt32 in [0x7f, 0x7ff, 0xffff] where low <= last && high > last { return split(at: last) }
    if low <= 0xdfff, high >= 0xd800 {
        return (low < 0xd800 ? utf8Sequences(low...0xd7ff) : [])
            + (high > 0xdfff ? utf8Sequences(0xe000...high) : [])
    }
    if high < 0x80 { return [[UInt8(low)...UInt8(high)]] }
    // Every continuation byte must run over its whole range, or all bytes before it must be equal.
    for level: UInt32 in 1...3 {
        let mask: UInt32 = 1 << (6 * level) - 1
        if low & ~mask == high & ~mask { continue }
        if low & mask != 0 { return split(at: low | mask) }
        if high & mask != mask { return split(at: (high & ~mask) - 1) }
    }
    let (first, last) = (utf8(low), utf8(high))
    return [zip(first, last).map { $0...$1 }]
}

private func utf8(_ scalar: UInt32) -> [UInt8] {
    Unicode.Scalar(scalar).map { Array(String(Character($0)).utf8) } ?? []
}
