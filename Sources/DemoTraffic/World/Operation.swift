import TraceModel

/// One thing that services do, and the span or spans it makes. The shop is a table of these.
struct Operation: Sendable {
    /// Which spans an operation makes, and with which attributes.
    enum Shape: Sendable {
        /// A client span at the caller and a server span at the owner. `route` is `http.route`.
        case http(method: String, route: String, path: Template, query: Template?)
        /// The same by gRPC.
        case grpc(service: String, method: String)
        /// One span inside its owner.
        case work
        /// One client span at the caller; the database makes none.
        case sql(Store, operation: String, table: String, text: Template)
        case redis(Store, command: String, text: Template)
        case search(text: Template)
        /// One client span at the caller; the other side belongs to someone else.
        case external(Store, method: String, path: String)
        /// One producer span at the caller; its steps are the consumers, which begin when it is done.
        case topic
        /// One consumer span at the owner, for one message.
        case consumer(topic: String)
        /// A root consumer span for a polled batch, linked to the messages' producers.
        case batchConsumer(topic: String)
    }

    /// Unique, "service.Name"; steps refer to operations by it.
    var id: String
    /// Nil where the caller's service makes the span.
    var owner: ServiceID?
    var shape: Shape
    var name: String
    /// Time spent in the operation itself, without its steps.
    var own: Latency
    var attributes: [AttributeTemplate] = []
    /// Log-like events, at some time within the span.
    var events: [EventTemplate] = []
    /// What can go wrong here, with weights.
    var faults: [(Fault, Double)] = []
    /// Whether a slow trace may get slow here.
    var canBeSlow = false
    var steps: [Step] = []

    /// What it suffers from when that is slow.
    var dependency: Dependency? {
        switch shape {
        case .sql(let store, _, _, _), .redis(let store, _, _), .external(let store, _, _): .store(store)
        case .search: .store(.searchIndex)
        case .topic: .store(.broker)
        case .http, .grpc, .work, .consumer, .batchConsumer: owner.map { .service($0) }
        }
    }

    /// The kind of instrumentation that makes the span (the server's for calls).
    var library: Library {
        switch shape {
        case .http: .httpServer
        case .grpc: .rpc
        case .work: .own
        case .sql: .sql
        case .redis: .redis
        case .search: .search
        case .external: .httpClient
        case .topic, .consumer, .batchConsumer: .kafka
        }
    }

    /// Whether it has a client span and a server span.
    var isCall: Bool {
        switch shape {
        case .http, .grpc: true
        default: false
        }
    }
}

/// An event with attributes from the visit.
struct EventTemplate: Sendable {
    var name: String
    var attributes: [AttributeTemplate]
}

/// One line of an operation: what it calls.
struct Step: Sendable {
    enum Target: Sendable {
        case operation(String)
        /// All begin at once; the step ends with the last of them.
        case concurrently([Step])
    }

    var target: Target
    /// How often the step happens at all.
    var probability = 1.0
    /// How many times in a row, each with another product.
    var times: ClosedRange<Int> = 1...1
    /// `bulkiness` applies to `times`.
    var isBulk = false
    /// Once per message of the polled batch, whatever `times` says.
    var isPerMessage = false
    /// Further attempts after a fault that may pass.
    var retries = 0
    /// The caller can do without the answer.
    var isOptional = false

    static func call(
        _ id: String, _ probability: Double = 1, times: ClosedRange<Int> = 1...1, bulk: Bool = false, retries: Int = 0,
        optional: Bool = false
    ) -> Step {
        Step(
            target: .operation(id), probability: probability, times: times, isBulk: bulk, retries: retries,
            isOptional: optional)
    }

    static func perMessage(_ id: String) -> Step { Step(target: .operation(id), isPerMessage: true) }

    static func concurrently(_ steps: Step...) -> Step { Step(target: .concurrently(steps)) }
}

