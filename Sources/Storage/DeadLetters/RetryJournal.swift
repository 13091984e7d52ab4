import Glibc
import OTLP

/// What became of dead letters that were tried again. Dead-letter files are never rewritten, since workers append to them:
/// a letter is on the list while this journal does not say that it was sent.
///
/// One line is appended and made durable per attempt, after the broker's acknowledgement. A crash between the two sends the
/// letter once more with the next retry; its spans are merged as duplicates. One process at a time, by a lock.
public final class RetryJournal {
    /// What is known of one letter.
    public struct State: Sendable, Equatable {
        public var failedAttempts = 0
        public var isSent = false
        /// Why the last attempt failed; empty where none did.
        public var lastReason = ""

        public init() {}
    }

    /// One attempt.
    public struct Attempt: Sendable {
        public var id: String
        public var isSent: Bool
        /// Why it failed, or where it was sent.
        public var note: String
        /// Milliseconds since the Unix epoch.
        public var time: Int64

        public init(id: String, isSent: Bool, note: String, time: Int64) {
            self.id = id
            self.isSent = isSent
            self.note = note
            self.time = time
        }
    }

    public private(set) var states: [String: State] = [:]
    private let path: String
    private let fileSystem: any FileSystem
    private var length: UInt64 = 0
    private let lock: FileLock?

    private init(path: String, fileSystem: any FileSystem, lock: FileLock?) throws {
        self.path = path
        self.fileSystem = fileSystem
        self.lock = lock
        let bytes: [UInt8]
        do throws(FileError) { bytes = try fileSystem.read(path) } catch {
            if error.code == ENOENT { return }
            throw error
        }
        // A torn last line is overwritten by the next attempt.
        let whole = (bytes.lastIndex(of: 0x0a) ?? -1) + 1
        length = UInt64(whole)
        for line in bytes[..<whole].split(separator: 0x0a) { replay(Array(line)) }
    }

    /// Reads the journal of a store; for listing.
    public static func read(
        layout: StoreLayout, fileSystem: any FileSystem = LocalFileSystem()
    ) throws -> RetryJournal {
        try RetryJournal(path: layout.retries + "/journal.jsonl", fileSystem: fileSystem, lock: nil)
    }

    /// Opens the journal for a retry. Nil where another process retries at the moment.
    public static func open(layout: StoreLayout, fileSystem: any FileSystem = LocalFileSystem()) throws -> RetryJournal?
    {
        guard let lock = try FileLock.acquire(layout.retries + "/lock") else { return nil }
        return try RetryJournal(path: layout.retries + "/journal.jsonl", fileSystem: fileSystem, lock: lock)
    }

    /// Makes the attempts durable, all or (after a crash) the first of them.
    public func append(_ attempts: [Attempt]) throws {
        if attempts.isEmpty { return }
        precondition(lock != nil, "a journal that was opened for reading is not written")
        var json = JSONWriter()
        for attempt in attempts {
            json.object {
                $0.member("id", attempt.id)
                $0.member("outcome", attempt.isSent ? "sent" : "failed")
                $0.member("note", attempt.note)
                $0.member("at_ms", attempt.time)
            }
            json.endLine()
        }
        try fileSystem.appendDurably(json.bytes, to: path, at: length, isPrivate: true)
        length += UInt64(json.bytes.count)
        for attempt in attempts { count(attempt) }
    }

    private func count(_ attempt: Attempt) {
        var state = states[attempt.id] ?? State()
        if attempt.isSent {
            state.isSent = true
        } else {
            state.failedAttempts += 1
            state.lastReason = attempt.note
        }
        states[attempt.id] = state
    }

    private func replay(_ line: [UInt8]) {
        var attempt = Attempt(id: "", isSent: false, note: "", time: 0)
        let isRead = line.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return false }
            var reader = JSONReader(base: base, count: buffer.count)
            do {
                try reader.beginObject()
                while try reader.nextKey() {
                    if reader.keyIs("id") {
                        attempt.id = try DeadLetter.text(&reader)
                    } else if reader.keyIs("outcome") {
                        attempt.isSent = try DeadLetter.text(&reader) == "sent"
                    } else if reader.keyIs("note") {
                        attempt.note = try DeadLetter.text(&reader)
                    } else if reader.keyIs("at_ms") {
                        attempt.time = try reader.int64()
                    } else {
                        try reader.skipValue()
                    }
                }
                return !attempt.id.isEmpty
            } catch { return false }
        }
        // A line that cannot be read costs at most one more attempt.
        if isRead { count(attempt) }
    }
}
