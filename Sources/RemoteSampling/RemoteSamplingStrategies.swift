/// Jaeger's remote sampling: from the root spans that come, the probability with which clients shall sample each operation.
///
/// A pure state machine: time comes in as milliseconds since the Unix epoch, nothing is read or written. Once per
/// calculation interval each operation's rate before sampling is estimated from the spans that came, each standing for
/// `1/p` traces, and its probability is set to `target / rate`. Not synchronised.
public struct RemoteSamplingStrategies: Sendable {
    /// For metrics.
    public struct Counters: Sendable, Equatable {
        public var markedSpans: UInt64 = 0
        public var unmarkedSpans: UInt64 = 0
        /// Root spans too old to say anything about present traffic.
        public var staleSpans: UInt64 = 0
        /// Root spans of operations and services for which there was no room.
        public var overflowSpans: UInt64 = 0
        public var requests: UInt64 = 0
        public var updates: UInt64 = 0
        /// Intervals that told nothing: most spans were old, or partitions came or went.
        public var skippedIntervals: UInt64 = 0

        public init() {}
    }

    public internal(set) var settings: RemoteSamplingSettings
    public private(set) var counters = Counters()
    var rates: [OperationKey: OperationRate] = [:]
    /// By service: the operations for which there was no room, together.
    var others: [String: OperationRate] = [:]
    /// By service: when it last asked.
    var requests: [String: Int64] = [:]
    /// By service: how often it asked in the interval. Clients ask once per polling interval, so that tells how many there are.
    private var asks: [String: Double] = [:]

    /// By service: unmarked spans per second of those that sent spans before they asked. Somebody who only looks, or clients of
    /// which one in many asks, leave the spans as they are; clients that follow let all but a share of them vanish.
    var unsampled: [String: Double] = [:]
    private var counts: [OperationKey: OperationCount] = [:]
    private var otherCounts: [String: OperationCount] = [:]
    private var freshSpans = 0.0
    private var staleSpans = 0.0
    private let startedAt: Int64
    /// When the interval began.
    private var openedAt: Int64
    /// Of the topic's partitions, how many are seen here.
    private var share = 1.0

    /// A service's name alone may take so many places; beyond, services get the default.
    static let maxServices = 1000
    /// An operation is forgotten after so many intervals without a span.
    static let forgetAfter = 60
    /// Clients that were told more cannot be told from clients that do not follow.
    private static let tellingProbability = 0.5
    /// Per interval.
    private static let unsampledDecay = 0.9

    /// - Parameter now: milliseconds since the Unix epoch.
    public init(settings: RemoteSamplingSettings = RemoteSamplingSettings(), now: Int64) {
        self.settings = settings
        startedAt = now
        openedAt = now
    }

    public var operationCount: Int { rates.count }
    public var serviceCount: Int { Set(rates.keys.map(\.service)).union(others.keys).count }

    /// New settings count from the next calculation on.
    public mutating func reconfigure(_ settings: RemoteSamplingSettings) { self.settings = settings }

    /// Adds root spans.
    ///
    /// - Parameters:
    ///   - time: when they came, by their records' timestamps.
    ///   - share: the part of all root spans that is seen here, in (0, 1]: of N workers each sees its partitions only.
    public mutating func add(_ new: RootSpanCounts, time: Int64, share: Double = 1, now: Int64) {
        advance(to: now)
        if share != self.share {
            // Spans of two shares cannot be told apart: the interval starts anew.
            self.share = share > 0 && share <= 1 ? share : 1
            if freshSpans > 0 { counters.skippedIntervals += 1 }
            open(at: now)
        }
        let added =
            new.operations.values.reduce(0) { $0 + $1.marked + $1.unmarked }
            + new.others.values.reduce(0) { $0 + $1.marked + $1.unmarked }
        guard time >= now - 2 * settings.calculationInterval else {
            staleSpans += added
            counters.staleSpans &+= UInt64(added)
            return
        }
        freshSpans += added
        counters.overflowSpans &+= new.overflow
        for (key, count) in new.operations {
            counters.markedSpans &+= UInt64(count.marked)
            counters.unmarkedSpans &+= UInt64(count.unmarked)
            if counts[key] != nil || rates[key] != nil || counts.count + rates.count < settings.maxOperations {
                counts[key, default: OperationCount()].add(count)
            } else {
                addToOthers(count, of: key.service)
            }
        }
        for (service, count) in new.others {
            counters.markedSpans &+= UInt64(count.marked)
            counters.unmarkedSpans &+= UInt64(count.unmarked)
            addToOthers(count, of: service)
        }
    }

