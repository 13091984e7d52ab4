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
        guard let url = URL(string: "http://127.0.0.1:\(metricsPort)/metrics"),
            let text = try? String(contentsOf: url, encoding: .utf8)
        else { return nil }
        var sum = 0.0
        var found = false
        for line in text.split(separator: "\n") where line.hasPrefix(name + "{") || line.hasPrefix(name + " ") {
            guard let value = line.split(separator: " ").last.flatMap({ Double($0) }) else { continue }
            sum += value
            found = true
        }
        return found ? sum : nil
    }
}
