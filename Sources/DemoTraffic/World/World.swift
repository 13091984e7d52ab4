import TraceModel

/// The shop as tables, made once per generator and never changed: a class, so that traces share it without copies.
final class World: Sendable {
    /// A step whose target has been looked up.
    struct LinkedStep: Sendable {
        enum Target: Sendable {
            case operation(Int)
            case concurrently([LinkedStep])
        }

        var target: Target
        var step: Step
    }

    /// A journey whose operations have been looked up.
    struct LinkedJourney: Sendable {
        var root: Int
        var direct: Int?
        var directShare: Double
    }

    /// A place where something can go wrong in a trace that begins with a certain operation.
    struct FaultSite: Sendable {
        var operation: Int
        var fault: Fault
        var weight: Double
    }

    let operations: [Operation]
    /// Per operation, what it calls.
    let steps: [[LinkedStep]]
    /// Attributes that are the same for every span of the operation: of the caller's span, and of the owner's.
    let clientAttributes: [[Attribute]]
    let serverAttributes: [[Attribute]]
    let journeys: [LinkedJourney]
    let journeyChoice: WeightedChoice
    /// Per operation that begins a trace.
    let faultSites: [[FaultSite]]
    let slowSites: [[Int]]
    let instances: [Instance]
    /// Per service, the index of its first instance.
    let firstInstance: [Int]
    let userChoice: WeightedChoice
    let productChoice: WeightedChoice
    let termChoice: WeightedChoice

    private let reach: [[Bool]]

    init(_ configuration: DemoTrafficConfiguration) {
        let operations = Operation.entry + Operation.shop + Operation.office
        self.operations = operations
        let indices = Dictionary(uniqueKeysWithValues: operations.enumerated().map { ($1.id, $0) })
        func index(_ id: String) -> Int {
            guard let index = indices[id] else { preconditionFailure("no operation is called \(id)") }
            return index
        }
        func link(_ step: Step) -> LinkedStep {
            var step = step
            if step.isBulk {
                let scaled = { (count: Int) in max(1, Int(Double(count) * configuration.bulkiness)) }
                step.times = scaled(step.times.lowerBound)...scaled(step.times.upperBound)
            }
            switch step.target {
            case .operation(let id): return LinkedStep(target: .operation(index(id)), step: step)
            case .concurrently(let steps): return LinkedStep(target: .concurrently(steps.map(link)), step: step)
            }
        }
        let steps = operations.map { $0.steps.map(link) }
        self.steps = steps
        clientAttributes = operations.map(\.fixedClientAttributes)
        serverAttributes = operations.map(\.fixedServerAttributes)
        journeys = Journey.all.map {
            LinkedJourney(root: index($0.root), direct: $0.direct.map(index), directShare: $0.directShare)
        }
        journeyChoice = WeightedChoice(weights: Journey.all.map(\.weight))

        let reach = operations.indices.map { Self.reached(from: $0, steps, operations, throughTopics: true) }
        self.reach = reach
        let waitedFor = operations.indices.map { Self.reached(from: $0, steps, operations, throughTopics: false) }
        faultSites = operations.indices.map { root in
            operations.indices.filter { reach[root][$0] }.flatMap { site in
                operations[site].faults.map { FaultSite(operation: site, fault: $0.0, weight: $0.1) }
            }
        }
        slowSites = operations.indices.map { root in
            operations.indices.filter { waitedFor[root][$0] && operations[$0].canBeSlow }
        }
        instances = Instance.all(configuration)
        var first = 0
        firstInstance = ServiceID.allCases.map { service in
            defer { first += service.instanceCount }
            return first
        }
        userChoice = WeightedChoice(zipf: People.userCount, exponent: 0.8)
        productChoice = WeightedChoice(zipf: People.productCount, exponent: 1.05)
        termChoice = WeightedChoice(zipf: People.searchTerms.count, exponent: 0.9)
    }

    /// Whether `operation` runs below `start`, or is it.
    func reaches(_ operation: Int, from start: Int) -> Bool { reach[start][operation] }

    func reaches(_ operation: Int, through step: LinkedStep) -> Bool {
        switch step.target {
        case .operation(let target): reaches(operation, from: target)
        case .concurrently(let steps): steps.contains { reaches(operation, through: $0) }
        }
    }

    private static func reached(
        from start: Int, _ steps: [[LinkedStep]], _ operations: [Operation], throughTopics: Bool
    ) -> [Bool] {
        var found = Array(repeating: false, count: operations.count)
        func visit(_ operation: Int) {
            guard !found[operation] else { return }
            found[operation] = true
            if !throughTopics, case .topic = operations[operation].shape { return }
            steps[operation].forEach(visit)
        }
        func visit(_ step: LinkedStep) {
            switch step.target {
            case .operation(let operation): visit(operation)
            case .concurrently(let steps): steps.forEach(visit)
            }
        }
        visit(start)
        return found
    }
}
