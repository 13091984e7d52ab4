@testable import Sampling

/// Spill files in memory whose disk can be full or broken.
final class FaultySpillFiles: SpillFileSource {
    /// Writes that still succeed; nil for all.
    var writesLeft: Int?
    var readsFail = false
    var makesFail = false
    private(set) var made = 0
    private(set) var closed = 0
    private(set) var reads = 0
    /// Bytes on the disk now.
    private(set) var held = 0

    func make() throws(SpillError) -> any SpillFile {
        if makesFail { throw SpillError(operation: "create a file in", path: "test", explanation: "read-only") }
        made += 1
        return File(self)
    }

    private final class File: SpillFile {
        private let owner: FaultySpillFiles
        private var bytes: [UInt8] = []

        init(_ owner: FaultySpillFiles) { self.owner = owner }

        deinit { owner.closed += 1 }

        func write(_ source: UnsafeRawBufferPointer, at offset: Int) throws(SpillError) {
            if let left = owner.writesLeft {
                guard left > 0 else {
                    throw SpillError(operation: "spill to", path: "test", explanation: "no space left on device")
                }
                owner.writesLeft = left - 1
            }
            if bytes.count < offset + source.count {
                bytes += [UInt8](repeating: 0, count: offset + source.count - bytes.count)
            }
            bytes.replaceSubrange(offset..<(offset + source.count), with: source)
        }

        func read(into target: UnsafeMutableRawBufferPointer, at offset: Int) throws(SpillError) -> Int {
            owner.reads += 1
            if owner.readsFail {
                throw SpillError(operation: "read back from", path: "test", explanation: "input/output error")
            }
            let part = bytes[min(offset, bytes.count)..<min(offset + target.count, bytes.count)]
            target.copyBytes(from: part)
            return part.count
        }

        func discard(at offset: Int, count: Int) {
            let end = min(offset + count, bytes.count)
            bytes.replaceSubrange(offset..<end, with: repeatElement(0xee, count: end - offset))
        }
    }
}
