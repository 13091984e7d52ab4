import Pipeline
import TraceModel

/// Holds traces against what is expected of them, and says why they are as they are.
final class TraceChecker {
    private let world: TestWorld
    private var plan: PipelinePlan { world.plan }

    init(world: TestWorld) { self.world = world }

    /// What a sink was given of each trace; collected once per step. An internal topic between two stages of the pipeline is
    /// no way out of it.
    private lazy var items: [(sink: String, byTrace: [TraceID: [OutputItem]])] = {
        let sinks = plan.sinks.filter { world.relay(of: $0) == nil }.map { plan.stages[$0].name }
        return (sinks + [OverallExpectation.deadLetters]).map { sink in
            var byTrace: [TraceID: [OutputItem]] = [:]
            for item in world.items(in: sink) {
                for id in item.traceIDs { byTrace[id, default: []].append(item) }
            }
            return (sink, byTrace)
        }
    }()

    enum Outcome {
        case decided(DecisionBook.Entry)
        case open(WaitingTrace)
        case unseen

        var fate: TraceFate {
            switch self {
            case .decided(let entry): entry.decision.isKept ? .kept : .dropped
            case .open: .open
            case .unseen: .unseen
            }
        }

        /// `kept by errors after root`, as an expectation would say it.
        var description: String {
            guard case .decided(let entry) = self else { return fate.rawValue }
            let policy = entry.decision.policy.isEmpty ? "" : " by \(entry.decision.policy)"
            return "\(fate.rawValue)\(policy) after \(entry.decision.trigger.name)"
        }
    }

    /// What one trace lacks.
    struct Problem {
        var message: String
        var notes: [String] = []
    }

    func failures(
        of expectation: TraceExpectation, for references: [PipelineTest.TraceReference]
    ) -> [PipelineTestFailure] {
        let sampler = expectation.sampler ?? plan.samplers.first.map { plan.stages[$0].name } ?? ""
        return references.compactMap { reference in
            let traces = world.traces[reference.name] ?? []
            if case .count(let fate, let range) = expectation.check {
                return problem(of: reference.name, traces, fate, range, sampler).map {
                    PipelineTestFailure(location: expectation.location, message: $0.message, notes: $0.notes)
                }
            }
            let failing = traces.compactMap { trace in
                problem(of: trace, expectation.check, sampler).map { (trace: trace, problem: $0) }
            }
            // One in full; of many the number says enough.
            guard let (trace, problem) = failing.first else { return nil }
            var notes = problem.notes
            if traces.count > 1 { notes.append("so it is with \(failing.count) of \(traces.count) traces") }
            return PipelineTestFailure(
                location: expectation.location, message: "trace \(trace.title): \(problem.message)", notes: notes)
        }
    }

    // MARK: - Decisions

    func outcome(of trace: TestTrace, _ sampler: String) -> Outcome {
        if let entry = world.book.decision(of: trace.id, by: sampler) { return .decided(entry) }
        if let waiting = world.worker?.waiting(trace.id).first(where: { $0.sampler == sampler }) {
            return .open(waiting)
        }
        return .unseen
    }

    private func problem(
        of name: String, _ traces: [TestTrace], _ fate: TraceFate, _ range: NumberRange, _ sampler: String
    ) -> Problem? {
        var counts: [TraceFate: Int] = [:]
        var others: [String: Int] = [:]
        for trace in traces {
            let outcome = outcome(of: trace, sampler)
            counts[outcome.fate, default: 0] += 1
            others[outcome.description, default: 0] += 1
        }
        let count = counts[fate] ?? 0
        if range.contains(Double(count)) { return nil }
        let summary = others.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
        return Problem(
            message: "traces \(name): expected \(range) of \(traces.count) \(fate.rawValue), found \(count)",
            notes: ["all of them: \(summary)"])
    }

