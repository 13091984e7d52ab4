/// The moment at which a worker is called, as its shell's clocks show it.
package struct WorkerTime: Sendable, Equatable {
    /// Milliseconds since the Unix epoch.
    package var wall: Int64
    /// Milliseconds of a clock that nobody sets: intervals and deadlines.
    package var monotonic: Int64

    package init(wall: Int64, monotonic: Int64) {
        self.wall = wall
        self.monotonic = monotonic
    }

    /// The machine's clocks.
    package static func current() -> WorkerTime {
        WorkerTime(wall: WallClock.now(), monotonic: WallClock.monotonic())
    }
}
