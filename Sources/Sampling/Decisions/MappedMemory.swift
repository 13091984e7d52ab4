import Glibc

/// Pages of the decision memory, from the system and back to it at once: what malloc gives back stays with the process, and
/// tables that grow and go by hundreds of kilobytes would leave holes (10 of 200 MB, measured with `StepBench decisions`).
///
/// Pages are zero and come into being when they are touched: a large table costs no pause. Owned by who asked for it.
enum MappedMemory {
    private static let pageSize = 4096
    /// From here on huge pages are asked for: random look-ups in many small ones would miss the TLB as well as the cache.
    private static let hugeFrom = 4 << 20

    /// What is mapped for so many bytes: whole pages.
    static func size(_ byteCount: Int) -> Int { max(1, (byteCount + pageSize - 1) / pageSize) * pageSize }

    /// - Returns: nil where address space is used up.
    static func map(_ byteCount: Int) -> UnsafeMutableRawPointer? {
        let size = size(byteCount)
        let mapped = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let mapped, mapped != MAP_FAILED else { return nil }
        if size >= hugeFrom { madvise(mapped, size, MADV_HUGEPAGE) }
        return mapped
    }

    static func unmap(_ memory: UnsafeMutableRawPointer, _ byteCount: Int) { munmap(memory, size(byteCount)) }
}
