import TraceModel

// Opening and closing spans, and the attributes that change from span to span.

extension TraceBuilder {
    enum Side {
        case client
        case server
    }

    /// Begins a span; `close` ends it.
    mutating func open(
        _ operation: Operation, _ kind: SpanKind, instance: Int, parent: Frame?, at time: UInt64
    ) -> Frame {
        let spanID = SpanID(max(random.next(), 1))
        let isHTTPClient = kind == .client && operation.library == .httpServer
        let name =
            if isHTTPClient, case .http(let method, _, _, _) = operation.shape { method } else { operation.name }
        // W3C flags: sampled; OTLP adds "it is known whether the parent is remote" and "it is".
        let flags: UInt32 = parent?.isRemote == true ? 0x301 : 0x101
        let started = skewed(time, instance)
        let span = Span(
            traceID: traceID, spanID: spanID, parentSpanID: parent?.spanID ?? SpanID(0), flags: flags, name: name,
            kind: kind, startTime: started, endTime: started)
        drafts.append(
            Draft(span: span, instance: instance, library: isHTTPClient ? .httpClient : operation.library, end: time))
        return Frame(draft: drafts.count - 1, instance: instance, spanID: spanID)
    }

    /// Ends a span with its outcome. `isOrigin` tells where the fault happened, as opposed to where it passes by.
    mutating func close(
        _ frame: Frame, _ operation: Operation, side: Side, at end: UInt64, fault: Fault?, isOrigin: Bool
    ) {
        let ended = skewed(end, frame.instance)
        drafts[frame.draft].end = end
        drafts[frame.draft].span.endTime = ended
        setStatusCode(frame.draft, operation, side: side, fault: fault)
        guard let fault else { return }
        // A server's span is an error only for what is the server's fault; a client's is for whatever it did not get.
        let isError = side == .client || !operation.isCall || fault.isServerError
        let isThrown = isOrigin || (side == .server && random.chance(0.5))
        if isThrown { addException(frame, operation, fault, at: ended) }
        guard isError else { return }
        // The conventions leave the message out where the HTTP status says it all.
        let isExplained = !isOrigin && operation.library == .httpServer
        drafts[frame.draft].span.status = SpanStatus(code: .error, message: isExplained ? "" : fault.message)
        let errorType: String =
            switch operation.shape {
            case .http: String(fault.httpStatus)
            case .grpc: fault.grpcStatus.name
            case .sql: fault.sqlState
            case .external where fault == .rateLimited: String(fault.httpStatus)
            default: language(of: frame).exceptionType(fault)
            }
        drafts[frame.draft].span.attributes.append(.text("error.type", errorType))
    }

    private func language(of frame: Frame) -> Language { world.instances[frame.instance].service.language }

    private func skewed(_ time: UInt64, _ instance: Int) -> UInt64 {
        let skew = world.instances[instance].skew
        return skew >= 0 ? time &+ UInt64(skew) : time - min(time, skew.magnitude)
    }

    // MARK: Attributes

    mutating func setClientAttributes(_ draft: Int, _ index: Int, _ operation: Operation, attempt: Int) {
        let fixed = world.clientAttributes[index]
        let own = operation.isCall ? [] : operation.attributes
        var attributes: [Attribute] = []
        attributes.reserveCapacity(fixed.count + own.count + 4)
        attributes += fixed
        switch operation.shape {
        case .http(_, _, let path, let query):
            attributes.append(.text("url.full", operation.baseURL + pathAndQuery(path, query, draft)))
            if attempt > 0 { attributes.append(.int("http.request.resend_count", attempt)) }
        case .external:
            if attempt > 0 { attributes.append(.int("http.request.resend_count", attempt)) }
        case .grpc:
            if attempt > 0 {
                let key = "rpc.grpc.request.metadata.grpc-previous-rpc-attempts"
                attributes.append(Attribute(key, .array([.string(String(attempt))])))
            }
        case .sql(_, _, _, let text), .redis(_, _, let text), .search(let text):
            attributes.append(Attribute("db.query.text", text.value(for: visit)))
            if text.isPersonal { drafts[draft].isPersonal = true }
        case .topic:
            attributes.append(Attribute("messaging.client.id", world.instances[drafts[draft].instance].clientID))
            addMessage(to: &attributes)
        case .work, .consumer, .batchConsumer:
            break
        }
        add(own, to: &attributes, draft)
        drafts[draft].span.attributes = attributes
    }

