import Query

/// Turns the parameters of a search into a `TraceQuery`.
enum SearchParameters {
    static let names = [
        "service", "service_name", "operation", "tag", "error", "min_duration", "max_duration", "start_time",
        "end_time",
        "time_range", "limit", "cursor",
    ]

    /// - Parameter now: nanoseconds since the Unix epoch; `time_range` ends there.
    static func query(_ parameters: QueryString, now: UInt64) throws(APIError) -> TraceQuery {
        try parameters.checkNames(names)
        var query = TraceQuery()
        query.service = try service(parameters)
        query.operation = try parameters.single("operation")
        query.hasError = try boolean(parameters, "error")
        for tag in parameters.all("tag") { try add(tag, to: &query) }
        query.minDuration = try duration(parameters, "min_duration")
        query.maxDuration = try duration(parameters, "max_duration")
        if let minimum = query.minDuration, let maximum = query.maxDuration, minimum > maximum {
            throw .badParameter("max_duration", "'max_duration' is shorter than 'min_duration'")
        }
        (query.from, query.to) = try times(parameters, now: now)
        if let text = try parameters.single("limit") {
            guard let limit = Int(text), (1...TraceQuery.maximumLimit).contains(limit) else {
                throw .badParameter(
                    "limit", "'limit' must be a number from 1 to \(TraceQuery.maximumLimit), not '\(text)'")
            }
            query.limit = limit
        }
        if let text = try parameters.single("cursor") {
            guard let cursor = SearchCursor(text) else {
                throw .badParameter("cursor", "'cursor' must be the 'nextCursor' of an earlier answer")
            }
            query.cursor = cursor
        }
        return query
    }

    static func service(_ parameters: QueryString) throws(APIError) -> String? {
        let service = try parameters.single("service")
        let serviceName = try parameters.single("service_name")
        if let service, let serviceName, service != serviceName {
            throw .badParameter("service_name", "'service' and 'service_name' are the same condition; give one of them")
        }
        return service ?? serviceName
    }

    /// `key=value`, or `key:value` as Jaeger writes it; whichever separator comes first counts.
    private static func add(_ tag: String, to query: inout TraceQuery) throws(APIError) {
        guard let separator = tag.firstIndex(where: { $0 == "=" || $0 == ":" }), separator != tag.startIndex else {
            throw .badParameter("tag", "'tag' must be key=value or key:value, not '\(tag)'")
        }
        let key = String(tag[..<separator])
        let value = String(tag[tag.index(after: separator)...])
        if key == "error", let hasError = ["true": true, "false": false][value] {
            if let given = query.hasError, given != hasError {
                throw .badParameter("tag", "'tag=\(tag)' contradicts 'error=\(given)'")
            }
            query.hasError = hasError
        } else {
            query.tags.append(.init(key: key, value: value))
        }
    }

    private static func boolean(_ parameters: QueryString, _ name: String) throws(APIError) -> Bool? {
        guard let text = try parameters.single(name) else { return nil }
        switch text {
        case "true", "1": return true
        case "false", "0": return false
        default: throw .badParameter(name, "'\(name)' must be true or false, not '\(text)'")
        }
    }

    private static func duration(_ parameters: QueryString, _ name: String) throws(APIError) -> UInt64? {
        guard let text = try parameters.single(name) else { return nil }
        guard let duration = DurationText.parse(text) else {
            throw .badParameter(name, "'\(name)' must be a duration such as 100ms, 1.5s or 2m, not '\(text)'")
        }
        return duration
    }

    private static func time(_ parameters: QueryString, _ name: String) throws(APIError) -> UInt64? {
        guard let text = try parameters.single(name) else { return nil }
        guard let time = TimeText.parse(text) else {
            throw .badParameter(
                name, "'\(name)' must be an RFC 3339 time or a Unix time in s, ms, µs or ns, not '\(text)'")
        }
        return time
    }

    /// Nanoseconds since the Unix epoch.
    ///
    /// - Parameter now: `time_range` ends there.
    static func times(_ parameters: QueryString, now: UInt64) throws(APIError) -> (from: UInt64?, to: UInt64?) {
        var from = try time(parameters, "start_time")
        let to = try time(parameters, "end_time")
        if let range = try duration(parameters, "time_range") {
            if from != nil {
                throw .badParameter(
                    "time_range", "'time_range' and 'start_time' both say where to begin; give one of them")
            }
            let end = to ?? now
            from = end > range ? end - range : 0
        }
        if let from, let to, from > to { throw .badParameter("end_time", "'end_time' lies before 'start_time'") }
        return (from, to)
    }
}
