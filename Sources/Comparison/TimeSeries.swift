/// Spans over stream time: offered, and kept by each side. A few hundred intervals, which double in length when they do not
/// suffice.
package struct TimeSeries: Sendable {
    package struct Interval: Sendable, Equatable {
        package var offered = 0
        package var kept = PerSide(0)
    }

    private static let limit = 400

    /// Length of an interval, milliseconds.
    package private(set) var width: Int64 = 1000
    /// Number of the first interval, counted from time 0.
    private var first: Int64 = 0
    package private(set) var intervals: [Interval] = []

    package init() {}

    mutating func addOffered(_ spans: Int, at time: Int64) {
        let place = place(of: time)
        intervals[place].offered += spans
    }

    mutating func addKept(_ spans: Int, side: Side, at time: Int64) {
        let place = place(of: time)
        intervals[place].kept[side] += spans
    }

    private mutating func place(of time: Int64) -> Int {
        var number = Self.number(of: time, width)
        if intervals.isEmpty {
            first = number
            intervals = [Interval()]
        }
        while max(number, first + Int64(intervals.count) - 1) - min(number, first) >= Int64(Self.limit) {
            halve()
            number = Self.number(of: time, width)
        }
        if number < first {
            intervals.insert(contentsOf: repeatElement(Interval(), count: Int(first - number)), at: 0)
            first = number
        }
        while first + Int64(intervals.count) <= number { intervals.append(Interval()) }
        return Int(number - first)
    }

    private static func number(of time: Int64, _ width: Int64) -> Int64 { max(0, time) / width }

    private mutating func halve() {
        var merged: [Interval] = []
        let start = first / 2
        for (index, interval) in intervals.enumerated() {
            let place = Int((first + Int64(index)) / 2 - start)
            if place == merged.count { merged.append(Interval()) }
            merged[place].offered += interval.offered
            for side in Side.allCases { merged[place].kept[side] += interval.kept[side] }
        }
        first = start
        width *= 2
        intervals = merged
    }
}
