/// The vote of a policy that needs only the evidence and its bits, as a plain value: a sampler takes it without calling the
/// policy's object, and without counting references.
enum DirectVote {
    /// Some span has one of the status codes; bits as in `TraceEvidence.statusSeen`.
    case status(UInt8)
    /// Milliseconds, truncated; the lower bound is exclusive, the upper inclusive, and 0 means none.
    case latency(threshold: UInt64, upperThreshold: UInt64)
    /// Both inclusive; a maximum of 0 means none.
    case spanCount(minimum: UInt32, maximum: UInt32)
    /// Some span met the policy's first condition, or (inverted) none did.
    case anySpan(isInverted: Bool)

    @inline(__always)
    func vote(on trace: borrowing TraceEvidence, matched: ConditionBits) -> SamplingVote {
        isMet(by: trace, matched: matched) ? .keep(probability: 1) : .pass(probability: 0)
    }

    /// Whether the vote is to keep, which is certain.
    @inline(__always)
    func isMet(by trace: borrowing TraceEvidence, matched: ConditionBits) -> Bool {
        switch self {
        case .status(let wanted): trace.statusSeen & wanted != 0
        case .latency(let threshold, let upperThreshold):
            Self.isSlow(trace.duration / 1_000_000, threshold, upperThreshold)
        case .spanCount(let minimum, let maximum):
            trace.spanCount >= minimum && (maximum == 0 || trace.spanCount <= maximum)
        case .anySpan(let isInverted): matched[0] != isInverted
        }
    }

    @inline(__always)
    private static func isSlow(_ milliseconds: UInt64, _ threshold: UInt64, _ upperThreshold: UInt64) -> Bool {
        milliseconds > threshold && (upperThreshold == 0 || milliseconds <= upperThreshold)
    }
}

/// A policy whose vote is a `DirectVote`.
protocol DirectPolicy: SamplingPolicy {
    var directVote: DirectVote { get }
}
