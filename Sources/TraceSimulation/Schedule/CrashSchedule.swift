/// The scheduled deaths of a world: each is armed when the one before it has happened.
struct CrashSchedule {
    private var waiting: ArraySlice<CrashPoint>
    private let isRecording: Bool
    /// How often each step was taken.
    private(set) var seen: [String: Int] = [:]
    private(set) var struck: [CrashPoint] = []
    /// Names that are only looked at, for a world without crashes whose steps are wanted.
    static let recordOnly = CrashPoint(step: "", occurrence: 0, moment: .before, losesPower: false)

    private let failing: [String: Set<Int>]

    init(_ crashes: [CrashPoint], failing: [String: Set<Int>]) {
        self.failing = failing
        isRecording = !crashes.isEmpty || !failing.isEmpty
        waiting = crashes.filter { $0 != Self.recordOnly }[...]
    }

    /// Notes a step; returns the crash that is due at it, and whether it is to fail.
    mutating func next(_ name: @autoclosure () -> String) -> (crash: CrashPoint?, fails: Bool) {
        guard isRecording else { return (nil, false) }
        let name = name()
        let count = seen[name, default: 0]
        seen[name] = count + 1
        let fails = failing[name]?.contains(count) == true
        guard let crash = waiting.first, crash.step == name, count >= crash.occurrence else { return (nil, fails) }
        waiting = waiting.dropFirst()
        struck.append(crash)
        return (crash, fails)
    }
}
