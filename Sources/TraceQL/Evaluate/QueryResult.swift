/// What a query found in one trace.
package struct QueryResult: Equatable, Sendable {
    /// Empty when the trace does not match.
    package var spansets: [Spanset]

    package var isMatch: Bool { !spansets.isEmpty }
}

/// Spans of one trace that belong together, with what groups and aggregates say about them.
package struct Spanset: Equatable, Sendable {
    package struct Attribute: Equatable, Sendable {
        /// The canonical text of what was computed: `by(name)`, `avg(duration)`.
        package var name: String
        package var value: QueryValue
    }

    /// Indices into the `QueryTrace`, ascending.
    package var spans: [Int]
    package var attributes: [Attribute]
}
