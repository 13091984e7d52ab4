import Glibc
import Sampling

/// Spill files of one simulated process, without names as on Linux: they go with their process, and what a power failure
/// leaves of them nobody can find. Writes fail on a full disk, and reads may fail too.
final class SimulatedSpillFiles: SpillFileSource {
    private let gate: any StepGate

    init(gate: any StepGate) { self.gate = gate }

    func make() throws(SpillError) -> any SpillFile {
        try Self.take(.create, gate, "create a file in")
        return File(gate: gate)
    }

    private static func take(_ step: Step, _ gate: any StepGate, _ operation: String) throws(SpillError) {
        if let code = gate.take(step, "spill") {
            throw SpillError(operation: operation, path: "spill", explanation: String(cString: strerror(code)))
        }
    }

    private final class File: SpillFile {
        private let gate: any StepGate
        private var bytes: [UInt8] = []

        init(gate: any StepGate) { self.gate = gate }

        func write(_ source: UnsafeRawBufferPointer, at offset: Int) throws(SpillError) {
            try SimulatedSpillFiles.take(.spill, gate, "spill to")
            if bytes.count < offset + source.count {
                bytes += [UInt8](repeating: 0, count: offset + source.count - bytes.count)
            }
            bytes.replaceSubrange(offset..<(offset + source.count), with: source)
        }

        func read(into target: UnsafeMutableRawBufferPointer, at offset: Int) throws(SpillError) -> Int {
            try SimulatedSpillFiles.take(.readSpilled, gate, "read back from")
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
