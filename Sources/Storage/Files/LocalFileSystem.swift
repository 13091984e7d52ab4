import Glibc
public import Pipeline

/// The machine's file system.
public struct LocalFileSystem: FileSystem {
    public init() {}

    public func writeDurably(_ bytes: [UInt8], to path: String) throws(FileError) {
        try withFile(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, "write") { descriptor throws(FileError) in
            try writeAll(bytes, descriptor, path)
            if fdatasync(descriptor) != 0 { throw failure("sync", path) }
        }
    }

    public func appendDurably(
        _ bytes: [UInt8], to path: String, at offset: UInt64, isPrivate: Bool
    ) throws(FileError) {
        let mode: mode_t = isPrivate ? 0o600 : 0o644
        try withFile(path, O_WRONLY | O_CREAT | O_CLOEXEC, "append to", mode: mode) { descriptor throws(FileError) in
            var information = stat()
            if fstat(descriptor, &information) != 0 { throw failure("look at", path) }
            // Cutting would fill the gap with zeros, which no reader could tell from data.
            guard UInt64(information.st_size) >= offset else {
                throw FileError(
                    operation: "append to", path: path, code: EINVAL,
                    explanation: "it has \(information.st_size) bytes, \(offset) were written before")
            }
            if ftruncate(descriptor, off_t(offset)) != 0 { throw failure("cut", path) }
            if lseek(descriptor, off_t(offset), SEEK_SET) < 0 { throw failure("seek in", path) }
            try writeAll(bytes, descriptor, path)
            if fdatasync(descriptor) != 0 { throw failure("sync", path) }
        }
        // The name of a new file is made durable too: a manifest will count on it.
        if offset == 0 { try syncDirectory(of: path) }
    }

    public func renameDurably(_ from: String, to: String) throws(FileError) {
        if rename(from, to) != 0 { throw failure("rename", from) }
        try syncDirectory(of: to)
    }

    public func createExclusively(_ bytes: [UInt8], at path: String) throws(FileError) -> Bool {
        let temporary = "\(path).\(getpid()).\(UInt32.random(in: 0 ... .max)).tmp"
        try writeDurably(bytes, to: temporary)
        defer { unlink(temporary) }
        if link(temporary, path) != 0 {
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
                    pread(descriptor, $0.baseAddress! + filled, count - filled, off_t(offset) + off_t(filled))
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
        var information = stat()
        if stat(path, &information) != 0 { throw failure("look at", path) }
        return UInt64(information.st_size)
    }

    public func space(_ path: String) -> StoreSpace? {
        var information = statvfs()
        guard statvfs(path, &information) == 0, information.f_blocks > 0 else { return nil }
        let block = UInt64(information.f_frsize)
        return StoreSpace(
            freeBytes: UInt64(information.f_bavail) &* block, totalBytes: UInt64(information.f_blocks) &* block)
    }

    public func list(_ directory: String) throws(FileError) -> [String] {
        guard let stream = opendir(directory) else {
            if errno == ENOENT { return [] }
            throw failure("list", directory)
        }
        defer { closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                // A list that ends too early would hide the newest manifest.
                if errno != 0 { throw failure("list", directory) }
                break
            }
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    public func createDirectory(_ path: String) throws(FileError) {
        if mkdir(path, 0o755) == 0 { return try syncDirectory(of: path) }
        if errno == EEXIST { return }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
            throw failure("create directory", path)
        }
        try createDirectory(String(path[..<slash]))
        if mkdir(path, 0o755) != 0 && errno != EEXIST { throw failure("create directory", path) }
        try syncDirectory(of: path)
    }

    public func remove(_ path: String) throws(FileError) {
        if unlink(path) != 0 && errno != ENOENT { throw failure("remove", path) }
    }

    // MARK: -

    private func withFile(
        _ path: String, _ flags: Int32, _ operation: String, mode: mode_t = 0o644,
        _ body: (Int32) throws(FileError) -> Void
    ) throws(FileError) {
        var descriptor = open(path, flags, mode)
        if descriptor < 0, errno == ENOENT, flags & O_CREAT != 0, let slash = path.lastIndex(of: "/") {
            try createDirectory(String(path[..<slash]))
            descriptor = open(path, flags, mode)
        }
        guard descriptor >= 0 else { throw failure(operation, path) }
        defer { close(descriptor) }
        try body(descriptor)
    }

    private func writeAll(_ bytes: [UInt8], _ descriptor: Int32, _ path: String) throws(FileError) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress! + written, bytes.count - written) }
            if count < 0 {
                if errno == EINTR { continue }
                throw failure("write", path)
            }
            written += count
        }
    }

    /// A new name survives a crash only when its directory was synced too.
    private func syncDirectory(of path: String) throws(FileError) {
        let directory = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        let descriptor = open(directory.isEmpty ? "/" : directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("open", directory) }
        defer { close(descriptor) }
        if fsync(descriptor) != 0 { throw failure("sync", directory) }
    }

    private func failure(_ operation: String, _ path: String) -> FileError {
        let code = errno
        return FileError(operation: operation, path: path, code: code, explanation: String(cString: strerror(code)))
    }
}
