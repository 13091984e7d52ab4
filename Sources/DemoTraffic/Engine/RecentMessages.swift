import TraceModel

/// The last messages sent, for batch consumers in later traces to link to.
struct RecentMessages: Sendable {
    private static let limit = 32
    private var links: [SpanLink] = []

    mutating func add(_ sent: [SpanLink]) {
        links.append(contentsOf: sent)
        if links.count > Self.limit { links.removeFirst(links.count - Self.limit) }
    }

    /// Hands the messages out; each is polled once.
    mutating func take() -> [SpanLink] {
        defer { links.removeAll(keepingCapacity: true) }
        return links
    }
}
