/// Runs a program as a deterministic automaton whose states are made when a text first needs them.
///
/// A state is an ordered list of instructions (order is preference) and what was read before. A transition knows the
/// byte that follows, so that `\b` and `$` are decided before it is read; whether the text up to that byte matches is a
/// flag on the transition. Time is linear in the text; memory is bounded: too many states and all are thrown away.
struct PatternAutomaton: Sendable {
    /// What was read before a position.
    enum Context: Int, Sendable {
        case other, word, edge
    }

    private static let unknown: UInt32 = .max
    private static let maximumStates = 1000

    private let program: PatternProgram
    /// Keeps every alternative (longest match) instead of dropping those that are less preferred than a match.
    private let findsLongest: Bool
    private let byteClass: [UInt8]
    /// One byte of each class. The class behind the last is "end of text".
    private let representatives: [UInt8]

    private struct StateKey: Hashable, Sendable {
        var instructions: [Int32]
        var context: Int
    }

    private var keys: [StateKey] = []
    private var numbers: [StateKey: Int] = [:]
    /// Per state and class: (offset of the next state's row << 1) | "a match ends before this byte".
    private var table: [UInt32] = []
    private var starts: [Int?] = [nil, nil, nil]

    private var classCount: Int { representatives.count + 1 }

    init(_ program: PatternProgram, findsLongest: Bool) {
        self.program = program
        self.findsLongest = findsLongest
        (byteClass, representatives) = Self.classes(of: program)
        reset()
    }

    /// Bytes that no instruction tells apart share a class.
    private static func classes(of program: PatternProgram) -> ([UInt8], [UInt8]) {
        var sets: Set<ByteSet> = []
        for case .bytes(let set, _) in program.instructions { sets.insert(set) }
        if program.hasAssertions {
            var words = ByteSet()
            for range in ScalarRanges.wordCharacters { words.insert(UInt8(range.lowerBound)...UInt8(range.upperBound)) }
            sets.insert(words)
        }
        var classes = [Int](repeating: 0, count: 256)
        for set in sets {
            var renumbered: [Int: Int] = [:]
            for byte in 0..<256 {
                let signature = classes[byte] * 2 + (set.contains(UInt8(byte)) ? 1 : 0)
                let number = renumbered[signature] ?? renumbered.count
                renumbered[signature] = number
                classes[byte] = number
            }
        }
        var representatives = [UInt8](repeating: 0, count: (classes.max() ?? 0) + 1)
        for byte in (0..<256).reversed() { representatives[classes[byte]] = UInt8(byte) }
        return (classes.map { UInt8($0) }, representatives)
    }

    private mutating func reset() {
        keys.removeAll(keepingCapacity: true)
        numbers.removeAll(keepingCapacity: true)
        table.removeAll(keepingCapacity: true)
        starts = [nil, nil, nil]
        // State 0 is dead: nothing matches any more.
        _ = add(StateKey(instructions: [], context: 0))
        for index in table.indices { table[index] = 0 }
    }

    private mutating func add(_ key: StateKey) -> Int {
        if let number = numbers[key] { return number }
        let number = keys.count
        keys.append(key)
        numbers[key] = number
        table.append(contentsOf: repeatElement(Self.unknown, count: classCount))
        return number
    }

    /// The start state's row for a text whose byte before the first has this context.
    private mutating func start(_ context: Context) -> Int {
        let index = program.hasAssertions ? context.rawValue : 0
        if let row = starts[index] { return row }
        let row = add(StateKey(instructions: [program.entry], context: index)) * classCount
        starts[index] = row
        return row
    }

