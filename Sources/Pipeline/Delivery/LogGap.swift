/// A position that a log does not have, and what a source does about it: retention took records that were not read yet, or
/// the topic was made anew or cut. Never silent (I14). A pure function.
package struct LogGap: Sendable, Equatable {
    /// What a source does, in this order.
    package enum Step: Sendable, Equatable {
        /// Tells the operator.
        case report(from: Int64, to: Int64, explanation: String)
        /// What is known of the partition's offsets is void.
        case restart(at: Int64)
        case seek(to: Int64)
    }

    package let steps: [Step]

    /// - Parameters:
    ///   - position: where the source wanted to read.
    ///   - log: the offsets that there are.
    ///   - continues: the operator has allowed to go on at the start of the log.
    package init(position: Int64, log: Range<Int64>, continues: Bool) {
        let cause =
            position > log.upperBound
            ? "the log ends at \(log.upperBound): the topic was recreated or truncated"
            : "the log starts at \(log.lowerBound): retention removed what was not read yet"
        let action =
            continues
            ? "going on at the start of the log (on_data_loss: continue)"
            : "the partition is stopped; set on_data_loss: continue to go on at the start of the log"
        var steps: [Step] = [.report(from: position, to: log.lowerBound, explanation: cause + "; " + action)]
        #if TAILRACE_MUTATIONS
            if ProtocolMutation.active == .lossNotReported { steps = [] }
        #endif
        if continues {
            // Offsets start again: a record that comes now is another one than that of before with its offset.
            if log.lowerBound < position { steps.append(.restart(at: log.lowerBound)) }
            steps.append(.seek(to: log.lowerBound))
        }
        self.steps = steps
    }
}
