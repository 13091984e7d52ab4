import ArgumentParser
import Pipeline
import Query

/// A time as options take it: how long ago, or when.
enum PointInTime {
    /// Milliseconds since the Unix epoch.
    static func parse(_ text: String, option: String) throws -> Int64 {
        if let age = DurationText.parse(text) { return WallClock.now() - Int64(clamping: age / 1_000_000) }
        if let time = TimeText.parse(text) { return Int64(clamping: time / 1_000_000) }
        throw ValidationError("\(option) \(text) is no duration (24h) and no time (2026-11-21T03:00:00Z)")
    }
}