extension Operation {
    static func http(
        _ id: String, _ owner: ServiceID, _ method: String, _ route: String, path: String, query: String? = nil,
        ms: Double, attributes: [AttributeTemplate] = [],
        faults: [(Fault, Double)] = [(.internalError, 0.3)], steps: [Step]
    ) -> Operation {
        Operation(
            id: id, owner: owner,
            shape: .http(method: method, route: route, path: Template(path), query: query.map(Template.init)),
            name: "\(method) \(route)", own: Latency(milliseconds: ms), attributes: attributes, faults: faults,
            canBeSlow: false, steps: steps)
    }

    /// `id` is "service.Method"; the full name is made of it.
    static func grpc(
        _ id: String, _ owner: ServiceID, ms: Double, attributes: [AttributeTemplate] = [],
        faults: [(Fault, Double)] = [(.unavailable, 1), (.internalError, 0.5)], slow: Bool = false, steps: [Step] = []
    ) -> Operation {
        let method = String(id[id.index(after: id.lastIndex(of: ".") ?? id.startIndex)...])
        let service = "shop.\(owner.name).v1.\(owner.name.prefix(1).uppercased())\(owner.name.dropFirst())Service"
        return Operation(
            id: id, owner: owner, shape: .grpc(service: service, method: method), name: "\(service)/\(method)",
            own: Latency(milliseconds: ms), attributes: attributes, faults: faults, canBeSlow: slow, steps: steps)
    }

    static func work(
        _ id: String, _ owner: ServiceID, _ name: String, ms: Double, attributes: [AttributeTemplate] = [],
        events: [EventTemplate] = [], faults: [(Fault, Double)] = [], steps: [Step] = []
    ) -> Operation {
        Operation(
            id: id, owner: owner, shape: .work, name: name, own: Latency(milliseconds: ms), attributes: attributes,
            events: events, faults: faults, steps: steps)
    }

    static func sql(
        _ id: String, _ store: Store, _ operation: String, _ table: String, _ text: String, ms: Double = 2.2,
        rows: ClosedRange<Int> = 1...1, slow: Bool = true
    ) -> Operation {
        var faults: [(Fault, Double)] = [(.timeout, 1), (.unavailable, 0.2)]
        if operation != "SELECT" { faults.append((.deadlock, 0.8)) }
        return Operation(
            id: id, shape: .sql(store, operation: operation, table: table, text: Template(text)),
            name: "\(operation) \(table)", own: Latency(milliseconds: ms, sigma: 0.6),
            attributes: operation == "SELECT" ? [.int("db.response.returned_rows", rows)] : [], faults: faults,
            canBeSlow: slow)
    }

    static func redis(_ id: String, _ store: Store, _ command: String, _ text: String) -> Operation {
        Operation(
            id: id, shape: .redis(store, command: command, text: Template(text)), name: command,
            own: Latency(milliseconds: 0.45, sigma: 0.5), faults: [(.timeout, 0.3), (.unavailable, 0.2)])
    }

    static func external(
        _ id: String, _ store: Store, _ method: String, _ path: String, ms: Double,
        faults: [(Fault, Double)] = [(.timeout, 1), (.unavailable, 0.6), (.rateLimited, 0.8)]
    ) -> Operation {
        Operation(
            id: id, shape: .external(store, method: method, path: path), name: method,
            own: Latency(milliseconds: ms, sigma: 0.4), faults: faults, canBeSlow: true)
    }

    /// `id` is the topic's name.
    static func topic(_ id: String, consumers: [String]) -> Operation {
        Operation(
            id: id, shape: .topic, name: "send \(id)", own: Latency(milliseconds: 1.8, sigma: 0.6),
            faults: [(.timeout, 0.2)], steps: consumers.map { .call($0) })
    }

    static func consumer(
        _ id: String, _ owner: ServiceID, topic: String, ms: Double,
        faults: [(Fault, Double)] = [(.internalError, 0.4)],
        steps: [Step]
    ) -> Operation {
        Operation(
            id: id, owner: owner, shape: .consumer(topic: topic), name: "process \(topic)",
            own: Latency(milliseconds: ms), faults: faults, steps: steps)
    }
}
