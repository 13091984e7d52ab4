import Glibc

/// Spill files without a name in a directory: they are gone with their process, however it ends.
final class SpillDirectory: SpillFileSource {
    /// Free space that is left to the store: this much, or a twentieth of the disk where that is more.
    private static let reserve: UInt64 = 1 << 30

    private let path: String

    /// - Parameter path: made when the first file is.
    init(_ path: String) { self.path = path }

    func make() throws(SpillError) -> any SpillFile {
        if mkdir(path, 0o700) != 0, errno != EEXIST {
            // The store may not have been made yet.
            guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex,
                mkdir(String(path[..<slash]), 0o755) == 0 || errno == EEXIST, mkdir(path, 0o700) == 0
            else { throw failure("create directory") }
        }
        var information = statvfs()
        if statvfs(path, &information) == 0 {
            let free = UInt64(information.f_bavail) &* UInt64(information.f_frsize)
            let whole = UInt64(information.f_blocks) &* UInt64(information.f_frsize)
            if free < max(Self.reserve, whole / 20) {
                throw SpillError(
                    operation: "spill to", path: path,
                    explanation: "only \(free >> 20) MiB of the disk are free, the rest is left to the store")
            }
        }
        return LocalSpillFile(descriptor: try open(), path: path)
    }

    private func open() throws(SpillError) -> Int32 {
        // Linux' O_TMPFILE (with O_DIRECTORY): a file that never has a name.
        let temporary: Int32 = 0o20_000_000 | O_DIRECTORY
        let descriptor = Glibc.open(path, temporary | O_RDWR | O_CLOEXEC, 0o600)
        if descriptor >= 0 { return descriptor }
        // Some file systems do not know it.
        let name = "\(path)/\(getpid())-\(UInt64.random(in: 0 ... .max)).spill"
        let named = Glibc.open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard named >= 0 else { throw failure("create a file in") }
        unlink(name)
        return named
    }

    private func failure(_ operation: String) -> SpillError {
        SpillError(operation: operation, path: path, explanation: String(cString: strerror(errno)))
    }
}

/// Swift's Glibc leaves it out, since it is declared for `_GNU_SOURCE` only: fallocate(2).
@_silgen_name("fallocate")
private func fallocate(_ descriptor: Int32, _ mode: Int32, _ offset: off_t, _ length: off_t) -> Int32

/// A file of the machine's file system.
private final class LocalSpillFile: SpillFile {
    /// Of linux/falloc.h.
    private static let keepSize: Int32 = 1
    private static let punchHole: Int32 = 2

    private let descriptor: Int32
    private let path: String

    init(descriptor: Int32, path: String) {
        self.descriptor = descriptor
        self.path = path
    }

    deinit { close(descriptor) }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(SpillError) {
        var written = 0
        while written < bytes.count {
            let count = pwrite(
                descriptor, bytes.baseAddress.map { $0 + written }, bytes.count - written, off_t(offset + written))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure("spill to") }
            written += count
        }
    }

    func read(into bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws(SpillError) -> Int {
        var filled = 0
        while filled < bytes.count {
            let count = pread(
                descriptor, bytes.baseAddress.map { $0 + filled }, bytes.count - filled, off_t(offset + filled))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw failure("read back from") }
            if count == 0 { break }
            filled += count
        }
        return filled
    }

    func discard(at offset: Int, count: Int) {
        // Punches a hole; where that is not possible the space is used again by the next chunk.
        _ = fallocate(descriptor, Self.punchHole | Self.keepSize, off_t(offset), off_t(count))
    }

    private func failure(_ operation: String) -> SpillError {
        SpillError(operation: operation, path: path, explanation: String(cString: strerror(errno)))
    }
}
