import BrokerTestSupport
import Foundation

/// The real program as a process of its own: what a test can kill.
final class WorkerProcess {
    private let process = Process()
    let metricsPort: UInt16
    private let log: URL

    /// - Parameter folder: holds the pipeline file `pipeline.yaml`, the store and the log.
    init(folder: URL, number: Int) throws {
        metricsPort = try RealBroker.freePort()
        log = folder.appendingPathComponent("worker-\(number).log")
        FileManager.default.createFile(atPath: log.path, contents: nil)
        process.executableURL = Self.executable
        process.arguments = [
            "run", folder.appendingPathComponent("pipeline.yaml").path, "--store",
            folder.appendingPathComponent("store").path, "--listen", "127.0.0.1:\(metricsPort)", "--threads", "2",
        ]
        process.standardError = try FileHandle(forWritingTo: log)
        process.standardOutput = FileHandle.nullDevice
        try process.run()
    }

    /// Beside the test bundle: SwiftPM builds programs and tests into one folder.
    private static var executable: URL {
        URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()
            .appendingPathComponent("tailrace")
    }

    var isRunning: Bool { process.isRunning }

    var logText: String { (try? String(contentsOf: log, encoding: .utf8)) ?? "" }

    func kill() {
        Glibc.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// SIGTERM; returns the exit code.
    func terminate() -> Int32 {
        process.terminate()
        process.waitUntilExit()
        return process.terminationStatus
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
