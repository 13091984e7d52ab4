internal import Pipeline

/// What a pipeline's processors become, in the order they are carried out here.
struct ProcessorPlan {
    enum Step {
        case filter(CollectorConfiguration.Component)
        case scrub(CollectorConfiguration.Component)
        /// The first is what decides; the others only drop.
        case sample([CollectorConfiguration.Component])
    }

    var steps: [Step] = []
    /// Memory for undecided spans, from `memory_limiter`, as pipeline files write it.
    var memoryLimit: String?
    /// Why a step stands elsewhere than the processor did.
    var movedComments: [String: String] = [:]
}

extension CollectorTranslator {
    /// Sorts a pipeline's processors: a trace is sampled once, and what a scrubber or filter does comes before that.
    mutating func processorPlan(_ pipeline: CollectorConfiguration.Pipeline) -> ProcessorPlan {
        var plan = ProcessorPlan()
        let processors = components(pipeline.processors, [.processors], of: pipeline)
        let tail = processors.first { $0.type == "tail_sampling" }
        var samplers = tail.map { [$0] } ?? []
        var isSampled = false
        var before: [ProcessorPlan.Step] = []
        for component in processors {
            switch component.type {
            case "tail_sampling":
                if component.id != tail?.id {
                    note(
                        .attention, component,
                        "a second tail_sampling in one pipeline is left out: traces are sampled once here; join the "
                            + "policies, or let another pipeline read the sampled traces from Kafka")
                }
                isSampled = true
            case "probabilistic_sampler":
                samplers.append(component)
                // By trace id, so it does not matter for filters where it stands.
                if tail == nil, samplers.count == 1 { continue }
            case "filter":
                if isSampled {
                    note(
                        .attention, component,
                        "filters behind the sampler are left out: a stage before the sampler would change its decisions; if "
                            + "that is wanted, put a filter stage there")
                } else {
                    before.append(.filter(component))
                }
            case "attributes", "resource", "redaction":
                if isSampled {
                    plan.movedComments[component.id] =
                        "It stood behind the sampler. Here it stands before it, and is applied to what is kept; only where "
                        + "policies read what it changes, they read it changed."
                    note(
                        .changed, component,
                        "stands before the sampler now: it is applied to kept spans all the same, but policies that read "
                            + "attributes it changes read them changed")
                }
                before.append(.scrub(component))
            case "memory_limiter":
                plan.memoryLimit = memoryLimit(component)
            default:
                let advice = CollectorAdvice.processor(component.type)
                note(advice.kind, component, advice.text)
            }
        }
        plan.steps = before
        if !samplers.isEmpty { plan.steps.append(.sample(samplers)) }
        return plan
    }

    mutating func apply(
        _ step: ProcessorPlan.Step, plan: ProcessorPlan, pipeline: CollectorConfiguration.Pipeline, to flow: inout Flow
    ) {
        let component: Component
        switch step {
        case .filter(let one), .scrub(let one): component = one
        case .sample(let several): component = several[0]
        }
        if !flow.traces.isEmpty {
            note(
                .attention, component,
                "what reaches it in \(pipeline.id) was sampled in another pipeline before: it is not applied to that; let a "
                    + "pipeline of its own read the sampled traces from Kafka")
            if flow.spans.isEmpty { return }
        }
        let made: PipelineDraft.Stage?
        switch step {
        case .filter(let component): made = filterStage(component, flow.spans)
        case .scrub(let component): made = scrubStage(component, flow.spans, plan.movedComments[component.id])
        case .sample(let components): made = samplerStage(components, flow.spans, plan, pipeline)
        }
        guard let made else { return }
        addStage(made)
        switch step {
        case .sample:
            flow.traces.append(made.name)
            flow.spans = []
        case .filter, .scrub:
            flow.spans = [made.name]
        }
    }

    /// `window.max_bytes` for a memory limiter.
    private mutating func memoryLimit(_ component: Component) -> String? {
        guard let limit = component.settings["limit_mib"] ?? component.settings["limit_mib".uppercased()],
            let text = limit.scalar
        else {
            note(
                .changed, component,
                "limit_percentage has no counterpart: window.max_bytes of the sampler (2GiB) bounds memory; what is over it "
                    + "goes to disk, and then pauses partitions. No span is refused")
            return nil
        }
        if CollectorValue.hasReference(text) {
            note(
                .changed, component,
                "the limit is window.max_bytes of the sampler (for undecided spans alone; take something off for the rest): "
                    + "what is over it goes to disk, and then pauses partitions. No span is refused", at: limit.location
            )
            return text + "MiB"
        }
        guard let whole = Int64(CollectorValue.plainNumber(text)), whole > 0 else { return nil }
        let spike = CollectorValue.integer(component.settings["spike_limit_mib"]) ?? whole / 5
        let soft = max(64, whole - max(0, spike))
        note(
            .changed, component,
            "limit less spike is window.max_bytes of the sampler (\(soft)MiB, for undecided spans alone): what is over it "
                + "goes to disk, and then pauses partitions. No span is refused")
        return "\(soft)MiB"
    }
}