    private func problem(
        of trace: TestTrace, _ check: TraceExpectation.Check, _ sampler: String
    ) -> Problem? {
        switch check {
        case .outputs(let sinks): return outputsProblem(trace, sinks)
        case .spans(let patterns): return spansProblem(trace, patterns)
        case .index(let key, let values): return indexProblem(trace, key, values)
        case .count: return nil
        case .fate(let fate, let policy, let trigger):
            return fateProblem(trace, fate, policy: policy, trigger: trigger, sampler)
        case .policy(let policy):
            return decisionProblem(trace, sampler, "policy \(policy)") { entry in
                entry.decision.policy == policy ? nil : entry.decision.policy.isEmpty ? "none" : entry.decision.policy
            }.map { addingNames($0, expected: policy, sampler) }
        case .trigger(let trigger):
            return decisionProblem(trace, sampler, "trigger \(trigger.name)") { entry in
                entry.decision.trigger == trigger ? nil : entry.decision.trigger.name
            }
        case .probability(let range):
            return decisionProblem(trace, sampler, "probability \(range)") { entry in
                range.contains(entry.decision.probability) ? nil : "\(entry.decision.probability)"
            }
        case .reason(let text):
            return decisionProblem(trace, sampler, "a reason with \"\(text)\"") { entry in
                entry.decision.reason.contains(text) ? nil : "\"\(entry.decision.reason)\""
            }
        case .spanCount(let range):
            return decisionProblem(trace, sampler, "\(range) spans at the decision") { entry in
                range.contains(Double(entry.summary.spanCount)) ? nil : "\(entry.summary.spanCount)"
            }
        }
    }

    private func fateProblem(
        _ trace: TestTrace, _ fate: TraceFate, policy: String?, trigger: Decision.Trigger?, _ sampler: String
    ) -> Problem? {
        let outcome = outcome(of: trace, sampler)
        var isMet = outcome.fate == fate
        if case .decided(let entry) = outcome, isMet {
            isMet =
                (policy == nil || policy == entry.decision.policy)
                && (trigger == nil || trigger == entry.decision.trigger)
        }
        if isMet { return nil }
        let expected =
            fate.rawValue + (policy.map { " by \($0)" } ?? "") + (trigger.map { " after \($0.name)" } ?? "")
        let problem = Problem(
            message: "expected \(expected), found \(outcome.description)", notes: [reason(of: trace, sampler)])
        return policy.map { addingNames(problem, expected: $0, sampler) } ?? problem
    }

    /// - Parameter difference: what was found in place of what was expected; nil where it is as expected.
    private func decisionProblem(
        _ trace: TestTrace, _ sampler: String, _ expected: String, _ difference: (DecisionBook.Entry) -> String?
    ) -> Problem? {
        let outcome = outcome(of: trace, sampler)
        guard case .decided(let entry) = outcome else {
            return Problem(
                message: "expected \(expected), but it is \(outcome.fate.rawValue)", notes: [reason(of: trace, sampler)]
            )
        }
        return difference(entry).map {
            Problem(message: "expected \(expected), found \($0)", notes: [reason(of: trace, sampler)])
        }
    }

    /// A policy that is not there at all is probably misspelt.
    private func addingNames(_ problem: Problem, expected: String, _ sampler: String) -> Problem {
        let names = world.policies[sampler] ?? []
        guard !names.contains(expected) else { return problem }
        var problem = problem
        let suggestion = Wording.suggestion(for: expected, among: names)
        problem.notes.append(
            "no policy of \(sampler) is called \(Wording.quoted(expected)).\(suggestion) Policies: \(Wording.list(names))"
        )
        return problem
    }

