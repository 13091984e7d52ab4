import Glibc
import Storage
import Synchronization

/// Files of one test in memory: the store's manifests, epochs and decisions outlive a simulated crash, and end with the test.
final class MemoryFileSystem: FileSystem {
    private struct Contents {
        var files: [String: [UInt8]] = [:]
        var directories: Set<String> = []
    }

    private let contents = Mutex(Contents())

    func writeDurably(_ bytes: [UInt8], to path: String) throws(FileError) {
        contents.withLock { $0.files[path] = bytes }
    }

    func appendDurably(_ bytes: [UInt8], to path: String, at offset: UInt64, isPrivate: Bool) throws(FileError) {
        let isDone = contents.withLock { contents in
            let present = contents.files[path] ?? []
            guard let start = Int(exactly: offset), start <= present.count else { return false }
            contents.files[path] = present[..<start] + bytes
            return true
        }
        if !isDone { throw Self.failure("append to", path, EINVAL) }
    }

    func renameDurably(_ from: String, to: String) throws(FileError) {
        let isDone = contents.withLock { contents in
            guard let bytes = contents.files.removeValue(forKey: from) else { return false }
            contents.files[to] = bytes
            return true
        }
        if !isDone { throw Self.failure("rename", from, ENOENT) }
    }

    func createExclusively(_ bytes: [UInt8], at path: String) throws(FileError) -> Bool {
        contents.withLock { contents in
            if contents.files[path] != nil { return false }
            contents.files[path] = bytes
            return true
        }
    }

    func read(_ path: String) throws(FileError) -> [UInt8] {
        guard let bytes = contents.withLock({ $0.files[path] }) else { throw Self.failure("read", path, ENOENT) }
        return bytes
    }

    func read(_ path: String, from offset: UInt64, count: Int) throws(FileError) -> [UInt8] {
        let bytes = try read(path)
        let start = min(bytes.count, Int(clamping: offset))
        return Array(bytes[start..<min(bytes.count, start + max(0, min(count, bytes.count)))])
    }

    func size(_ path: String) throws(FileError) -> UInt64 { UInt64(try read(path).count) }

    func list(_ directory: String) throws(FileError) -> [String] {
        contents.withLock { contents in
            let prefix = directory + "/"
            let below = (Array(contents.files.keys) + contents.directories).filter { $0.hasPrefix(prefix) }
            return Set(below.map { String($0.dropFirst(prefix.count).prefix { $0 != "/" }) }).sorted()
        }
    }

    func createDirectory(_ path: String) throws(FileError) {
        contents.withLock { _ = $0.directories.insert(path) }
    }

    func remove(_ path: String) throws(FileError) {
        if contents.withLock({ $0.files.removeValue(forKey: path) }) == nil {
            throw Self.failure("remove", path, ENOENT)
        }
    }

    func syncDirectory(_ path: String) throws(FileError) {}

    private static func failure(_ operation: String, _ path: String, _ code: Int32) -> FileError {
        FileError(operation: operation, path: path, code: code, explanation: String(cString: strerror(code)))
    }
}
