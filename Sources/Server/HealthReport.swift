/// Whether a process can do its work, and the state of everything it depends on.
public struct HealthReport: Sendable {
    public struct Dependency: Sendable {
        public var name: String
        /// A word for machines: `ok`, `degraded`, `down`.
        public var state: String
        /// One sentence for people; may be empty.
        public var detail: String

        public init(name: String, state: String, detail: String = "") {
            self.name = name
            self.state = state
            self.detail = detail
        }
    }

    public var isReady: Bool
    public var dependencies: [Dependency]

    public init(ready: Bool, dependencies: [Dependency] = []) {
        isReady = ready
        self.dependencies = dependencies
    }
}
