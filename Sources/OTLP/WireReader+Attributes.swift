extension WireReader {
    /// Skips span attributes whose keys nobody asks for, as far as they have the shape that exporters write: the tag, a length
    /// of one or two bytes, the key first. Stops before anything else, and before a key of a wanted length.
    ///
    /// - Parameter lengths: bit `n` is set where a key of `n` bytes is wanted, bit 63 for all longer ones.
    @inline(__always)
    package mutating func skipAttributes(withoutKeyLengths lengths: UInt64) {
        var position = position
        // The longest head that is looked at: tag, two bytes of length, the key's tag and length.
        while position &+ 5 <= end, base[position] == 0x4a {
            var length = Int(base[position &+ 1])
            var start = position &+ 2
            if length >= 0x80 {
                let second = Int(base[position &+ 2])
                if second >= 0x80 { break }
                length = length & 0x7f | second &<< 7
                start = position &+ 3
            }
            guard length >= 2, base[start] == 0x0a else { break }
            let keyLength = Int(base[start &+ 1])
            if keyLength >= 0x80 || lengths &>> UInt64(min(keyLength, 63)) & 1 != 0 { break }
            let next = start &+ length
            if next > end { break }
            position = next
        }
        self.position = position
    }
}
