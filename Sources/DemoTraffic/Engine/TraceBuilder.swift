import TraceModel

/// Makes one trace: runs a journey's operations in virtual time and notes a span for each.
///
/// All times inside are those of a correct clock. An instance's clock skew is added to a span's own timestamps only.
struct TraceBuilder {
    /// A span being made, with what the export needs to know about it.
    struct Draft {
        var span: Span
        /// Index into the world's instances.
        var instance: Int
        var library: Library
        /// The span's end by a correct clock.
        var end: UInt64
        /// It holds personal data.
        var isPersonal = false
    }

    /// The span inside which something happens.
    struct Frame {
        var draft: Int
        var instance: Int
        var spanID: SpanID
        /// The open context crosses a process boundary when its child is made.
        var isRemote = false
    }

    /// How an operation ended.
    struct Outcome {
        var end: UInt64
        var fault: Fault?
    }

    let world: World
    let configuration: DemoTrafficConfiguration
    let incident: Incident?
    let start: UInt64
    let traceID: TraceID
    private let root: Int

    var random: RandomSource
    var visit: Visit
    var drafts: [Draft] = []
    var plan: Plan
    /// Per service, which of its instances answers in this trace.
    private var turn: [Int]
    /// Producers of messages that other traces link to later.
    private var sentOrders: [SpanLink] = []
    private var linkedOrders: [SpanLink] = []

    init(world: World, configuration: DemoTrafficConfiguration, number: Int, start: UInt64, incident: Incident?) {
        var random = RandomSource(seed: configuration.seed, stream: UInt64(number) + 1)
        traceID = TraceID(high: random.next(), low: random.next())
        let journey = world.journeys[world.journeyChoice.sample(&random)]
        var root = journey.root
        var isDirect = false
        if let direct = journey.direct, random.chance(journey.directShare) {
            root = direct
            isDirect = true
        }
        visit = Visit(world: world, isDirect: isDirect, random: &random)
        turn = ServiceID.allCases.map { random.index(below: $0.instanceCount) }
        turn[ServiceID.storefront.rawValue] = visit.browser
        plan = Plan(world: world, configuration: configuration, root: root, incident: incident, random: &random)
        self.world = world
        self.configuration = configuration
        self.incident = incident
        self.start = start
        self.root = root
        self.random = random
    }

    /// Runs the journey. `recentOrders` carries messages from trace to trace.
    mutating func build(recentOrders: inout RecentMessages) {
        drafts.reserveCapacity(40)
        if case .batchConsumer = world.operations[root].shape { linkedOrders = recentOrders.take() }
        _ = run(root, caller: nil, at: start, attempt: 0)
        recentOrders.add(sentOrders)
    }

    // MARK: Operations

    private mutating func run(_ index: Int, caller: Frame?, at time: UInt64, attempt: Int) -> Outcome {
        let operation = world.operations[index]
        switch operation.shape {
        case .http, .grpc:
            guard let caller else {
                return serve(index, operation, parent: nil, at: time, fault: plan.takeFault(at: index))
            }
            return call(index, operation, from: caller, at: time, attempt: attempt)
        case .work, .consumer, .batchConsumer:
            return serve(index, operation, parent: caller, at: time, fault: plan.takeFault(at: index))
        case .sql, .redis, .search, .external:
            guard let caller else { preconditionFailure("\(operation.id) cannot begin a trace") }
            return useStore(index, operation, from: caller, at: time, attempt: attempt)
        case .topic:
            guard let caller else { preconditionFailure("\(operation.id) cannot begin a trace") }
            return publish(index, operation, from: caller, at: time)
        }
    }

