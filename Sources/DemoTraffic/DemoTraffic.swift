import TraceModel

/// The traffic of a made-up web shop: an endless, seeded sequence of trace records.
///
/// Customers browse, search, fill carts, log in and check out; orders travel on through Kafka to shipping, e-mail and
/// accounting; a report job runs now and then. Fifteen services in ten languages, each with two or three instances,
/// talk HTTP, gRPC, SQL, Redis, a search index and Kafka, with the attributes of OpenTelemetry's semantic conventions
/// 1.37.
///
/// Things go wrong as they do in such a shop: payments are declined, databases time out, calls are retried, errors
/// cascade up to the browser, one dependency is slow for a minute, clocks differ, spans come late or never. Attributes
/// carry the personal data that a pipeline has to scrub; all of it is made up (`example.com`, published test cards).
///
/// The clock is never read: time starts at the configuration's `startTime` and advances as records are pulled. Only the
/// records in flight are held, about `tracesPerSecond × batchDelay` traces.
public struct DemoTraffic: Sendable {
    /// The names of all services, as in `service.name`.
    public static let services: [String] = ServiceID.allCases.map(\.name)

    /// Counts what the traces made so far hold, including records that `next()` has not returned yet.
    public private(set) var groundTruth = DemoGroundTruth()
    /// Traces made so far.
    public private(set) var traces = 0
    /// Spans made so far.
    public private(set) var spans = 0

    private let configuration: DemoTrafficConfiguration
    private let world: World
    private var arrivals: Arrivals
    private var incidents: Incidents
    private var recentOrders = RecentMessages()
    private var queue = EmitQueue()

    public init(_ configuration: DemoTrafficConfiguration) {
        self.configuration = configuration
        world = World(configuration)
        arrivals = Arrivals(configuration)
        incidents = Incidents(seed: configuration.seed, startTime: configuration.startTime)
    }

    /// Returns the record that is sent next. There is always one; emit times never go back.
    public mutating func next() -> DemoRecord {
        guard let record = next(ofFirst: .max) else { preconditionFailure("the sequence of traces has no end") }
        return record
    }

    /// Returns the next record of the first `limit` traces, or nil when all of them have been returned.
    public mutating func next(ofFirst limit: Int) -> DemoRecord? {
        // A record may leave once no trace yet to be made can have an earlier one; none is sent before its trace
        // begins.
        while traces < limit {
            let start = configuration.startTime + UInt64(arrivals.nextSeconds * 1e9)
            if let first = queue.firstEmitTime, first <= start { break }
            makeTrace(at: start)
            arrivals.advance()
        }
        return queue.pop()
    }

    private mutating func makeTrace(at start: UInt64) {
        if configuration.incidents { incidents.advance(to: start) }
        var builder = TraceBuilder(
            world: world, configuration: configuration, number: traces, start: start, incident: incidents.current)
        builder.build(recentOrders: &recentOrders)
        let shipment = Shipment(builder: builder)
        for record in shipment.records { queue.push(record) }
        shipment.count(into: &groundTruth)
        traces = groundTruth.traces
        spans = groundTruth.spans
    }
}
