/// Which steps a worker has taken because something is short, from pressure to step and back. A state machine: figures go in,
/// steps come out.
///
/// In this order: spans go to disk, the oldest traces are decided early (memory), segments are stored without search attributes (disk nearly
/// full), partitions are paused (disk full, store unreachable, more buffered than the budget). Never a dropped span. Each step
/// is taken back by itself when its cause is gone.
package struct DegradationLadder: Sendable {
    /// What a worker is under at a moment.
    package struct Pressure: Sendable {
        /// Bytes of windows and buffers, and what they may be.
        package var windowBytes: Int
        package var bufferedBytes: Int
        package var budget: Int
        /// Bytes of spans on disk, and why they cannot go there at present.
        package var spilledBytes: Int
        package var spillError: String?
        /// Traces were decided early since the last time.
        package var isDecidingEarly: Bool
        /// Nil where the store cannot tell.
        package var space: StoreSpace?
        /// Why the last flush failed; nil when it succeeded.
        package var flushError: String?

        package init(
            windowBytes: Int, bufferedBytes: Int, budget: Int, spilledBytes: Int = 0, spillError: String? = nil,
            isDecidingEarly: Bool = false, space: StoreSpace?, flushError: String?
        ) {
            self.windowBytes = windowBytes
            self.bufferedBytes = bufferedBytes
            self.budget = budget
            self.spilledBytes = spilledBytes
            self.spillError = spillError
            self.isDecidingEarly = isDecidingEarly
            self.space = space
            self.flushError = flushError
        }
    }

    /// Below these shares of the file system the disk counts as nearly full, and as full. The reserve lets what is under way
    /// be finished, so that a full disk is met between two flushes and not within one.
    static let nearlyFull = 0.05
    static let reserve = 0.01
    /// A step is taken back only when there is so much more than its threshold, so that it does not flap.
    static let recovery = 1.2

    /// Steps in force, in the order of the ladder.
    package private(set) var steps: [DegradationStep] = []

    package init() {}

    package func contains(_ kind: DegradationStep.Kind) -> Bool { steps.contains { $0.kind == kind } }

    /// Takes and takes back steps.
    package mutating func update(_ pressure: Pressure) {
        var next: [DegradationStep] = []
        let isOver = pressure.windowBytes + pressure.bufferedBytes > pressure.budget
        if pressure.spilledBytes > 0 {
            next.append(
                DegradationStep(
                    kind: .spill, cause: .memory,
                    detail: "\(pressure.spilledBytes) bytes of open traces are on disk"))
        }
        if pressure.isDecidingEarly {
            next.append(
                DegradationStep(
                    kind: .earlyDecisions, cause: .memory,
                    detail: "the budget of \(pressure.budget) bytes is used up: the oldest traces are decided early"))
        }
        if let space = pressure.space {
            if isBelow(Self.nearlyFull, space, while: contains(.withoutIndex)) {
                next.append(
                    DegradationStep(
                        kind: .withoutIndex, cause: .diskNearlyFull,
                        detail: "\(space.freeBytes) of \(space.totalBytes) bytes are free: segments are stored without "
                            + "search attributes"))
            }
            if isBelow(Self.reserve, space, while: isPaused(by: .diskFull)) {
                next.append(
                    DegradationStep(
                        kind: .pause, cause: .diskFull,
                        detail:
                            "\(space.freeBytes) of \(space.totalBytes) bytes are free: partitions are paused, Kafka "
                            + "keeps their records"))
            }
        }
        if let error = pressure.spillError, isOver {
            // Nobody is decided early because of a bad disk: Kafka holds the rest.
            next.append(
                DegradationStep(
                    kind: .pause, cause: .store,
                    detail: "spans cannot go to disk, partitions are paused: \(error)"))
        }
        if let error = pressure.flushError {
            next.append(
                DegradationStep(
                    kind: .pause, cause: .store,
                    detail: "nothing can be made durable, partitions are paused: \(error)"))
        }
        if pressure.bufferedBytes > pressure.budget {
            next.append(
                DegradationStep(
                    kind: .pause, cause: .memory,
                    detail:
                        "\(pressure.bufferedBytes) bytes wait to be stored, the budget is \(pressure.budget): partitions "
                        + "are paused"))
        }
        steps = next
    }

    private func isPaused(by cause: DegradationStep.Cause) -> Bool {
        steps.contains { $0.kind == .pause && $0.cause == cause }
    }

    private func isBelow(_ share: Double, _ space: StoreSpace, while isActive: Bool) -> Bool {
        let threshold = Double(space.totalBytes) * share * (isActive ? Self.recovery : 1)
        return Double(space.freeBytes) < threshold
    }
}

/// One step that a worker has taken.
public struct DegradationStep: Sendable, Equatable {
    public enum Kind: String, Sendable, CaseIterable {
        case spill
        case earlyDecisions = "early_decisions"
        case withoutIndex = "without_index"
        case pause
    }

    public enum Cause: String, Sendable, CaseIterable {
        case memory
        case diskNearlyFull = "disk_nearly_full"
        case diskFull = "disk_full"
        case store
    }

    public var kind: Kind
    public var cause: Cause
    /// One sentence for people.
    public var detail: String

    public init(kind: Kind, cause: Cause, detail: String) {
        self.kind = kind
        self.cause = cause
        self.detail = detail
    }
}

/// Room in the store's file system, bytes.
public struct StoreSpace: Sendable, Equatable {
    /// What an ordinary user may still write.
    public var freeBytes: UInt64
    public var totalBytes: UInt64

    public init(freeBytes: UInt64, totalBytes: UInt64) {
        self.freeBytes = freeBytes
        self.totalBytes = totalBytes
    }
}
