import OTLP

/// What `POST /admin/reload` answers: 200 where everything was taken over, 422 where something was refused.
public struct ReloadAnswer: Sendable {
    /// One pipeline of the process.
    public struct Pipeline: Sendable {
        public var name: String
        public var isAccepted: Bool
        /// Of the configuration in force.
        public var generation: Int
        public var changed: [String]
        public var added: [String]
        public var removed: [String]
        /// Why it was refused; the old configuration goes on.
        public var problems: [String]

        public init(
            name: String, isAccepted: Bool, generation: Int, changed: [String] = [], added: [String] = [],
            removed: [String] = [], problems: [String] = []
        ) {
            self.name = name
            self.isAccepted = isAccepted
            self.generation = generation
            self.changed = changed
            self.added = added
            self.removed = removed
            self.problems = problems
        }
    }

    public var pipelines: [Pipeline]

    public init(pipelines: [Pipeline]) { self.pipelines = pipelines }

    public var isAccepted: Bool { pipelines.allSatisfy(\.isAccepted) }

    var json: [UInt8] {
        var json = JSONWriter()
        json.object { json in
            json.member("accepted", isAccepted)
            json.key("pipelines")
            json.array { json in
                for pipeline in pipelines {
                    json.object { json in
                        json.member("pipeline", pipeline.name)
                        json.member("accepted", pipeline.isAccepted)
                        json.member("generation", pipeline.generation)
                        for (key, names) in [
                            ("changed", pipeline.changed), ("added", pipeline.added), ("removed", pipeline.removed),
                            ("problems", pipeline.problems),
                        ] {
                            json.key(key)
                            json.array { json in for name in names { json.string(name) } }
                        }
                    }
                }
            }
        }
        return json.bytes
    }
}
