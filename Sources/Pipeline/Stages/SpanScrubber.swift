public import OTLP

/// A stage that removes or changes sensitive data. Declared anywhere before a sink; applied as late as is safe, so that
/// dropped spans cost nothing: the sampler calls it for the spans it keeps.
///
/// Works on protobuf message bodies. One instance per task, used by one thread.
public protocol SpanScrubber: AnyObject {
    /// Whether some rule can change an attribute with this key: a policy that reads it must see the scrubbed value.
    func canChange(attributeKey: String) -> Bool
    var canChangeSpanName: Bool { get }

    /// Appends the scrubbed body of a `Span` message.
    func scrubSpan(_ message: UnsafeRawBufferPointer, into output: inout [UInt8]) throws(ScanError)
    /// Appends the scrubbed body of a `Resource` message.
    func scrubResource(_ message: UnsafeRawBufferPointer, into output: inout [UInt8]) throws(ScanError)
    /// Appends the scrubbed body of an `InstrumentationScope` message.
    func scrubScope(_ message: UnsafeRawBufferPointer, into output: inout [UInt8]) throws(ScanError)
    /// A span name as it may be shown in summaries and logs.
    func scrubName(_ name: String) -> String

    /// Values changed so far, by rule name.
    var counts: [(rule: String, count: UInt64)] { get }
}
