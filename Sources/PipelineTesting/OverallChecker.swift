import Pipeline
import Tailrace
import TraceModel

/// Holds what has reached stages, and metrics, against what is expected.
final class OverallChecker {
    private let world: TestWorld

    init(world: TestWorld) { self.world = world }

    private lazy var metrics = MetricSamples(
        TailraceWorker.metrics(plan: world.plan, snapshots: world.snapshots, now: world.time.wall))

    func failure(of expectation: OverallExpectation) -> PipelineTestFailure? {
        let problem: TraceChecker.Problem? =
            switch expectation.check {
            case .traces(let references, let stage): tracesProblem(references, stage)
            case .rejects(let reasons, let stage): rejectsProblem(reasons, stage)
            case .count(let range, let stage): countProblem(range, stage)
            case .counter(let range, let name, let labels): counterProblem(range, name, labels)
            }
        return problem.map {
            PipelineTestFailure(location: expectation.location, message: $0.message, notes: $0.notes)
        }
    }

    private func isSink(_ stage: String) -> Bool {
        stage == OverallExpectation.deadLetters || world.plan.stage(named: stage)?.role == .sink
    }

    private func reached(_ stage: String) -> Set<TraceID> {
        guard isSink(stage) else { return world.book.reached[stage] ?? [] }
        return world.items(in: stage).reduce(into: []) { $0.formUnion($1.traceIDs) }
    }

    private func tracesProblem(_ references: [PipelineTest.TraceReference], _ stage: String) -> TraceChecker.Problem? {
        let all = world.traceNames.flatMap { world.traces[$0] ?? [] }
        let expected = references.flatMap { world.traces[$0.name] ?? [] }
        let expectedIDs = Set(expected.map(\.id))
        let actual = reached(stage)
        let missing = expected.filter { !actual.contains($0.id) }
        let surplus = all.filter { actual.contains($0.id) && !expectedIDs.contains($0.id) }
        let unknown = actual.subtracting(all.map(\.id)).sorted().map(\.hex)
        if missing.isEmpty, surplus.isEmpty, unknown.isEmpty { return doubledProblem(stage) }
        var parts: [String] = []
        if !missing.isEmpty { parts.append("missing \(Self.list(missing.map(\.title)))") }
        if !surplus.isEmpty || !unknown.isEmpty {
            parts.append("not expected \(Self.list(surplus.map(\.title) + unknown))")
        }
        let checker = TraceChecker(world: world)
        let sampler = world.plan.samplers.first.map { world.plan.stages[$0].name } ?? ""
        return TraceChecker.Problem(
            message: "\(stage): \(parts.joined(separator: "; "))",
            notes: (missing + surplus).prefix(5).map { "trace \($0.title): \(checker.reason(of: $0, sampler))" })
    }

    /// What a sampler has kept leaves it once, whatever crashes. Late spans are merged by those who read them: the sampler no
    /// longer knows which spans it had.
    private func doubledProblem(_ stage: String) -> TraceChecker.Problem? {
        struct Place: Hashable {
            var trace: TraceID
            var span: SpanID
            var kind: SpanKind
        }
        guard isSink(stage) else { return nil }
        var seen: Set<Place> = []
        for case .trace(let kept) in world.items(in: stage) where !kept.isLate {
            for (span, _) in OutputItem.trace(kept).spans
            where !seen.insert(Place(trace: span.traceID, span: span.spanID, kind: span.kind)).inserted {
                let title = world.traces.values.joined().first { $0.id == span.traceID }?.title ?? span.traceID.hex
                return TraceChecker.Problem(
                    message: "\(stage): span \(Wording.quoted(span.name)) of trace \(title) has reached it twice")
            }
        }
        return nil
    }

    private func rejectsProblem(_ expected: [String], _ stage: String) -> TraceChecker.Problem? {
        var actual: [(code: String, reason: String)] = []
        for case .reject(let rejected) in world.items(in: stage) { actual.append((rejected.code, rejected.reason)) }
        if actual.map(\.code).sorted() == expected.sorted() { return nil }
        return TraceChecker.Problem(
            message: "\(stage): expected \(Self.list(expected)), found \(Self.list(actual.map(\.code)))",
            notes: actual.prefix(5).map { "\($0.code): \($0.reason)" })
    }

    private func countProblem(_ range: NumberRange, _ stage: String) -> TraceChecker.Problem? {
        let items = isSink(stage) ? world.items(in: stage) : []
        var rejects: [RejectedRecord] = []
        for case .reject(let rejected) in items { rejects.append(rejected) }
        let areRejects = stage == OverallExpectation.deadLetters || !rejects.isEmpty
        let count = areRejects ? rejects.count : reached(stage).count
        if range.contains(Double(count)) { return nil }
        let what = areRejects ? "rejects" : "traces"
        let notes =
            areRejects
            ? rejects.prefix(5).map { "\($0.code): \($0.reason)" }
            : [
                "traces: \(Self.list(world.traces.values.joined().filter { reached(stage).contains($0.id) }.map(\.title).sorted()))"
            ]
        return TraceChecker.Problem(message: "\(stage): expected \(range) \(what), found \(count)", notes: notes)
    }

    private func counterProblem(
        _ range: NumberRange, _ name: String, _ labels: [(name: String, value: String)]
    ) -> TraceChecker.Problem? {
        guard metrics.names.contains(name) else {
            let suggestion = Wording.suggestion(for: name, among: metrics.names)
            return TraceChecker.Problem(message: "no metric is called \(Wording.quoted(name)).\(suggestion)")
        }
        let value = metrics.sum(of: name, labels)
        if range.contains(value) { return nil }
        let shown = labels.isEmpty ? "" : "{" + labels.map { "\($0.name)=\"\($0.value)\"" }.joined(separator: ",") + "}"
        return TraceChecker.Problem(
            message: "\(name)\(shown): expected \(range), found \(NumberRange.shown(value))",
            notes: metrics.lines(of: name))
    }

    private static func list(_ names: [String]) -> String {
        if names.isEmpty { return "nothing" }
        let shown = names.prefix(10).joined(separator: ", ")
        return names.count > 10 ? "\(shown) and \(names.count - 10) more" : shown
    }
}