    private mutating func addToOthers(_ count: OperationCount, of service: String) {
        counters.overflowSpans &+= UInt64(count.marked + count.unmarked)
        guard
            otherCounts[service] != nil || others[service] != nil || otherCounts.count + others.count < Self.maxServices
        else { return }
        otherCounts[service, default: OperationCount()].add(count)
    }

    /// What to tell a client of this service. That it asked is remembered: its unmarked spans are taken to follow.
    public mutating func strategy(for service: String, now: Int64) -> SamplingStrategy {
        advance(to: now)
        counters.requests &+= 1
        if requests[service] == nil, requests.count >= Self.maxServices,
            let oldest = requests.min(by: { $0.value < $1.value })
        {
            requests[oldest.key] = nil
        }
        requests[service] = now
        if asks[service] != nil || asks.count < Self.maxServices { asks[service, default: 0] += 1 }
        return strategy(of: service)
    }

    private func strategy(of service: String) -> SamplingStrategy {
        let operations = rates.filter { $0.key.service == service }
            .map { SamplingStrategy.Operation(name: $0.key.operation, probability: $0.value.probability) }
            .sorted { $0.name < $1.name }
        return SamplingStrategy(
            defaultProbability: others[service]?.probability ?? clamped(settings.initialSamplingProbability),
            lowerBound: settings.minSamplesPerSecond, operations: operations)
    }

    private func clamped(_ probability: Double) -> Double {
        min(settings.maxSamplingProbability, max(settings.minSamplingProbability, probability))
    }

    /// Closes the interval when it is over, and calculates.
    ///
    /// - Returns: whether there are new probabilities.
    @discardableResult
    public mutating func advance(to now: Int64) -> Bool {
        // A clock that was set back begins anew.
        if now < openedAt { open(at: now) }
        guard now - openedAt >= settings.calculationInterval else { return false }
        let isUsable = staleSpans <= freshSpans
        if isUsable {
            calculate(seconds: Double(now - openedAt) / 1000, now: now)
            counters.updates &+= 1
        } else {
            for key in rates.keys { rates[key]?.hold() }
            for service in others.keys { others[service]?.hold() }
            counters.skippedIntervals &+= 1
        }
        open(at: now)
        return isUsable
    }

    private mutating func open(at now: Int64) {
        openedAt = now
        counts.removeAll(keepingCapacity: true)
        otherCounts.removeAll(keepingCapacity: true)
        asks.removeAll(keepingCapacity: true)
        freshSpans = 0
        staleSpans = 0
    }

    private mutating func calculate(seconds: Double, now: Int64) {
        let initial = clamped(settings.initialSamplingProbability)
        noteUnsampled(seconds: seconds, now: now)
        for key in Set(rates.keys).union(counts.keys) {
            let count = counts[key] ?? OperationCount()
            let before = others[key.service]?.probability ?? initial
            rates[key] = next(rates[key], count, of: key.service, unseen: before, seconds, now)
        }
        for service in Set(others.keys).union(otherCounts.keys) {
            let count = otherCounts[service] ?? OperationCount()
            others[service] = next(others[service], count, of: service, unseen: initial, seconds, now)
        }
        requests = requests.filter { now - $0.value < Self.patience(settings) * 4 }
    }

