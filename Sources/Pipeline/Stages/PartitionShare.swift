import Synchronization

/// Which part of a topic this process reads. Sources say it, stages that measure whole traffic read it. Thread-safe.
public final class PartitionShare: Sendable {
    public static let name = "partition share"

    private let shares = Mutex<[String: Double]>([:])

    public init() {}

    public func note(topic: String, assigned: Int, of total: Int) {
        guard total > 0, assigned > 0 else { return }
        shares.withLock { $0[topic] = min(1, Double(assigned) / Double(total)) }
    }

    /// In (0, 1]; 1 where no source has said anything.
    public func share(of topic: String) -> Double { shares.withLock { $0[topic] } ?? 1 }
}
