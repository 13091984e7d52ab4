import TraceModel

// The attributes of the semantic conventions that do not change from span to span. The rest is added by `TraceBuilder`.

extension Operation {
    /// Of the span at the caller: the client's, the producer's.
    var fixedClientAttributes: [Attribute] {
        switch shape {
        case .http(let method, _, _, _):
            [.text("http.request.method", method)] + serverAddress
        case .grpc:
            rpc + serverAddress
        case .sql(let store, let operation, let table, _):
            [
                .text("db.system.name", "postgresql"), .text("db.namespace", store.namespace),
                .text("db.operation.name", operation), .text("db.collection.name", table),
            ] + Self.address(store.address, store.port)
        case .redis(let store, let command, _):
            [
                .text("db.system.name", "redis"), .text("db.namespace", store.namespace),
                .text("db.operation.name", command),
            ] + Self.address(store.address, store.port)
        case .search:
            [
                .text("db.system.name", "elasticsearch"), .text("db.operation.name", "search"),
                .text("db.collection.name", "products"), .text("http.request.method", "POST"),
                .text("url.full", "http://search-index.shop.internal:9200/products/_search"),
            ] + Self.address(Store.searchIndex.address, Store.searchIndex.port)
        case .external(let store, let method, let path):
            [
                .text("http.request.method", method), .text("url.full", "https://\(store.address)\(path)"),
                .text("network.protocol.version", "1.1"),
            ] + Self.address(store.address, store.port)
        case .topic:
            messaging(topic: id, operation: "send", type: "send")
        case .work, .consumer, .batchConsumer:
            []
        }
    }

    /// Of the span at the owner: the server's, the consumer's, its own work's.
    var fixedServerAttributes: [Attribute] {
        switch shape {
        case .http(let method, let route, _, _):
            [
                .text("http.request.method", method), .text("http.route", route),
                .text("url.scheme", owner == .gateway ? "https" : "http"),
                .text("network.protocol.version", owner == .gateway ? "2" : "1.1"),
            ] + serverAddress
        case .grpc:
            rpc + serverAddress
        case .consumer(let topic):
            messaging(topic: topic, operation: "process", type: "process")
                + [.text("messaging.consumer.group.name", owner?.name ?? "")]
        case .batchConsumer(let topic):
            messaging(topic: topic, operation: "poll", type: "receive")
                + [.text("messaging.consumer.group.name", owner?.name ?? "")]
        case .work, .sql, .redis, .search, .external, .topic:
            []
        }
    }

    /// Where an HTTP call goes to, without path.
    var baseURL: String {
        guard let owner else { return "" }
        return owner == .gateway ? "https://shop.example.com" : "http://\(owner.name):\(owner.port)"
    }

    private var serverAddress: [Attribute] {
        guard let owner else { return [] }
        return Self.address(owner == .gateway ? "shop.example.com" : owner.name, owner.port)
    }

    private var rpc: [Attribute] {
        guard case .grpc(let service, let method) = shape else { return [] }
        return [.text("rpc.system", "grpc"), .text("rpc.service", service), .text("rpc.method", method)]
    }

    private func messaging(topic: String, operation: String, type: String) -> [Attribute] {
        [
            .text("messaging.system", "kafka"), .text("messaging.destination.name", topic),
            .text("messaging.operation.name", operation), .text("messaging.operation.type", type),
        ] + Self.address(Store.broker.address, Store.broker.port)
    }

    private static func address(_ address: String, _ port: Int) -> [Attribute] {
        [.text("server.address", address), Attribute("server.port", .int(Int64(port)))]
    }
}

extension Attribute {
    static func text(_ key: String, _ value: String) -> Attribute { Attribute(key, .string(value)) }
    static func int(_ key: String, _ value: Int) -> Attribute { Attribute(key, .int(Int64(value))) }
}