    mutating func setServerAttributes(_ draft: Int, _ index: Int, _ operation: Operation) {
        let fixed = world.serverAttributes[index]
        var attributes: [Attribute] = []
        attributes.reserveCapacity(fixed.count + operation.attributes.count + 5)
        attributes += fixed
        switch operation.shape {
        case .http(_, _, let path, let query):
            attributes.append(Attribute("url.path", path.value(for: visit)))
            if let query {
                attributes.append(Attribute("url.query", query.value(for: visit)))
                if query.isPersonal { drafts[draft].isPersonal = true }
            }
            attributes.append(.text("user_agent.original", visit.userAgent))
            attributes.append(.text("client.address", visit.clientAddress))
        case .consumer:
            attributes.append(Attribute("messaging.client.id", world.instances[drafts[draft].instance].clientID))
            addMessage(to: &attributes)
        default:
            break
        }
        add(operation.attributes, to: &attributes, draft)
        drafts[draft].span.attributes = attributes
    }

    mutating func addEvents(_ frame: Frame, _ operation: Operation, at time: UInt64) {
        for event in operation.events {
            var attributes: [Attribute] = []
            add(event.attributes, to: &attributes, frame.draft)
            let moment = skewed(time + 20_000, frame.instance)
            drafts[frame.draft].span.events.append(SpanEvent(time: moment, name: event.name, attributes: attributes))
        }
    }

    private mutating func add(_ templates: [AttributeTemplate], to attributes: inout [Attribute], _ draft: Int) {
        for template in templates {
            let value: AttributeValue
            switch template.value {
            case .text(let text):
                value = text.value(for: visit)
                // A constant `user.id` (the administrator's) names a person as well.
                if text.isPersonal || template.key == "user.id" { drafts[draft].isPersonal = true }
            case .int(let range): value = .int(Int64(random.int(in: range)))
            }
            attributes.append(Attribute(template.key, value))
        }
    }

    private mutating func addMessage(to attributes: inout [Attribute]) {
        attributes.append(.text("messaging.kafka.message.key", visit.order))
        // The partition follows from the key, so that producer and consumer agree on it.
        let partition = visit.order.utf8.reduce(0) { ($0 &* 31 &+ Int($1)) & 0xFFFF } % 12
        attributes.append(.text("messaging.destination.partition.id", String(partition)))
    }

    private mutating func pathAndQuery(_ path: Template, _ query: Template?, _ draft: Int) -> String {
        guard let query else { return path.text(for: visit) }
        if query.isPersonal { drafts[draft].isPersonal = true }
        return path.text(for: visit) + "?" + query.text(for: visit)
    }

    private mutating func setStatusCode(_ draft: Int, _ operation: Operation, side: Side, fault: Fault?) {
        switch operation.shape {
        case .http, .external:
            // Nothing answered: there is no status to report.
            if let fault, side == .client, fault == .unavailable || (fault == .timeout && !operation.isCall) { return }
            drafts[draft].span.attributes.append(.int("http.response.status_code", fault?.httpStatus ?? 200))
        case .grpc:
            drafts[draft].span.attributes.append(.int("rpc.grpc.status_code", fault?.grpcStatus.code ?? 0))
        case .sql:
            guard let fault else { return }
            drafts[draft].span.attributes.append(.text("db.response.status_code", fault.sqlState))
        case .work, .redis, .search, .topic, .consumer, .batchConsumer:
            return
        }
    }

    // MARK: Exceptions

    private mutating func addException(_ frame: Frame, _ operation: Operation, _ fault: Fault, at time: UInt64) {
        let service = world.instances[frame.instance].service
        let language = service.language
        let type = language.exceptionType(fault)
        var message = fault.message
        if fault == .declined {
            // As careless as real code: the whole card number in an error message.
            message += " (card \(visit.card))"
            drafts[frame.draft].isPersonal = true
        }
        let functions = ["handle", "execute", "invoke", "dispatch", "run"]
        let lines = (0..<random.int(in: 3...5)).map { depth in
            let function = depth == 0 ? operation.functionName : functions[depth % functions.count]
            return language.frame(function: function, service: service.name, line: random.int(in: 20...480))
        }
        let attributes: [Attribute] = [
            .text("exception.type", type), .text("exception.message", message),
            .text("exception.stacktrace", "\(type): \(message)\n" + lines.joined(separator: "\n")),
        ]
        drafts[frame.draft].span.events.append(SpanEvent(time: time, name: "exception", attributes: attributes))
    }
}

extension Operation {
    /// The last part of the id, as the function's name in stack traces.
    fileprivate var functionName: String {
        guard let dot = id.lastIndex(of: ".") else { return "send" }
        return String(id[id.index(after: dot)...])
    }
}
