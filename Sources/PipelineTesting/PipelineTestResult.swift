public import Pipeline

/// An expectation that was not met, or a step that could not be taken.
public struct PipelineTestFailure: Error, Sendable, Equatable {
    public var location: SourceLocation
    /// One sentence: what was expected and what was found.
    public var message: String
    /// Why it is so, as far as the pipeline says: the decision's reason, where spans went.
    public var notes: [String] = []
}

/// What became of one test.
public struct PipelineTestResult: Sendable {
    public var name: String
    public var location: SourceLocation
    public var failures: [PipelineTestFailure]
    /// Time that passed in the test, milliseconds.
    public var simulatedMilliseconds: Int64

    public var hasPassed: Bool { failures.isEmpty }
}
