import Foundation
import Synchronization

/// A process that `scripts/real-broker.sh` starts and becomes. Killed when it is let go, and when the test run ends.
final class ScriptProcess: Sendable {
    private let identifier: pid_t

    private static let running = Mutex<Set<pid_t>>([])
    /// Once, at the first start: a `static let` is made once.
    private static let killsAllAtExit: Void = {
        atexit { ScriptProcess.running.withLock { for process in $0 { Glibc.kill(process, SIGKILL) } } }
    }()

    /// - Parameter arguments: of the script, which must `exec`, so that the process is the server itself.
    init(_ arguments: [String]) throws {
        _ = Self.killsAllAtExit
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        process.arguments = [RealBroker.projectRoot + "/scripts/real-broker.sh"] + arguments
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        let identifier = process.processIdentifier
        self.identifier = identifier
        _ = Self.running.withLock { $0.insert(identifier) }
    }

    func signal(_ number: Int32) { Glibc.kill(identifier, number) }

    /// SIGKILL, for tansu 0.6.0 ignores SIGTERM. Returns when the process has gone.
    func kill() {
        guard Self.running.withLock({ $0.remove(identifier) }) != nil else { return }
        signal(SIGKILL)
        // Foundation reaps it; it is gone when no such process is left, or a dead one.
        _ = eventually(within: 10_000) { Self.isGone(identifier) }
    }

    private static func isGone(_ identifier: pid_t) -> Bool {
        guard let stat = try? String(contentsOfFile: "/proc/\(identifier)/stat", encoding: .utf8) else { return true }
        return stat.split(separator: ")").last?.hasPrefix(" Z") ?? true
    }

    deinit { kill() }
}
