import Glibc

/// A named course of traffic, in terms of the budget that is tried on it.
package enum Scenario: String, CaseIterable, Sendable {
    case step10x
    case burst
    case diurnal
    case cardinality

    /// One sentence for people.
    package var summary: String {
        switch self {
        case .step10x: "five times the budget, then fifty times for 150 s, then five times again"
        case .burst: "five times the budget, with a burst of twenty times that for 5 s in every minute"
        case .diurnal: "a day in ten minutes: from half of the budget to twenty times, and back"
        case .cardinality: "ten times the budget; after 100 s eight of ten traces have a key of their own"
        }
    }

    /// - Parameter rate: the budget, spans per second.
    package func traffic(rate: Double, seed: UInt64, tick: Int64) -> SyntheticTraffic {
        var settings: SyntheticTraffic.Settings
        switch self {
        case .step10x:
            settings = SyntheticTraffic.Settings { (150..<300).contains($0) ? rate * 50 : rate * 5 }
            settings.duration = 450
        case .burst:
            settings = SyntheticTraffic.Settings { $0 % 60 >= 30 && $0 % 60 < 35 ? rate * 100 : rate * 5 }
            settings.duration = 300
        case .diurnal:
            settings = SyntheticTraffic.Settings { second in
                let phase = (1 - cos(2 * Double.pi * Double(second) / 600)) / 2
                return rate * (0.5 + 19.5 * phase)
            }
            settings.duration = 600
        case .cardinality:
            settings = SyntheticTraffic.Settings { _ in rate * 10 }
            settings.uniqueKeyShare = { $0 >= 100 ? 0.8 : 0 }
            settings.duration = 200
        }
        settings.seed = seed
        settings.tick = tick
        return SyntheticTraffic(settings)
    }

    /// Seconds at which the load changes abruptly.
    package var steps: [Int] {
        switch self {
        case .step10x: [150, 300]
        case .burst: [30, 35, 90, 95, 150, 155, 210, 215, 270, 275]
        case .diurnal: []
        case .cardinality: [100]
        }
    }
}
