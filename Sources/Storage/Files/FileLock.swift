import Glibc
import Synchronization

/// A lock on a file that the system gives back when the process ends, however it ends: flock(2).
///
/// Works between processes of one machine, and on network file systems that support flock. Thread-safe.
public final class FileLock: Sendable {
    private let descriptor: Mutex<Int32>
    private let path: String

    private init(descriptor: Int32, path: String) {
        self.descriptor = Mutex(descriptor)
        self.path = path
    }

    deinit { close() }

    /// Takes the lock; creates the file, and its directory, where missing. Nil where somebody else has it.
    public static func acquire(_ path: String) throws(FileError) -> FileLock? {
        if let slash = path.lastIndex(of: "/") { try LocalFileSystem().createDirectory(String(path[..<slash])) }
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure("open", path) }
        if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return FileLock(descriptor: descriptor, path: path) }
        let isTaken = errno == EWOULDBLOCK
        let error = failure("lock", path)
        Glibc.close(descriptor)
        if isTaken { return nil }
        throw error
    }

    /// Whether somebody has the lock now; false where the file is missing.
    public static func isHeld(_ path: String) throws(FileError) -> Bool {
        let descriptor = open(path, O_RDWR | O_CLOEXEC)
        if descriptor < 0 {
            if errno == ENOENT { return false }
            throw failure("open", path)
        }
        defer { Glibc.close(descriptor) }
        if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return false }
        if errno == EWOULDBLOCK { return true }
        throw failure("lock", path)
    }

    /// Gives the lock back and removes the file. Idempotent.
    public func release() {
        if descriptor.withLock({ $0 >= 0 }) { unlink(path) }
        close()
    }

    private func close() {
        descriptor.withLock { descriptor in
            if descriptor >= 0 { Glibc.close(descriptor) }
            descriptor = -1
        }
    }

    private static func failure(_ operation: String, _ path: String) -> FileError {
        let code = errno
        return FileError(operation: operation, path: path, code: code, explanation: String(cString: strerror(code)))
    }
}

/// Which worker processes use a store: each holds a lock on a file of its own.
public struct WorkerLocks: Sendable {
    private let layout: StoreLayout

    public init(layout: StoreLayout) { self.layout = layout }

    /// Marks an incarnation as running, until the lock is released or the process ends.
    public func acquire(_ incarnation: String) throws(FileError) -> FileLock {
        let path = path(incarnation)
        guard let lock = try FileLock.acquire(path) else {
            throw FileError(
                operation: "lock", path: path, code: EWOULDBLOCK, explanation: "another process has this incarnation")
        }
        return lock
    }

    /// Incarnations whose process runs.
    public func running() throws(FileError) -> Set<String> {
        var running: Set<String> = []
        for name in try LocalFileSystem().list(layout.workers) where name.hasSuffix(".lock") {
            if try FileLock.isHeld(layout.workers + "/" + name) { running.insert(String(name.dropLast(5))) }
        }
        return running
    }

    /// Lock files of processes that were killed. Harmless; a repair removes them.
    public func stale() throws(FileError) -> [String] {
        var stale: [String] = []
        for name in try LocalFileSystem().list(layout.workers) where name.hasSuffix(".lock") {
            if try !FileLock.isHeld(layout.workers + "/" + name) { stale.append("workers/" + name) }
        }
        return stale
    }

    private func path(_ incarnation: String) -> String { "\(layout.workers)/\(incarnation).lock" }
}
