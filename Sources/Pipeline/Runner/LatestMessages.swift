/// The latest of many messages, for status pages: what may come without end is not kept without end.
struct LatestMessages: Sendable {
    private let limit: Int
    private var latest: [String] = []
    private var earlier = 0

    init(limit: Int) { self.limit = limit }

    mutating func append(_ message: String) {
        latest.append(message)
        guard latest.count > limit else { return }
        latest.removeFirst()
        earlier += 1
    }

    /// Oldest first; where there were more, the first says how many.
    var lines: [String] { earlier == 0 ? latest : ["\(earlier) earlier ones are in the log"] + latest }
}
