/// What a budget is counted in.
package enum BudgetUnit: UInt8, Sendable, Equatable {
    case spans, bytes, traces

    package var name: String {
        switch self {
        case .spans: "spans"
        case .bytes: "bytes"
        case .traces: "traces"
        }
    }
}

/// The settings of one budget. All times are stream time in milliseconds, all rates per second of stream time.
package struct BudgetSettings: Sendable, Equatable {
    /// The budget: units per second.
    package var rate: Double
    package var unit: BudgetUnit
    /// Length of a tick: the traces of one tick are decided together.
    package var tick: Int64 = 1000
    /// Seconds of budget that may be carried from tick to tick as credit.
    package var carry: Double = 0.5
    /// Keep the first trace of every key and shape per coverage window.
    package var coverage: Coverage? = Coverage()
    package var mustKeep = MustKeep()
    /// Exponent of a key's cost in the importance of the traces of the lowest tier: 0 keeps all keys in proportion, 1 gives
    /// every key the same share.
    package var alpha: Double = 0.5
    package var rules: [BudgetRule] = []
    /// Decide and count, but keep everything.
    package var isDryRun = false
    package var fleet = Fleet()
    /// Bounds of the tables; what does not fit shares a hash bucket.
    package var maximumKeys = 65_536
    package var maximumPairs = 65_536
    package var maximumSketches = 8192
    package var maximumShapes = 65_536

    /// How the workers of a fleet hold the budget together.
    package struct Fleet: Sendable, Equatable {
        /// By what each is offered; else by how many of the partitions each owns.
        package var isByDemand = true
        /// Where the workers tell each other what they are offered.
        package var topic = "tailrace.budget"
        package var settings = FleetBudget.Settings()

        package init() {}
    }

    package struct Coverage: Sendable, Equatable {
        /// Length of the aligned coverage windows.
        package var interval: Int64 = 60_000
        /// The tier's share of the budget at most, 0…1.
        package var share = 0.5

        package init() {}
    }

    package struct MustKeep: Sendable, Equatable {
        package var errors = true
        /// Keep traces slower than this percentile of their key, 0…1; nil for none.
        package var slowerThan: Double? = 0.99
        /// The tier's share of what the tiers above it left, 0…1.
        package var share = 0.8
        /// Keep the outlines of traces with an error where the budget cannot pay for all of them whole.
        package var outlines = true
        /// Part of the tier that outlines leave to whole traces: these must have a chance, or nothing would be known of the spans
        /// that outlines leave out.
        package static var wholeShare: Double { 0.1 }

        package init() {}
    }

    package init(rate: Double, unit: BudgetUnit = .spans) {
        self.rate = rate
        self.unit = unit
    }

    /// Budget of one tick.
    package var perTick: Double { rate * Double(tick) / 1000 }
}

/// What a user's rule does with the traces that meet it. Which traces do is found out by the caller.
package struct BudgetRule: Sendable, Equatable {
    package enum Action: Sendable, Equatable {
        /// Keep while the must-keep tier has room.
        case mustKeep
        /// Sample with the rest.
        case rest
        /// A budget of its own inside the whole: at most this rate, units per second.
        case ownBudget(rate: Double)
        case drop
    }

    package var name: String
    package var action: Action
    /// Multiplies the importance of the traces within their tier.
    package var multiplier: Double
    /// Count what the rule would meet, and go on as if it were not there.
    package var isDryRun: Bool

    package init(name: String, action: Action, multiplier: Double = 1, isDryRun: Bool = false) {
        self.name = name
        self.action = action
        self.multiplier = multiplier
        self.isDryRun = isDryRun
    }
}
