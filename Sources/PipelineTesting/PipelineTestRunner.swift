public import Pipeline

/// Runs the tests of a pipeline file: the plan and the worker of production, with records, sinks, store and clock of the
/// test's own. Nothing is read from or written to brokers or stores, and no real time passes.
///
/// Callable from any thread; each call runs on the caller's.
public struct PipelineTestRunner: Sendable {
    private let plan: PipelinePlan

    /// - Parameter plan: loaded with `PipelinePlan.load`, with the stage kinds that its file uses.
    public init(plan: PipelinePlan) { self.plan = plan }

    /// Runs one test; `plan.tests` has them all.
    public func run(_ test: PipelineTest) -> PipelineTestResult {
        var failures: [PipelineTestFailure] = []
        var milliseconds: Int64 = 0
        do {
            let world = try TestWorld(plan: plan, test: test)
            defer { world.close() }
            for step in test.steps {
                do {
                    failures += try take(step, in: world)
                } catch let failure as PipelineTestFailure {
                    failures.append(failure)
                    break
                } catch {
                    failures.append(
                        PipelineTestFailure(location: step.location, message: "the pipeline cannot go on: \(error)"))
                    break
                }
            }
            milliseconds = world.now
        } catch {
            failures = [PipelineTestFailure(location: test.location, message: "the pipeline cannot start: \(error)")]
        }
        return PipelineTestResult(
            name: test.name, location: test.location, failures: failures, simulatedMilliseconds: milliseconds)
    }

    private func take(_ step: PipelineTest.Step, in world: TestWorld) throws -> [PipelineTestFailure] {
        switch step.action {
        case .send(let traffic): try world.send(traffic)
        case .record(let record): try world.send(record)
        case .resend(let traces): try world.resend(traces)
        case .advance(let duration): try world.advance(duration)
        case .flush: try world.flush()
        case .crash: try world.crash()
        case .rebalance: try world.rebalance()
        case .expectTraces(let traces, let expectations):
            let checker = TraceChecker(world: world)
            return expectations.flatMap { expectation in checker.failures(of: expectation, for: traces) }
        case .expect(let expectations):
            let checker = OverallChecker(world: world)
            return expectations.compactMap(checker.failure)
        }
        return []
    }
}
