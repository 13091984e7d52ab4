import Glibc
public import Pipeline
import Synchronization

/// The durable length of a file that only grows; shared by the flushes of one sink.
public final class FileLength: Sendable {
    private let value: Mutex<UInt64>

    public init(_ value: UInt64) { self.value = Mutex(value) }

    var current: UInt64 { value.withLock { $0 } }

    func advance(to length: UInt64) { value.withLock { $0 = length } }
}

/// Appends bytes to a file. Safe to repeat: a torn append is cut off first, a completed one is not done again.
public final class AppendFlush: SinkFlush {
    private let bytes: [UInt8]
    private let path: String
    private let length: FileLength
    private let isPrivate: Bool
    private let fileSystem: any FileSystem
    private let isDone = Mutex(false)

    public init(bytes: [UInt8], path: String, length: FileLength, isPrivate: Bool, fileSystem: any FileSystem) {
        self.bytes = bytes
        self.path = path
        self.length = length
        self.isPrivate = isPrivate
        self.fileSystem = fileSystem
    }

    public func perform() throws -> [SegmentReference] {
        try isDone.withLock { isDone in
            if isDone { return }
            // Shorter than what was written: somebody moved the file away, and a new one begins.
            let start = min(length.current, try presentSize())
            try fileSystem.appendDurably(bytes, to: path, at: start, isPrivate: isPrivate)
            length.advance(to: start + UInt64(bytes.count))
            isDone = true
        }
        return []
    }

    private func presentSize() throws(FileError) -> UInt64 {
        do throws(FileError) {
            return try fileSystem.size(path)
        } catch {
            if error.code == ENOENT { return 0 }
            throw error
        }
    }
}