    /// A client span here, a server span there.
    private mutating func call(
        _ index: Int, _ operation: Operation, from caller: Frame, at time: UInt64, attempt: Int
    ) -> Outcome {
        let fault = plan.takeFault(at: index)
        var frame = open(operation, .client, instance: caller.instance, parent: caller, at: time)
        setClientAttributes(frame.draft, index, operation, attempt: attempt)
        if fault == .unavailable {
            let end = time + nanoseconds(random.logNormal(median: 2e6, sigma: 0.5))
            close(frame, operation, side: .client, at: end, fault: fault, isOrigin: true)
            return Outcome(end: end, fault: fault)
        }
        frame.isRemote = true
        let fromBrowser = world.instances[caller.instance].service == .storefront
        let oneWay = Latency(milliseconds: fromBrowser ? 14 : 0.18, sigma: 0.4)
        let arrival = time + nanoseconds(oneWay.sample(&random))
        let served = serve(index, operation, parent: frame, at: arrival, fault: fault)
        let end = served.end + nanoseconds(oneWay.sample(&random))
        close(frame, operation, side: .client, at: end, fault: served.fault, isOrigin: false)
        return Outcome(end: end, fault: served.fault)
    }

    /// The owner's span with everything below it.
    private mutating func serve(
        _ index: Int, _ operation: Operation, parent: Frame?, at time: UInt64, fault: Fault?
    ) -> Outcome {
        let kind: SpanKind =
            switch operation.shape {
            case .http, .grpc: .server
            case .consumer, .batchConsumer: .consumer
            default: .internal
            }
        let owner = operation.owner ?? .gateway
        let instance = world.firstInstance[owner.rawValue] + turn[owner.rawValue]
        let frame = open(operation, kind, instance: instance, parent: parent, at: time)
        setServerAttributes(frame.draft, index, operation)
        addEvents(frame, operation, at: time)
        if case .consumer = operation.shape, let parent { addLink(frame.draft, to: parent.spanID) }
        if case .batchConsumer = operation.shape { addBatch(frame.draft) }
        let done = runSteps(of: index, operation, in: frame, at: time, fault: fault)
        close(frame, operation, side: .server, at: done.end, fault: done.fault, isOrigin: fault != nil)
        return Outcome(end: done.end, fault: done.fault?.surfaced)
    }

    /// A database or a third party: only the caller's span exists.
    private mutating func useStore(
        _ index: Int, _ operation: Operation, from caller: Frame, at time: UInt64, attempt: Int
    ) -> Outcome {
        let fault = plan.takeFault(at: index)
        let frame = open(operation, .client, instance: caller.instance, parent: caller, at: time)
        setClientAttributes(frame.draft, index, operation, attempt: attempt)
        let end = time + nanoseconds(ownTime(index, operation, fault: fault))
        close(frame, operation, side: .client, at: end, fault: fault, isOrigin: true)
        return Outcome(end: end, fault: fault)
    }

    /// A producer span; the consumers begin after it and nobody waits for them.
    private mutating func publish(_ index: Int, _ operation: Operation, from caller: Frame, at time: UInt64) -> Outcome
    {
        let fault = plan.takeFault(at: index)
        var frame = open(operation, .producer, instance: caller.instance, parent: caller, at: time)
        setClientAttributes(frame.draft, index, operation, attempt: 0)
        let end = time + nanoseconds(ownTime(index, operation, fault: fault))
        close(frame, operation, side: .client, at: end, fault: fault, isOrigin: true)
        if fault != nil { return Outcome(end: end, fault: fault) }
        if operation.id == "order-placed" {
            sentOrders.append(SpanLink(traceID: traceID, spanID: frame.spanID, flags: 0x301))
        }
        frame.isRemote = true
        for step in world.steps[index] {
            guard case .operation(let consumer) = step.target else { continue }
            // Most messages wait for a poll only; now and then a consumer lags behind.
            let wait = random.chance(0.03) ? random.double(in: 0.8e9...4e9) : random.logNormal(median: 12e6, sigma: 0.9)
            _ = run(consumer, caller: frame, at: end + nanoseconds(wait), attempt: 0)
        }
        return Outcome(end: end, fault: nil)
    }

    // MARK: Steps

