public import Pipeline

/// The few file operations the store is built from. Injected, so that tests can tear writes, lose un-synced data, fill the
/// disk and crash between any two calls.
///
/// Paths are absolute or relative to the process's working directory. Implementations are used from several threads.
public protocol FileSystem: Sendable {
    /// Creates a file with these bytes and makes them durable (fdatasync) before returning. Replaces an existing file.
    func writeDurably(_ bytes: [UInt8], to path: String) throws(FileError)
    /// Appends and makes durable; creates the file where missing. `offset` is where the bytes must start: a file that is
    /// longer (a torn append of before) is cut first.
    ///
    /// - Parameter isPrivate: a new file can be read by its owner only (mode 0600).
    func appendDurably(_ bytes: [UInt8], to path: String, at offset: UInt64, isPrivate: Bool) throws(FileError)
    /// Renames within the store, then makes the directory entry durable.
    func renameDurably(_ from: String, to: String) throws(FileError)
    /// Publishes a complete file under a name that must not exist yet (link(2)): of two contenders one succeeds.
    ///
    /// - Returns: false when the name exists.
    func createExclusively(_ bytes: [UInt8], at path: String) throws(FileError) -> Bool
    func read(_ path: String) throws(FileError) -> [UInt8]
    /// Reads `count` bytes from `offset`; fewer at the end of the file.
    func read(_ path: String, from offset: UInt64, count: Int) throws(FileError) -> [UInt8]
    func size(_ path: String) throws(FileError) -> UInt64
    /// Names in a directory, sorted; empty where the directory does not exist.
    func list(_ directory: String) throws(FileError) -> [String]
    func createDirectory(_ path: String) throws(FileError)
    func remove(_ path: String) throws(FileError)
    /// Makes the names in a directory durable: also those that another process has put there.
    func syncDirectory(_ path: String) throws(FileError)
    /// Room in the file system that holds a path; nil where it cannot be known.
    func space(_ path: String) -> StoreSpace?
    /// Removes a directory if it is empty; does nothing where it is not, or is gone.
    func removeEmptyDirectory(_ path: String) throws(FileError)
}

extension FileSystem {
    public func space(_ path: String) -> StoreSpace? { nil }
    public func removeEmptyDirectory(_ path: String) throws(FileError) {}
}

/// A file operation failed: which, on what, why.
public struct FileError: Error, Sendable, Equatable, CustomStringConvertible {
    public var operation: String
    public var path: String
    /// The system's error number.
    public var code: Int32
    public var explanation: String

    public init(operation: String, path: String, code: Int32, explanation: String) {
        self.operation = operation
        self.path = path
        self.code = code
        self.explanation = explanation
    }

    public var description: String { "cannot \(operation) \(path): \(explanation)" }
}
