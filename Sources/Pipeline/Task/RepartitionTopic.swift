/// The internal topic that a repartition writes to. One per sink, used by its writer thread.
package protocol RepartitionTopic: AnyObject, Sendable {
    /// The partitions of the outer topic and of this one, which is made where it is missing.
    func partitionCounts(outer: String) throws -> (outer: Int, inner: Int)
    /// Runs `body` with a writer to the topic.
    func send(_ body: (any RepartitionWriter) throws -> Void) throws
}

/// Writes records to a topic.
package protocol RepartitionWriter {
    /// Hands a record over. Copies the bytes.
    ///
    /// - Parameters:
    ///   - partition: nil for the one that the key says.
    ///   - timestamp: milliseconds since the Unix epoch.
    func send(
        partition: Int32?, key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, timestamp: Int64
    ) throws
    /// Waits until all that was handed over is acknowledged.
    ///
    /// - Throws: where something is not.
    func flush() throws
}
