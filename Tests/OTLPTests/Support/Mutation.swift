/// Damages bytes the way disks, networks and attackers do.
enum Mutation {
    static func mutate(_ bytes: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
        var bytes = bytes
        for _ in 0...random.below(3) {
            guard !bytes.isEmpty else { return bytes }
            let index = random.below(bytes.count)
            switch random.below(8) {
            case 0: bytes[index] ^= 1 << UInt8(random.below(8))
            case 1: bytes[index] = UInt8(truncatingIfNeeded: random.next())
            case 2: bytes.removeLast(random.below(bytes.count))
            case 3: bytes[index] &+= random.chance(2) ? 1 : 255  // lengths off by one
            case 4: bytes.remove(at: index)
            case 5: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: index)
            case 6:
                let end = min(bytes.count, index + 1 + random.below(24))
                bytes.insert(contentsOf: bytes[index..<end], at: random.below(bytes.count))
            default:
                let special: [UInt8] = [0x00, 0x7f, 0x80, 0xff, 0x0b, 0x0c, 0x22, 0x5c, 0x7b, 0x5d]
                bytes[index] = special.randomElement(using: &random) ?? 0
            }
        }
        return bytes
    }
}
