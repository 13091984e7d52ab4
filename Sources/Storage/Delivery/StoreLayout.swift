/// Where things are in a store directory.
///
/// ```
/// store/
///   epochs/<partition>/<epoch>          who owns a partition since when, and what it takes over from its predecessor
///   manifests/<incarnation>/<seq>       what each flush made durable: the commit points
///   decisions/<incarnation>/<n>.log     decisions, appended
///   segments/<incarnation>/<seq>.seg    kept traces
///   deadletter/                         what could not be read (mode 0600: it is raw)
///   retries/                            what became of dead letters that were tried again
///   workers/<incarnation>.lock          held by a running worker
///   quarantine/                         what a repair put aside
/// ```
public struct StoreLayout: Sendable {
    public let root: String

    public init(root: String) {
        self.root = root.count > 1 && root.hasSuffix("/") ? String(root.dropLast()) : root
    }

    public var epochs: String { root + "/epochs" }
    public var manifests: String { root + "/manifests" }
    public var decisions: String { root + "/decisions" }
    public var segments: String { root + "/segments" }
    public var deadLetters: String { root + "/deadletter" }
    /// What became of dead letters that were tried again.
    public var retries: String { root + "/retries" }
    /// One lock file per running worker process.
    public var workers: String { root + "/workers" }
    /// What `tailrace store verify --repair` put aside.
    public var quarantine: String { root + "/quarantine" }

    /// An absolute path for one that a manifest names.
    public func path(_ relative: String) -> String { root + "/" + relative }
}
