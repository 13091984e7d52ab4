import Glibc
public import Pipeline
import Synchronization

/// The machine's file system.
public struct LocalFileSystem: FileSystem {
    private let calls: any SystemCalls
    private let durable = DurableDirectories()

    /// Directories whose names this process knows to be durable.
    private final class DurableDirectories: Sendable {
        let paths = Mutex<Set<String>>([])
    }

    public init() { calls = KernelCalls() }

    /// Over other system calls than the kernel's: tests crash between any two of them.
    package init(calls: any SystemCalls) { self.calls = calls }

    public func writeDurably(_ bytes: [UInt8], to path: String) throws(FileError) {
        try withFile(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, "write") { descriptor throws(FileError) in
            try writeAll(bytes, descriptor, path)
            #if TAILRACE_MUTATIONS
                if ProtocolMutation.active == .contentsNotSynced { return }
            #endif
            if calls.syncData(descriptor) != 0 { throw failure("sync", path) }
        }
    }

    public func appendDurably(
        _ bytes: [UInt8], to path: String, at offset: UInt64, isPrivate: Bool
    ) throws(FileError) {
        let mode: mode_t = isPrivate ? 0o600 : 0o644
        try withFile(path, O_WRONLY | O_CREAT | O_CLOEXEC, "append to", mode: mode) { descriptor throws(FileError) in
            let size = calls.size(descriptor)
            if size < 0 { throw failure("look at", path) }
            // Cutting would fill the gap with zeros, which no reader could tell from data.
            guard UInt64(size) >= offset else {
                throw FileError(
                    operation: "append to", path: path, code: EINVAL,
                    explanation: "it has \(size) bytes, \(offset) were written before")
            }
            #if TAILRACE_MUTATIONS
                if ProtocolMutation.active == .tornAppendNotCut {
                    _ = calls.seek(descriptor, size)
                    try writeAll(bytes, descriptor, path)
                    _ = calls.syncData(descriptor)
                    return
                }
            #endif
            if calls.truncate(descriptor, Int64(clamping: offset)) != 0 { throw failure("cut", path) }
            if calls.seek(descriptor, Int64(clamping: offset)) < 0 { throw failure("seek in", path) }
            try writeAll(bytes, descriptor, path)
            #if TAILRACE_MUTATIONS
                if ProtocolMutation.active == .appendNotSynced { return }
            #endif
            if calls.syncData(descriptor) != 0 { throw failure("sync", path) }
        }
        // The name of a new file is made durable too: a manifest will count on it.
        if offset == 0 { try syncDirectory(of: path) }
    }

    public func renameDurably(_ from: String, to: String) throws(FileError) {
        if calls.rename(from, to) != 0 { throw failure("rename", from) }
        try syncDirectory(of: to)
    }

    public func createExclusively(_ bytes: [UInt8], at path: String) throws(FileError) -> Bool {
        let temporary = "\(path).\(calls.uniqueName()).tmp"
        try writeDurably(bytes, to: temporary)
        defer { _ = calls.unlink(temporary) }
        if calls.link(temporary, path) != 0 {
            if errno == EEXIST { return false }
            throw failure("create", path)
        }
        try syncDirectory(of: path)
        return true
    }

    public func read(_ path: String) throws(FileError) -> [UInt8] {
        let size = try size(path)
        return try read(path, from: 0, count: Int(clamping: size))
    }

    public func read(_ path: String, from offset: UInt64, count: Int) throws(FileError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        try withFile(path, O_RDONLY | O_CLOEXEC, "read") { descriptor throws(FileError) in
            while filled < count {
                let taken = bytes.withUnsafeMutableBytes {
                    calls.read(
                        descriptor, UnsafeMutableRawBufferPointer(rebasing: $0[filled...]),
                        Int64(clamping: offset) + Int64(filled))
                }
                if taken < 0 {
                    if errno == EINTR { continue }
                    throw failure("read", path)
                }
                if taken == 0 { break }
                filled += taken
            }
        }
        if filled < count { bytes.removeLast(count - filled) }
        return bytes
    }

