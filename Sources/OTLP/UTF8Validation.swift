/// Whether `length` bytes from `start` are well-formed UTF-8 (Unicode 15, table 3-7).
///
/// Almost all strings in telemetry are ASCII: eight bytes are tested at once, and only a byte above 0x7f takes the slow path.
@inlinable @inline(__always)
package func isValidUTF8(_ start: UnsafePointer<UInt8>, _ length: Int) -> Bool {
    var index = 0
    while index &+ 8 <= length {
        if UnsafeRawPointer(start + index).loadUnaligned(as: UInt64.self) & 0x8080_8080_8080_8080 != 0 {
            return isValidUTF8Slow(start, from: index, length)
        }
        index &+= 8
    }
    while index < length {
        if start[index] >= 0x80 { return isValidUTF8Slow(start, from: index, length) }
        index &+= 1
    }
    return true
}

@usableFromInline
package func isValidUTF8Slow(_ start: UnsafePointer<UInt8>, from first: Int, _ length: Int) -> Bool {
    var index = first
    while index < length {
        let lead = start[index]
        if lead < 0x80 {
            index += 1
            continue
        }
        let continuationCount: Int
        var lowest: UInt8 = 0x80
        var highest: UInt8 = 0xbf
        switch lead {
        case 0xc2...0xdf: continuationCount = 1
        case 0xe0...0xef:
            continuationCount = 2
            if lead == 0xe0 { lowest = 0xa0 }  // overlong
            if lead == 0xed { highest = 0x9f }  // surrogates
        case 0xf0...0xf4:
            continuationCount = 3
            if lead == 0xf0 { lowest = 0x90 }  // overlong
            if lead == 0xf4 { highest = 0x8f }  // above U+10FFFF
        default: return false
        }
        guard index + continuationCount < length else { return false }
        guard start[index + 1] >= lowest, start[index + 1] <= highest else { return false }
        for step in 1..<(continuationCount + 1) where start[index + step] & 0xc0 != 0x80 { return false }
        index += continuationCount + 1
    }
    return true
}
