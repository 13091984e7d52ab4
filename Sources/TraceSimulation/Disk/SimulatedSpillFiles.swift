import Glibc
import Sampling

/// Spill files of one simulated process, without names as on Linux: they go with their process, and what a power failure
/// leaves of them nobody can find. Writes fail on a full disk, and reads may fail too.
final class SimulatedSpillFiles: SpillFileSource {
    private let gate: any StepGate
    private let reach: (Situation) -> Void

    /// - Parameter reach: told what happened.
    init(gate: any StepGate, reach: @escaping (Situation) -> Void) {
        self.gate = gate
        self.reach = reach
    }

    func make() throws(SpillError) -> any SpillFile {
        try take(.create, "create a file in")
        return File(owner: self)
    }

    private func take(_ step: Step, _ operation: String) throws(SpillError) {
        if let code = gate.take(step, "spill") {
            reach(step == .readSpilled ? .unreadableSpill : .spillFailed)
            throw SpillError(operation: operation, path: "spill", explanation: String(cString: strerror(code)))
        }
    }

    private final class File: SpillFile {
        private let owner: SimulatedSpillFiles
        private var bytes: [UInt8] = []

        init(owner: SimulatedSpillFiles) { self.owner = owner }

        func write(_ source: UnsafeRawBufferPointer, at offset: Int) throws(SpillError) {
            try owner.take(.spill, "spill to")
            owner.reach(.spilled)
            if bytes.count < offset + source.count {
                bytes += [UInt8](repeating: 0, count: offset + source.count - bytes.count)
            }
            bytes.replaceSubrange(offset..<(offset + source.count), with: source)
        }

        func read(into target: UnsafeMutableRawBufferPointer, at offset: Int) throws(SpillError) -> Int {
            try owner.take(.readSpilled, "read back from")
            let start = min(offset, bytes.count)
            let count = min(target.count, bytes.count - start)
            target.copyBytes(from: bytes[start..<start + count])
            return count
        }

        func discard(at offset: Int, count: Int) {
            // A hole reads as zeros.
            for index in min(offset, bytes.count)..<min(offset + count, bytes.count) { bytes[index] = 0 }
        }
    }
}