    public func size(_ path: String) throws(FileError) -> UInt64 {
        let size = calls.size(path: path)
        if size < 0 { throw failure("look at", path) }
        return UInt64(size)
    }

    public func space(_ path: String) -> StoreSpace? {
        calls.space(path)
    }

    public func list(_ directory: String) throws(FileError) -> [String] {
        guard let names = calls.names(directory) else {
            if errno == ENOENT { return [] }
            throw failure("list", directory)
        }
        return names.sorted()
    }

    public func createDirectory(_ path: String) throws(FileError) {
        if calls.makeDirectory(path, 0o755) == 0 { return try syncDirectory(of: path) }
        if errno == EEXIST {
            #if TAILRACE_MUTATIONS
                if ProtocolMutation.active == .foundDirectoryNotSynced { return }
            #endif
            // Whoever made it may have died before its name was durable.
            do throws(FileError) {
                try syncDirectory(of: path)
            } catch {
                // Somebody else's directory, above the store: it was there before us.
                if error.code != EACCES { throw error }
            }
            return
        }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
            throw failure("create directory", path)
        }
        try createDirectory(String(path[..<slash]))
        if calls.makeDirectory(path, 0o755) != 0 && errno != EEXIST { throw failure("create directory", path) }
        try syncDirectory(of: path)
    }

    public func remove(_ path: String) throws(FileError) {
        if calls.unlink(path) != 0 && errno != ENOENT { throw failure("remove", path) }
    }

    public func removeEmptyDirectory(_ path: String) throws(FileError) {
        if calls.removeDirectory(path) != 0, errno != ENOENT, errno != ENOTEMPTY, errno != EEXIST {
            throw failure("remove", path)
        }
    }

    // MARK: -

    private func withFile(
        _ path: String, _ flags: Int32, _ operation: String, mode: mode_t = 0o644,
        _ body: (Int32) throws(FileError) -> Void
    ) throws(FileError) {
        var descriptor: Int32 = -1
        if flags & O_CREAT != 0, let slash = path.lastIndex(of: "/"), slash != path.startIndex {
            // A file is durable only where its directory is, and another process may have made that and died, or this one
            // may have failed to sync it.
            let directory = String(path[..<slash])
            if !durable.paths.withLock({ $0.contains(directory) }) {
                try createDirectory(directory)
                durable.paths.withLock { _ = $0.insert(directory) }
            }
            descriptor = calls.open(path, flags, mode)
            if descriptor < 0, errno == ENOENT {
                try createDirectory(directory)
                descriptor = calls.open(path, flags, mode)
            }
        } else {
            descriptor = calls.open(path, flags, mode)
        }
        guard descriptor >= 0 else { throw failure(operation, path) }
        defer { calls.close(descriptor) }
        try body(descriptor)
    }

    private func writeAll(_ bytes: [UInt8], _ descriptor: Int32, _ path: String) throws(FileError) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes {
                calls.write(descriptor, UnsafeRawBufferPointer(rebasing: $0[written...]))
            }
            if count < 0 {
                if errno == EINTR { continue }
                throw failure("write", path)
            }
            written += count
        }
    }

    /// A new name survives a crash only when its directory was synced too.
    private func syncDirectory(of path: String) throws(FileError) {
        #if TAILRACE_MUTATIONS
            if ProtocolMutation.active == .directoryNotSynced { return }
        #endif
        let directory = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        try syncDirectory(directory.isEmpty ? "/" : directory)
    }

    public func syncDirectory(_ directory: String) throws(FileError) {
        let descriptor = calls.open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
        guard descriptor >= 0 else { throw failure("open", directory) }
        defer { calls.close(descriptor) }
        if calls.sync(descriptor) != 0 { throw failure("sync", directory) }
    }

    private func failure(_ operation: String, _ path: String) -> FileError {
        let code = errno
        return FileError(operation: operation, path: path, code: code, explanation: String(cString: strerror(code)))
    }
}
