import Foundation
internal import Kafka

/// A broker in a process of its own (tansu), shared by all tests of a run. Only with `TAILRACE_REAL_BROKER=1`; see
/// `scripts/real-broker.sh`.
package final class RealBroker: @unchecked Sendable {
    package let bootstrapServers: String
    private let process: ScriptProcess

    /// nil with a printed reason when the tests with a real broker are off.
    package static let shared: RealBroker? = {
        guard ProcessInfo.processInfo.environment["TAILRACE_REAL_BROKER"] == "1" else {
            print("tests with a real broker are skipped: set TAILRACE_REAL_BROKER=1 (scripts/real-broker.sh setup)")
            return nil
        }
        do {
            return try RealBroker()
        } catch {
            print("the real broker did not start: \(error)")
            return nil
        }
    }()

    init() throws {
        let port = try RealBroker.freePort()
        process = try ScriptProcess(["start", "\(port)"])
        bootstrapServers = "127.0.0.1:\(port)"
        try RealBroker.waitUntilUp(bootstrapServers)
    }

    static func waitUntilUp(_ brokers: String) throws {
        let admin = try KafkaAdmin(KafkaClientOptions(brokers: brokers))
        let isUp = eventually(within: 20_000) { (try? admin.listTopics(timeoutMs: 1_000)) != nil }
        guard isUp else { throw KafkaError(.brokerUnavailable, "no metadata from the real broker within 20 s") }
    }

    /// SIGSTOP: connections stay open and nobody answers.
    package func freeze() { process.signal(SIGSTOP) }

    /// SIGCONT.
    package func thaw() { process.signal(SIGCONT) }

    /// The directory above this one that has a Package.swift and the script.
    package static var projectRoot: String {
        if let root = ProcessInfo.processInfo.environment["TAILRACE_ROOT"] { return root }
        var directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        while directory.path != "/" {
            let script = directory.appendingPathComponent("scripts/real-broker.sh").path
            if FileManager.default.fileExists(atPath: script) { return directory.path }
            directory.deleteLastPathComponent()
        }
        return FileManager.default.currentDirectoryPath
    }

    package static func freePort() throws -> UInt16 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let answer = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(descriptor, generic, length) == 0 && getsockname(descriptor, generic, &length) == 0
            }
        }
        guard answer else { throw KafkaError(.other, "no free port") }
        return UInt16(bigEndian: address.sin_port)
    }

    static func isListening(_ port: UInt16) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        address.sin_port = port.bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
