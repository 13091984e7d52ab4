import OTLP
public import Pipeline
import TraceModel

extension WindowSampler {
    /// Takes over new policies and windows. Open traces stay, with their spans: each span is tested for the new conditions, so
    /// that a trace is decided by the policies in force at its decision, as it would be if it had come after the reload. Takes
    /// about as long as the window's spans took to be scanned.
    public func reconfigure(_ settings: StageSettings, _ context: SamplerContext) throws -> Bool {
        let window = TailSamplerStage.windowSettings(settings)
        // Memory and files were made for these; `TailSamplerStage.needsRestart` says so before a reload begins.
        guard window.buffer == self.settings.buffer, window.spillsAtBudget == self.settings.spillsAtBudget,
            window.decisionHorizon == self.settings.decisionHorizon
        else { return false }
        self.context = context
        assembler = TraceAssembler(scrubbers: context.scrubbers)
        let hasOtherTicks = window.max != self.settings.max || window.tick != self.settings.tick
        let mayCloseEarlier =
            hasOtherTicks || window.settle != self.settings.settle || window.idle != self.settings.idle
        self.settings = window
        if context.policyVersion != policyVersion { replacePolicies(PolicyParser.make(settings)) }
        policies.use(ScrubberChain(context.scrubbers))
        policyVersion = context.policyVersion
        if hasOtherTicks {
            wheel = DeadlineWheel(span: window.max / window.tick)
            if tick != .min { tick = streamTime.flooredDivision(by: window.tick) }
        }
        if mayCloseEarlier {
            for index in store.table.openIndices {
                if hasOtherTicks { store.table[index].scheduledTick = .max }
                schedule(index)
            }
        }
        return true
    }

    private func replacePolicies(_ list: [any SamplingPolicy]) {
        earlierCounters = policyCounters
        let state = policies.state
        let budgets = policies.budgets
        policies = PolicyList(list, stopsAtFirstMatch: settings.stopsAtFirstMatch, clock: clock)
        // Policies that are there before and after go on with what they remember.
        policies.restore(state)
        for budget in budgets { policies.takeBudgetShare(budget.share, policy: budget.policy) }
        policies.spansArrive(at: streamTime, decidedBy: streamTime &+ settings.max &+ 2 &* settings.tick)
        var scanner = OTLPScanner()
        let batch = SpanBatch()
        for index in store.table.openIndices {
            policies.opened(index)
            store.table[index].matched = 0
            openSpansView.state = store.table[index]
            openSpansView.visit { span in
                judge(span, of: index, &scanner, batch)
                return failure == nil
            }
            store.arena.forgetWhatWasRead()
        }
        openSpansView.state = nil
    }

    /// Tests one span of the window for the conditions.
    private func judge(_ span: TraceSpan, of index: UInt32, _ scanner: inout OTLPScanner, _ batch: SpanBatch) {
        var request = ProtobufWriter(reservingCapacity: span.span.count + span.resource.count + span.scope.count + 64)
        request.messageField(1) { resourceSpans in
            resourceSpans.bytesField(1, span.resource)
            resourceSpans.messageField(2) { scopeSpans in
                scopeSpans.bytesField(1, span.scope)
                scopeSpans.bytesField(2, span.span)
            }
        }
        request.bytes.withUnsafeBytes { bytes in
            // What is in the window was scanned when it came.
            do { try scanner.scan(bytes, into: batch) } catch { return }
            if let head = batch.heads.first {
                let unitMet = policies.conditionsMet(byUnit: span.unit, of: head, in: batch)
                store.table[index].matched = policies.observe(
                    head, in: batch, bytes, unit: span.unit, unitMet: unitMet, of: index,
                    matched: store.table[index].matched)
            }
            batch.forget()
        }
    }
}
