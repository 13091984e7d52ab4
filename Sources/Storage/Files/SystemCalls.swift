import Glibc
import Pipeline

/// The system calls that `LocalFileSystem` makes: the kernel's, or those of a simulated disk that loses what was not synced.
///
/// Each behaves as its namesake: -1 and `errno` on failure. Used from several threads.
package protocol SystemCalls: Sendable {
    func open(_ path: String, _ flags: Int32, _ mode: mode_t) -> Int32
    func close(_ descriptor: Int32)
    func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int
    /// Reads from `offset` on, like `pread`.
    func read(_ descriptor: Int32, _ bytes: UnsafeMutableRawBufferPointer, _ offset: Int64) -> Int
    func seek(_ descriptor: Int32, _ offset: Int64) -> Int64
    func truncate(_ descriptor: Int32, _ length: Int64) -> Int32
    /// Makes a file's contents durable.
    func syncData(_ descriptor: Int32) -> Int32
    /// Makes a directory's entries durable.
    func sync(_ descriptor: Int32) -> Int32
    /// Size of an open file.
    func size(_ descriptor: Int32) -> Int64
    func size(path: String) -> Int64
    func rename(_ from: String, _ to: String) -> Int32
    func link(_ existing: String, _ new: String) -> Int32
    func unlink(_ path: String) -> Int32
    func makeDirectory(_ path: String, _ mode: mode_t) -> Int32
    /// Removes an empty directory.
    func removeDirectory(_ path: String) -> Int32
    /// Room in the file system that holds a path; nil where it cannot be known.
    func space(_ path: String) -> StoreSpace?
    /// Names in a directory without `.` and `..`, in any order; nil on failure.
    func names(_ directory: String) -> [String]?
    /// Part of the name of a temporary file: no other process or call uses the same.
    func uniqueName() -> String
}

/// The kernel.
struct KernelCalls: SystemCalls {
    func open(_ path: String, _ flags: Int32, _ mode: mode_t) -> Int32 { Glibc.open(path, flags, mode) }

    func close(_ descriptor: Int32) { _ = Glibc.close(descriptor) }

    func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
        Glibc.write(descriptor, bytes.baseAddress, bytes.count)
    }

    func read(_ descriptor: Int32, _ bytes: UnsafeMutableRawBufferPointer, _ offset: Int64) -> Int {
        pread(descriptor, bytes.baseAddress, bytes.count, off_t(offset))
    }

    func seek(_ descriptor: Int32, _ offset: Int64) -> Int64 { Int64(lseek(descriptor, off_t(offset), SEEK_SET)) }

    func truncate(_ descriptor: Int32, _ length: Int64) -> Int32 { ftruncate(descriptor, off_t(length)) }

    func syncData(_ descriptor: Int32) -> Int32 { fdatasync(descriptor) }

    func sync(_ descriptor: Int32) -> Int32 { fsync(descriptor) }

    func size(_ descriptor: Int32) -> Int64 {
        var information = stat()
        return fstat(descriptor, &information) == 0 ? Int64(information.st_size) : -1
    }

    func size(path: String) -> Int64 {
        var information = stat()
        return stat(path, &information) == 0 ? Int64(information.st_size) : -1
    }

    func rename(_ from: String, _ to: String) -> Int32 { Glibc.rename(from, to) }

    func link(_ existing: String, _ new: String) -> Int32 { Glibc.link(existing, new) }

    func unlink(_ path: String) -> Int32 { Glibc.unlink(path) }

    func makeDirectory(_ path: String, _ mode: mode_t) -> Int32 { mkdir(path, mode) }

    func removeDirectory(_ path: String) -> Int32 { rmdir(path) }

    func space(_ path: String) -> StoreSpace? {
        var information = statvfs()
        guard statvfs(path, &information) == 0, information.f_blocks > 0 else { return nil }
        let block = UInt64(information.f_frsize)
        return StoreSpace(
            freeBytes: UInt64(information.f_bavail) &* block, totalBytes: UInt64(information.f_blocks) &* block)
    }

    func names(_ directory: String) -> [String]? {
        guard let stream = opendir(directory) else { return nil }
        defer {
            // Closing must not hide why reading failed.
            let code = errno
            closedir(stream)
            errno = code
        }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                // A list that ends too early would hide the newest manifest.
                return errno == 0 ? names : nil
            }
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
    }

    func uniqueName() -> String { "\(getpid()).\(UInt32.random(in: 0 ... .max))" }
}
