/// What a worker asks of its writer.
package protocol GroupWriter: AnyObject, Sendable {
    /// Takes a group; the next one comes only after this one was reported as published.
    func publish(_ group: CommitGroup)
}

/// What became of a commit group.
package enum PublishOutcome: Sendable {
    case published([TaskEntry], milliseconds: Int64)
    /// Nothing was published; the writer tries the same group again by itself.
    case failed(String)
}
