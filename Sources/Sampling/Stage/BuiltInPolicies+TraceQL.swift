import Pipeline
import TraceQL

extension BuiltInPolicies {
    static let traceQL = PolicyDefinition(
        type: "traceql", summary: "Keeps traces in which a TraceQL query finds something.",
        options: [
            StageOption(
                "query", .string, required: true,
                summary: "a spanset filter, tested span by span, or any other query, evaluated on the whole trace")
        ],
        example: "query: '{ resource.service.name = \"checkout\" && duration > 800ms }'", isInline: true,
        check: { settings, policy, diagnostics in
            guard let value = settings.value["query"], let text = value.scalar else { return }
            let problems: [QueryProblem]
            switch TraceQLQuery.checked(text) {
            case .success(let query):
                guard let metrics = query.metrics else { return }
                problems = [
                    QueryProblem(
                        "\(metrics.function.rawValue)() is computed from many traces; a policy needs a query for spans",
                        at: metrics.range)
                ]
            case .failure(let failure): problems = failure.all
            }
            for problem in problems {
                let place = value.place(ofOffset: problem.range.lowerBound)
                diagnostics.error("\(policy): query: \(problem.summary)\(place.hint)", at: place.location)
            }
        },
        make: { name, settings in
            // A checked query parses; one that was not checked finds nothing.
            let nothing = TraceQLQuery(
                stages: [.spansets(SpansetExpression(.filter(FieldExpression(.literal(.bool(false))))))])
            let query = try? TraceQLQuery.checked(settings.string("query") ?? "").get()
            return TraceQLPolicy(name: name, query: query ?? nothing)
        })
}
