import Glibc

/// Memory for values without references that grows in place where the system can do that: glibc moves the pages of a large
/// block instead of copying it (mremap), so that growing needs no second block beside the first.
enum GrowingMemory<Value: BitwiseCopyable> {
    /// Uninitialized memory for `count` values; to be given back with `free`.
    static func allocate(_ count: Int) -> UnsafeMutablePointer<Value> { resized(nil, to: count) }

    /// The same values in a block for `count` values; the old address is not valid any more.
    static func resized(_ values: UnsafeMutablePointer<Value>?, to count: Int) -> UnsafeMutablePointer<Value> {
        // The same end as a failed allocation of the standard library.
        guard let block = realloc(values, count * MemoryLayout<Value>.stride) else { fatalError("out of memory") }
        return block.bindMemory(to: Value.self, capacity: count)
    }

    static func release(_ values: UnsafeMutablePointer<Value>) { free(values) }
}
