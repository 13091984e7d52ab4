import BrokerTestSupport
import Dispatch
import Foundation
import Glibc

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// The real program as a process of its own: what a test can kill.
final class WorkerProcess {
    private let identifier: pid_t
    let metricsPort: UInt16
    private let log: URL

    /// Started with posix_spawn, so that waiting needs no run loop.
    ///
    /// - Parameter folder: holds the pipeline file `pipeline.yaml`, the store and the log.
    init(folder: URL, number: Int) throws {
        metricsPort = try RealBroker.freePort()
        log = folder.appendingPathComponent("worker-\(number).log")
        let arguments = [
            Self.executable.path, "run", folder.appendingPathComponent("pipeline.yaml").path, "--store",
            folder.appendingPathComponent("store").path, "--listen", "127.0.0.1:\(metricsPort)", "--threads", "2",
        ]
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 2, log.path, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        var pointers = arguments.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        var started: pid_t = 0
        let code = posix_spawn(&started, arguments[0], &actions, nil, &pointers, environ)
        guard code == 0 else { throw POSIXError(POSIXErrorCode(rawValue: code) ?? .ENOENT) }
        identifier = started
    }

    /// Beside the test bundle: SwiftPM builds programs and tests into one folder.
    private static var executable: URL {
        URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()
            .appendingPathComponent("tailrace")
    }

    var logText: String { (try? String(contentsOf: log, encoding: .utf8)) ?? "" }

    func kill() {
        Glibc.kill(identifier, SIGKILL)
        _ = wait()
    }

    /// SIGSTOP: alive, but at no work, as a machine that swaps or a virtual machine that moves.
    func freeze() { Glibc.kill(identifier, SIGSTOP) }

    /// SIGCONT.
    func thaw() { Glibc.kill(identifier, SIGCONT) }

    /// SIGTERM; returns the exit code, or the negative signal that ended it.
    func terminate() -> Int32 {
        Glibc.kill(identifier, SIGTERM)
        return wait()
    }

    private func wait() -> Int32 {
        var status: Int32 = 0
        while waitpid(identifier, &status, 0) < 0, errno == EINTR {}
        return status & 0x7f == 0 ? status >> 8 & 0xff : -(status & 0x7f)
    }

    /// What the worker serves at a path; nil while it does not answer.
    func text(_ path: String) -> String? {
        guard let url = URL(string: "http://127.0.0.1:\(metricsPort)\(path)") else { return nil }
        return try? String(contentsOf: url, encoding: .utf8)
    }

    /// The HTTP status of a path, 0 while the worker does not answer.
    func status(_ path: String) -> Int {
        guard let url = URL(string: "http://127.0.0.1:\(metricsPort)\(path)") else { return 0 }
        var status = 0
        let done = DispatchSemaphore(value: 0)
        let answer = Box(0)
        URLSession.shared.dataTask(with: url) { _, response, _ in
            answer.update { $0 = (response as? HTTPURLResponse)?.statusCode ?? 0 }
            done.signal()
        }.resume()
        if done.wait(timeout: .now() + 5) == .success { status = answer.value }
        return status
    }

    /// The sum of a metric's samples; nil while the worker does not answer.
    func metric(_ name: String) -> Double? {
        guard let values = samples(name), !values.isEmpty else { return nil }
        return values.reduce(0, +)
    }

    /// A metric's samples; nil while the worker does not answer.
    func samples(_ name: String) -> [Double]? {
        guard let text = text("/metrics") else { return nil }
        return text.split(separator: "\n").filter { $0.hasPrefix(name + "{") || $0.hasPrefix(name + " ") }
            .compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }
    }
}
