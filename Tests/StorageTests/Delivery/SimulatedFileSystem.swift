import Glibc
import Storage
import Synchronization

/// Files in memory as a disk holds them: what was synced survives a crash, the rest may be torn or gone. Every operation is
/// one or more steps; at a chosen step the process "crashes" (all later steps fail) or one step fails.
final class SimulatedFileSystem: FileSystem {
    private struct State {
        /// What a running process sees.
        var files: [String: [UInt8]] = [:]
        var directories: Set<String> = []
        /// Steps left until something happens; nil for never.
        var stepsLeft: Int?
        /// What then happens: one failure, or the end of the process.
        var crashes = true
        var isDown = false
        var steps = 0
        var random: StepRandom
    }

    /// SplitMix64.
    private struct StepRandom {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var mixed = state
            mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
            mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
            return mixed ^ mixed >> 31
        }
    }

    private let state: Mutex<State>
    private let interruption = Mutex<(steps: Int, body: @Sendable () -> Void)?>(nil)

    init(seed: UInt64 = 1) { state = Mutex(State(random: StepRandom(state: seed))) }

    /// Lets the step after `steps` more steps fail, and all after it if the process crashes there.
    func arm(afterSteps steps: Int, crashes: Bool) {
        state.withLock { state in
            state.stepsLeft = steps
            state.crashes = crashes
        }
    }

    /// Runs `body` just before the step after `steps` more steps: what another process does meanwhile.
    func interrupt(afterSteps steps: Int, _ body: @escaping @Sendable () -> Void) {
        interruption.withLock { $0 = (steps, body) }
    }

    private func runInterruptionIfDue() {
        let body = interruption.withLock { interruption -> (@Sendable () -> Void)? in
            guard let (steps, body) = interruption else { return nil }
            interruption = steps > 0 ? (steps - 1, body) : nil
            return steps > 0 ? nil : body
        }
        body?()
    }

    func disarm() { state.withLock { $0.stepsLeft = nil } }

    /// The machine is up again.
    func restart() {
        state.withLock { state in
            state.isDown = false
            state.stepsLeft = nil
        }
    }

    var isDown: Bool { state.withLock { $0.isDown } }
    /// Steps taken so far.
    var steps: Int { state.withLock { $0.steps } }
    var paths: [String] { state.withLock { $0.files.keys.sorted() } }

    subscript(path: String) -> [UInt8]? {
        get { state.withLock { $0.files[path] } }
        set { state.withLock { $0.files[path] = newValue } }
    }

    private func failure(_ operation: String, _ path: String, _ code: Int32 = EIO) -> FileError {
        FileError(
            operation: operation, path: path, code: code, explanation: code == ENOENT ? "no such file" : "injected")
    }

    /// Takes a step; throws where it fails. `torn` does what may have been done of it by then.
    private func step(_ operation: String, _ path: String, torn: (inout State) -> Void = { _ in }) throws(FileError) {
        runInterruptionIfDue()
        let fails = state.withLock { state in
            if state.isDown { return true }
            state.steps += 1
            guard let left = state.stepsLeft else { return false }
            if left > 0 {
                state.stepsLeft = left - 1
                return false
            }
            state.stepsLeft = nil
            state.isDown = state.crashes
            if state.random.next() % 2 == 0 { torn(&state) }
            return true
        }
        if fails { throw failure(operation, path) }
    }

    func writeDurably(_ bytes: [UInt8], to path: String) throws(FileError) {
        try step("write", path) { state in
            state.files[path] = Array(bytes.prefix(Int(state.random.next() % UInt64(bytes.count + 1))))
        }
        state.withLock { $0.files[path] = bytes }
    }

    func appendDurably(_ bytes: [UInt8], to path: String, at offset: UInt64, isPrivate: Bool) throws(FileError) {
        let present = state.withLock { $0.files[path] ?? [] }
        guard present.count >= Int(offset) else { throw failure("append to", path, EINVAL) }
        let start = Array(present.prefix(Int(offset)))
        try step("append to", path) { state in
            state.files[path] = start + bytes.prefix(Int(state.random.next() % UInt64(bytes.count + 1)))
        }
        state.withLock { $0.files[path] = start + bytes }
    }

    func renameDurably(_ from: String, to: String) throws(FileError) {
        guard state.withLock({ $0.files[from] != nil }) else { throw failure("rename", from, ENOENT) }
        // Failing here, the rename may have been done or not: the sync of the directory is part of the operation.
        try step("rename", from) { state in
            state.files[to] = state.files[from]
            state.files[from] = nil
        }
        state.withLock { state in
            state.files[to] = state.files[from]
            state.files[from] = nil
        }
    }

    func createExclusively(_ bytes: [UInt8], at path: String) throws(FileError) -> Bool {
        if state.withLock({ !$0.isDown && $0.files[path] != nil }) { return false }
        try step("create", path) { $0.files[path] = bytes }
        state.withLock { $0.files[path] = bytes }
        return true
    }

    func read(_ path: String) throws(FileError) -> [UInt8] {
        let bytes = state.withLock { $0.isDown ? nil : $0.files[path] }
        guard let bytes else { throw failure("read", path, isDown ? EIO : ENOENT) }
        return bytes
    }

    func read(_ path: String, from offset: UInt64, count: Int) throws(FileError) -> [UInt8] {
        Array(try read(path).dropFirst(Int(clamping: offset)).prefix(count))
    }

    func size(_ path: String) throws(FileError) -> UInt64 { UInt64(try read(path).count) }

    func list(_ directory: String) throws(FileError) -> [String] {
        if isDown { throw failure("list", directory) }
        return state.withLock { state in
            let prefix = directory + "/"
            let below = state.files.keys.filter { $0.hasPrefix(prefix) }.map { $0.dropFirst(prefix.count) }
            let direct = state.directories.filter { $0.hasPrefix(prefix) }.map { $0.dropFirst(prefix.count) }
            return Set((below + direct).map { String($0.prefix { $0 != "/" }) }).sorted()
        }
    }

    func createDirectory(_ path: String) throws(FileError) {
        if isDown { throw failure("create directory", path) }
        state.withLock { _ = $0.directories.insert(path) }
    }

    func syncDirectory(_ path: String) throws(FileError) { try step("sync", path) }

    func remove(_ path: String) throws(FileError) {
        try step("remove", path)
        state.withLock { $0.files[path] = nil }
    }
}