    /// Tells services whose clients began to follow from those that were only asked for. Only a service that was not asked for
    /// in a long time is known not to be sampled: few clients may ask several workers in turn.
    private mutating func noteUnsampled(seconds: Double, now: Int64) {
        var spans: [String: Double] = [:]
        for (key, count) in counts { spans[key.service, default: 0] += count.unmarked }
        for (service, count) in otherCounts { spans[service, default: 0] += count.unmarked }
        for (service, count) in spans {
            let rate = count / (seconds * share)
            let isAsked = hasAsked(service, now)
            if let known = unsampled[service], isAsked {
                let told = meanProbability(of: service)
                // Half-way on a logarithmic scale between all spans and the share that clients were told to send.
                let isFollowed = told < Self.tellingProbability && rate < known * told.squareRoot()
                // Instances may take over one after the other.
                unsampled[service] = isFollowed ? nil : max(rate, known * Self.unsampledDecay)
            } else if !isAsked, rate > 0, now - startedAt >= Self.patience(settings) * 4,
                unsampled[service] != nil || unsampled.count < Self.maxServices
            {
                unsampled[service] = rate
            }
        }
        unsampled = unsampled.filter { spans[$0.key] != nil || hasAsked($0.key, now) }
    }

    /// What a service's clients were told, weighted by the operations' rates.
    private func meanProbability(of service: String) -> Double {
        var weight = 0.0
        var sum = 0.0
        for (key, rate) in rates where key.service == service {
            weight += rate.rate
            sum += rate.rate * rate.probability
        }
        if let rate = others[service] {
            weight += rate.rate
            sum += rate.rate * rate.probability
        }
        return weight > 0 ? sum / weight : 1
    }

    /// Nil forgets the operation.
    private func next(
        _ rate: OperationRate?, _ count: OperationCount, of service: String, unseen: Double, _ seconds: Double,
        _ now: Int64
    ) -> OperationRate? {
        let observation: OperationRate.Observation?
        observation = observe(count, rate, of: service, unseen: unseen, seconds, now)
        guard var rate else {
            guard let observation, observation.effectiveCount > 0 else { return nil }
            return OperationRate(observation, answered: unseen, settings: settings)
        }
        if let observation { rate.update(observation, settings: settings) } else { rate.hold() }
        return rate.idleIntervals >= Self.forgetAfter ? nil : rate
    }

    /// Nil where the count says nothing.
    private func observe(
        _ count: OperationCount, _ rate: OperationRate?, of service: String, unseen: Double, _ seconds: Double,
        _ now: Int64
    ) -> OperationRate.Observation? {
        var weight = count.weight
        var squared = count.squaredWeight
        var uncertainty = 0.0
        let inUse = rate?.probabilityInUse(settings) ?? (probability: unseen, variance: 0)
        if count.unmarked > 0 {
            var inverse = 1.0
            if follows(service, now) {
                inverse = 1 / inUse.probability
                // Each client took over the last answer at a moment of its own: the mean of many is known well.
                let clients = (asks[service] ?? 0) * Double(settings.pollingInterval) / (seconds * 1000)
                uncertainty = inUse.variance / max(1, clients) * count.unmarked / (count.unmarked + count.marked)
            } else if settings.unmarkedSpans == .auto, now - startedAt < Self.patience(settings) {
                // Shortly after a start it is not known yet who asks.
                return nil
            }
            weight += count.unmarked * inverse
            squared += count.unmarked * inverse * inverse
        }
        let scale = 1 / (seconds * share)
        // What one span stands for: as those that came, or as one would with the probability in force.
        let one = weight > 0 ? squared / weight : 1 / inUse.probability
        var observation = OperationRate.Observation()
        observation.rate = weight * scale
        observation.grain = one * scale
        observation.probabilityVariance = uncertainty
        if weight > 0 {
            observation.effectiveCount = weight * weight / squared
            observation.variance = 1 / observation.effectiveCount + uncertainty
        }
        return observation
    }

    /// Whether unmarked spans of the service are what was left by the probabilities that it was told.
    private func follows(_ service: String, _ now: Int64) -> Bool {
        switch settings.unmarkedSpans {
        case .remote: true
        case .unsampled: false
        case .auto: hasAsked(service, now) && unsampled[service] == nil
        }
    }

    private func hasAsked(_ service: String, _ now: Int64) -> Bool {
        requests[service].map { now - $0 < Self.patience(settings) * 4 } ?? false
    }

    /// A client that is there has asked within this time, milliseconds.
    private static func patience(_ settings: RemoteSamplingSettings) -> Int64 {
        settings.pollingInterval + settings.pollingInterval / 2
    }
}
