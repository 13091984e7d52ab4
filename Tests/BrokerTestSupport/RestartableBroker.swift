import Foundation
internal import Kafka

/// A broker in a process of its own that keeps its records, groups and offsets when it is killed: they are in an object store in
/// another process (tansu on moto). Slower than `RealBroker`, so for a few tests only.
package final class RestartableBroker {
    package let bootstrapServers: String
    private let port: UInt16
    private let storagePort: UInt16
    private let storage: ScriptProcess
    private var broker: ScriptProcess?

    /// nil with a printed reason when the tests with a real broker are off.
    package static func start() throws -> RestartableBroker? {
        guard ProcessInfo.processInfo.environment["TAILRACE_REAL_BROKER"] == "1" else {
            print("a test with a real broker is skipped: set TAILRACE_REAL_BROKER=1 (scripts/real-broker.sh setup)")
            return nil
        }
        return try RestartableBroker()
    }

    private init() throws {
        port = try RealBroker.freePort()
        storagePort = try RealBroker.freePort()
        bootstrapServers = "127.0.0.1:\(port)"
        storage = try ScriptProcess(["storage", "\(storagePort)"])
        let isListening = eventually(within: 30_000) { [storagePort] in RealBroker.isListening(storagePort) }
        guard isListening else { throw KafkaError(.brokerUnavailable, "no object store within 30 s") }
        try restart()
        try RealBroker.waitUntilUp(bootstrapServers)
    }

    /// Whether somebody listens on the broker's port.
    package var isListening: Bool { RealBroker.isListening(port) }

    /// SIGKILL, with everything it has in memory.
    package func kill() {
        broker?.kill()
        broker = nil
        // The first thread of a process may be gone before the last one has let the socket go.
        _ = eventually(within: 10_000) { !isListening }
    }

    /// The same broker again, on the same port.
    package func restart() throws {
        kill()
        broker = try ScriptProcess(["start", "\(port)", "\(storagePort)"])
    }

    package func close() {
        kill()
        storage.kill()
    }
}
