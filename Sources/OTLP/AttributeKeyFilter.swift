/// Which attribute keys a message can have: a bit for each class of keys, of which the scanner sets those that it sees. Whoever
/// looks for a key need not walk over the attributes of a message that has none of its class.
///
/// A message of unusual shape has all bits.
package enum AttributeKeyFilter {
    package static let nothing: UInt64 = 0
    package static let anything: UInt64 = .max

    /// The bit of a key's class, which is its length and its last byte: the first ones are often the same (`http.`).
    @inline(__always)
    static func bit(length: Int, last: UInt8) -> UInt64 { 1 &<< UInt64((length &* 5 &+ Int(last)) & 63) }

    package static func bit(of key: UnsafeRawBufferPointer) -> UInt64 { bit(length: key.count, last: key.last ?? 0) }
}