    /// Why a trace is where it is.
    func reason(of trace: TestTrace, _ sampler: String) -> String {
        switch outcome(of: trace, sampler) {
        case .decided(let entry):
            let decision = entry.decision
            let decidedAt = TestWorld.seconds(decision.decidedAt - TestWorld.epoch)
            return "\(decision.reason); decided at \(decidedAt) with \(Self.spans(entry.summary.spanCount))"
        case .open(let waiting):
            let open = waiting.trace
            let closesAt = open.closesAt - TestWorld.epoch
            let held =
                "it waits in \(sampler) with \(Self.spans(Int(open.spanCount)))"
                + "\(open.hasRoot ? "" : ", the root not among them")"
            if closesAt > world.now {
                return
                    "\(held); its window closes at \(TestWorld.seconds(closesAt)) if no more come, and it is "
                    + "\(TestWorld.seconds(world.now))"
            }
            let streamTime = waiting.streamTime - TestWorld.epoch
            let cause =
                streamTime < world.now
                ? "stream time is \(TestWorld.seconds(streamTime)), since a partition follows the clock only after 5 s "
                    + "without a record"
                : "the tick (window.tick, 1s by default) is decided when it is over"
            return "\(held); its window closed at \(TestWorld.seconds(closesAt)); \(cause): advance further"
        case .unseen: return unseenReason(trace, sampler)
        }
    }

    private func unseenReason(_ trace: TestTrace, _ sampler: String) -> String {
        let reached = plan.stages.map(\.name).filter { world.book.reached[$0]?.contains(trace.id) == true }
        for (_, byTrace) in items {
            for case .reject(let rejected) in byTrace[trace.id] ?? [] {
                return "stage \(rejected.stage) rejected it (\(rejected.code)): \(rejected.reason)"
            }
        }
        let path = reached.isEmpty ? "no stage" : reached.joined(separator: ", ")
        return "it has reached \(path)\(sampler.isEmpty ? "" : ", not \(sampler)")"
    }

    static func spans(_ count: Int) -> String { count == 1 ? "1 span" : "\(count) spans" }

    // MARK: - Outputs

    private func outputsProblem(_ trace: TestTrace, _ expected: [String]) -> Problem? {
        let actual = items.filter { $0.byTrace[trace.id] != nil }.map(\.sink)
        if Set(actual) == Set(expected) { return nil }
        func list(_ names: [String]) -> String { names.isEmpty ? "no sink" : names.joined(separator: ", ") }
        let sampler = plan.samplers.first.map { plan.stages[$0].name } ?? ""
        return Problem(
            message: "expected it in \(list(expected)), found it in \(list(actual))",
            notes: [reason(of: trace, sampler)])
    }

    private func spansProblem(_ trace: TestTrace, _ patterns: [SpanNotation]) -> Problem? {
        var spans: [(span: Span, resource: Resource)] = []
        for (sink, byTrace) in items where sink != OverallExpectation.deadLetters {
            for item in byTrace[trace.id] ?? [] { spans += item.spans }
        }
        if spans.isEmpty {
            let sampler = plan.samplers.first.map { plan.stages[$0].name } ?? ""
            return Problem(
                message: "expected spans of it in a sink, found none", notes: [reason(of: trace, sampler)])
        }
        var matcher = SpanMatcher(spans: spans)
        return matcher.firstProblem(patterns)
    }

    private func indexProblem(_ trace: TestTrace, _ key: String, _ expected: [String]?) -> Problem? {
        var values: Set<String> = []
        var keys: Set<String> = []
        for (_, byTrace) in items {
            for case .trace(let kept) in byTrace[trace.id] ?? [] {
                values.formUnion(kept.attributes.filter { $0.key == key }.map(\.value))
                keys.formUnion(kept.attributes.map(\.key))
            }
        }
        if values == Set(expected ?? []) { return nil }
        func list(_ values: some Collection<String>) -> String {
            values.isEmpty ? "nothing" : values.sorted().map { Wording.quoted($0) }.joined(separator: ", ")
        }
        return Problem(
            message: "expected \(list(expected ?? [])) in the index for \(key), found \(list(values))",
            notes: ["it can be found by \(keys.isEmpty ? "no attribute" : keys.sorted().joined(separator: ", "))"])
    }
}