    /// Runs an operation's steps with its own time spread between them. With a fault it stops somewhere on the way.
    private mutating func runSteps(
        of index: Int, _ operation: Operation, in frame: Frame, at start: UInt64, fault: Fault?
    ) -> Outcome {
        let steps = world.steps[index]
        var own = ownTime(index, operation, fault: fault)
        let share = own / Double(steps.count + 1)
        let count = fault == nil ? steps.count : random.index(below: steps.count + 1)
        var time = start
        for step in steps.prefix(count) {
            let gap = share * random.double(in: 0.3...1)
            own -= gap
            time += nanoseconds(gap)
            let outcome = perform(step, in: frame, at: time, concurrently: false)
            time = outcome.end
            if let found = outcome.fault {
                return Outcome(end: time + nanoseconds(share * 0.2), fault: fault ?? found)
            }
        }
        return Outcome(end: time + nanoseconds(own), fault: fault)
    }

    private mutating func perform(
        _ linked: World.LinkedStep, in frame: Frame, at start: UInt64, concurrently: Bool
    ) -> Outcome {
        let step = linked.step
        // What has been planned must come to pass, or the shares of errors and slow traces would fall short.
        let isForced = plan.isPending && plan.needs(linked, in: world)
        guard isForced || random.chance(step.probability) else { return Outcome(end: start) }
        var outcome = Outcome(end: start)
        switch linked.target {
        case .concurrently(let steps):
            for (number, inner) in steps.enumerated() {
                let stagger = UInt64(number) * 35_000
                outcome.join(perform(inner, in: frame, at: start + stagger, concurrently: true))
            }
        case .operation(let target):
            let isLoop = step.times.upperBound > 1 || step.isPerMessage
            let drawn = step.isPerMessage ? linkedOrders.count : isLoop ? random.int(in: step.times) : 1
            let times = max(drawn, isForced ? 1 : 0)
            let product = visit.product
            for number in 0..<times {
                if isLoop { visit.product = world.productChoice.sample(&random) }
                let begin = concurrently ? start + UInt64(number) * 35_000 : outcome.end
                outcome.join(attempt(target, step, in: frame, at: begin))
                if outcome.fault != nil && !concurrently { break }
            }
            if isLoop { visit.product = product }
        }
        return outcome
    }

    /// One call with its retries, each a sibling span, and a growing, jittered pause before each.
    private mutating func attempt(_ target: Int, _ step: Step, in frame: Frame, at start: UInt64) -> Outcome {
        var outcome = run(target, caller: frame, at: start, attempt: 0)
        var number = 0
        while let fault = outcome.fault, fault.isRetriable, number < step.retries {
            number += 1
            if let owner = world.operations[target].owner {
                turn[owner.rawValue] = (turn[owner.rawValue] + 1) % owner.instanceCount
            }
            let pause = 40e6 * Double(1 << (number - 1)) * random.double(in: 0.5...1.5)
            outcome = run(target, caller: frame, at: outcome.end + nanoseconds(pause), attempt: number)
        }
        if step.isOptional { outcome.fault = nil }
        return outcome
    }

    /// The operation's own time: its latency, stretched by an incident, a planned slowness or a timeout.
    private mutating func ownTime(_ index: Int, _ operation: Operation, fault: Fault?) -> Double {
        var time = operation.own.sample(&random)
        if let incident, operation.dependency == incident.dependency { time *= incident.factor }
        if let extra = plan.takeSlowness(at: index) { time += extra }
        if fault == .timeout { time += random.double(in: 0.8e9...2.5e9) }
        return time
    }

    // MARK: Links

    private mutating func addLink(_ draft: Int, to producer: SpanID) {
        drafts[draft].span.links.append(SpanLink(traceID: traceID, spanID: producer, flags: 0x301))
    }

    private mutating func addBatch(_ draft: Int) {
        drafts[draft].span.links = linkedOrders
        drafts[draft].span.attributes.append(.int("messaging.batch.message_count", linkedOrders.count))
    }
}

extension TraceBuilder.Outcome {
    /// The end of both; the first fault counts.
    mutating func join(_ other: TraceBuilder.Outcome) {
        end = max(end, other.end)
        fault = fault ?? other.fault
    }
}

/// Rounds to whole nanoseconds.
func nanoseconds(_ time: Double) -> UInt64 { UInt64(max(time, 0)) }