    static func context(of byte: UInt8) -> Context {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x5f, 0x61...0x7a: .word
        default: .other
        }
    }

    /// Where the match ends that begins at or behind `start`, reading forwards.
    mutating func matchEnd(in text: UnsafeRawBufferPointer, from start: Int) -> Int? {
        var row = self.start(start == 0 ? .edge : Self.context(of: text[start - 1]))
        var position = start
        var end: Int?
        while row != 0 {
            var entry: UInt32 = 0
            table.withUnsafeBufferPointer { table in
                byteClass.withUnsafeBufferPointer { byteClass in
                    while position < text.count {
                        entry = table[row &+ Int(byteClass[Int(text[position])])]
                        // One test for the rare cases: not known yet, a match ends here.
                        if entry & 1 != 0 { return }
                        row = Int(entry >> 1)
                        if row == 0 { return }
                        position &+= 1
                    }
                }
            }
            if row == 0 { break }
            let symbol = position < text.count ? Int(byteClass[Int(text[position])]) : representatives.count
            entry = transition(row, symbol)
            if entry & 1 != 0 { end = position }
            if position >= text.count { break }
            row = Int(entry >> 1)
            position += 1
        }
        return end
    }

    /// Whether some match begins in the text; stops reading at the first place where one is sure.
    mutating func hasMatch(in text: UnsafeRawBufferPointer) -> Bool {
        var row = start(.edge)
        var position = 0
        while row != 0 {
            var entry: UInt32 = 0
            table.withUnsafeBufferPointer { table in
                byteClass.withUnsafeBufferPointer { byteClass in
                    while position < text.count {
                        entry = table[row &+ Int(byteClass[Int(text[position])])]
                        if entry & 1 != 0 { return }
                        row = Int(entry >> 1)
                        if row == 0 { return }
                        position &+= 1
                    }
                }
            }
            if row == 0 { return false }
            let symbol = position < text.count ? Int(byteClass[Int(text[position])]) : representatives.count
            entry = transition(row, symbol)
            if entry & 1 != 0 { return true }
            if position >= text.count { return false }
            row = Int(entry >> 1)
            position += 1
        }
        return false
    }

    /// The earliest start of a match that ends at `end`, reading backwards and not beyond `limit`.
    mutating func matchStart(in text: UnsafeRawBufferPointer, from end: Int, limit: Int) -> Int? {
        var row = start(end == text.count ? .edge : Self.context(of: text[end]))
        var position = end
        var start: Int?
        while row != 0 {
            let symbol = position > 0 ? Int(byteClass[Int(text[position - 1])]) : representatives.count
            let entry = transition(row, symbol)
            if entry & 1 != 0 { start = position }
            if position <= limit { break }
            row = Int(entry >> 1)
            position -= 1
        }
        return start
    }

    private mutating func transition(_ row: Int, _ symbol: Int) -> UInt32 {
        let known = table[row + symbol]
        if known != Self.unknown { return known }
        let key = keys[row / classCount]
        let byte: UInt8? = symbol < representatives.count ? representatives[symbol] : nil
        let (instructions, isMatch) = step(key, byte)
        let context = program.hasAssertions ? byte.map { Self.context(of: $0) } ?? .edge : .other
        let nextKey = StateKey(instructions: instructions, context: instructions.isEmpty ? 0 : context.rawValue)
        let isFull = keys.count >= Self.maximumStates && numbers[nextKey] == nil
        if isFull { reset() }
        let entry = UInt32(add(nextKey) * classCount) << 1 | (isMatch ? 1 : 0)
        // After a reset the row belongs to another state.
        if !isFull { table[row + symbol] = entry }
        return entry
    }

    /// Reads one byte (nil at the end): the instructions behind it, and whether the text before it matches.
    private func step(_ key: StateKey, _ byte: UInt8?) -> ([Int32], Bool) {
        let isWordBefore = key.context == Context.word.rawValue
        let isWordAfter = byte.map { Self.context(of: $0) == .word } ?? false
        var visited = [Bool](repeating: false, count: program.instructions.count)
        var isListed = visited
        var result: [Int32] = []
        var isMatch = false
        for first in key.instructions {
            var stack = [first]
            while let current = stack.popLast() {
                if visited[Int(current)] { continue }
                visited[Int(current)] = true
                switch program.instructions[Int(current)] {
                case .bytes(let set, let next):
                    if let byte, set.contains(byte), !isListed[Int(next)] {
                        isListed[Int(next)] = true
                        result.append(next)
                    }
                case .split(let preferred, let other):
                    stack.append(other)
                    stack.append(preferred)
                case .assert(let assertion, let next):
                    let holds =
                        switch assertion {
                        case .textStart: key.context == Context.edge.rawValue
                        case .textEnd: byte == nil
                        case .wordBoundary: isWordBefore != isWordAfter
                        case .notWordBoundary: isWordBefore == isWordAfter
                        }
                    if holds { stack.append(next) }
                case .match:
                    isMatch = true
                    if !findsLongest { return (result, true) }
                }
            }
        }
        return (result, isMatch)
    }
}
