/// A temporary file that holds parts of the window while memory is short. Never truth: what it holds is in Kafka too.
///
/// Injected, so that tests can fill the disk and break it. Used by one thread; goes when it is released.
package protocol SpillFile: AnyObject {
    /// Writes all bytes at a position.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(SpillError)
    /// Reads up to `bytes.count` bytes; fewer at the end of the file.
    ///
    /// - Returns: how many were read.
    func read(into bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws(SpillError) -> Int
    /// Gives the disk space of a part back, where the file system can do that.
    func discard(at offset: Int, count: Int)
}

/// Makes spill files.
package protocol SpillFileSource: AnyObject {
    /// - Throws: where no file can be made, or the disk has too little space left for the store to go on.
    func make() throws(SpillError) -> any SpillFile
}

/// A spill file could not be used: which operation, where, and the system's explanation.
public struct SpillError: Error, Sendable, Equatable, CustomStringConvertible {
    public var operation: String
    public var path: String
    public var explanation: String

    public init(operation: String, path: String, explanation: String) {
        self.operation = operation
        self.path = path
        self.explanation = explanation
    }

    public var description: String { "cannot \(operation) \(path): \(explanation)" }
}
