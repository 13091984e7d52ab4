import Foundation
import Testing
import Yams

/// docker-compose.yml is run by users only; here its parts are held against each other.
@Suite("docker-compose.yml")
struct ComposeTests {
    private let file: [String: Any]
    private let services: [String: [String: Any]]

    init() throws {
        let loaded = try Yams.load(yaml: try Project.text("docker-compose.yml")) as? [String: Any]
        file = try #require(loaded)
        services = try #require(file["services"] as? [String: [String: Any]])
    }

    @Test("has three brokers, two workers, a query server, traffic and Prometheus")
    func allServices() {
        let wanted = [
            "generator", "kafka-1", "kafka-2", "kafka-3", "prometheus", "query", "topics", "worker-1", "worker-2",
        ]
        #expect(services.keys.sorted() == wanted)
    }

    @Test("publishes no port of the host twice, and only on this machine")
    func ports() {
        var published: Set<String> = []
        for (name, service) in services {
            for port in service["ports"] as? [String] ?? [] {
                let parts = port.split(separator: ":")
                #expect(parts.count == 3 && parts[0] == "127.0.0.1", "\(name): \(port)")
                if parts.count == 3 { #expect(published.insert(String(parts[1])).inserted, "\(name): \(port)") }
            }
        }
    }

    @Test("declares every volume, and mounts only files that exist")
    func volumes() throws {
        let declared = Set(try #require(file["volumes"] as? [String: Any]).keys)
        var used: Set<String> = []
        for (name, service) in services {
            for volume in service["volumes"] as? [String] ?? [] {
                let source = String(volume.prefix { $0 != ":" })
                if source.hasPrefix("./") {
                    #expect(Project.exists(String(source.dropFirst(2))), "\(name): \(source)")
                } else {
                    used.insert(source)
                }
            }
        }
        #expect(used == declared)
    }

    @Test("waits only for services that exist, and for health only where a health check is")
    func dependencies() {
        for (name, service) in services {
            for (other, condition) in service["depends_on"] as? [String: [String: Any]] ?? [:] {
                #expect(services[other] != nil, "\(name) depends on \(other)")
                if condition["condition"] as? String == "service_healthy" {
                    #expect(services[other]?["healthcheck"] != nil, "\(other) has no health check")
                }
            }
        }
    }

    @Test("pins every image that is not built here")
    func images() throws {
        for (name, service) in services {
            let image = try #require(service["image"] as? String, "\(name) has no image")
            let tag = image.split(separator: ":").dropFirst().last.map(String.init) ?? ""
            if image == "tailrace:local" { continue }
            #expect(tag.contains { $0.isNumber }, "\(name): \(image)")
        }
        #expect(services.values.contains { $0["build"] != nil && $0["image"] as? String == "tailrace:local" })
    }

    @Test("creates the topic with 24 partitions, a copy on each broker")
    func topic() throws {
        let command = Self.words(try #require(services["topics"]?["command"]))
        #expect(Self.value(of: "--partitions", in: command) == "24")
        #expect(Self.value(of: "--replication-factor", in: command) == "3")
        #expect(Self.value(of: "--topic", in: command) == "otlp_spans")
    }

    @Test("gives all brokers the same cluster and each its own id and volume")
    func brokers() {
        let brokers = services.filter { $0.key.hasPrefix("kafka-") }.map(\.value)
        func setting(_ name: String) -> [String] {
            brokers.map { ($0["environment"] as? [String: Any])?[name].map { "\($0)" } ?? "" }
        }
        #expect(Set(setting("CLUSTER_ID")).count == 1)
        #expect(Set(setting("KAFKA_CONTROLLER_QUORUM_VOTERS")).count == 1)
        #expect(Set(setting("KAFKA_NODE_ID")).count == 3)
        #expect(Set(brokers.compactMap { ($0["volumes"] as? [String])?.first }).count == 3)
    }

    @Test("runs pipelines that are in the image, and stores where the query server reads")
    func commands() throws {
        var stores: Set<String> = []
        for (name, service) in services where service["image"] as? String == "tailrace:local" {
            let command = Self.words(try #require(service["command"], "\(name) has no command"))
            for word in command where word.hasSuffix(".yaml") { #expect(Project.exists(word), "\(name): \(word)") }
            if let store = Self.value(of: "--store", in: command) { stores.insert(store) }
        }
        #expect(stores == ["/var/lib/tailrace"])
        let dockerfile = try Project.text("Dockerfile")
        for folder in ["pipelines", "config"] {
            let isCopied = dockerfile.contains("COPY \(folder) ")
            #expect(isCopied, "\(folder)")
        }
    }

    @Test("uses subcommands and options that the program has")
    func options() throws {
        for (name, service) in services where service["image"] as? String == "tailrace:local" {
            let command = Self.words(try #require(service["command"], "\(name) has no command"))
            let subcommand = try #require(command.first)
            let help = try Program.output([subcommand, "--help"])
            #expect(help.contains("USAGE: tailrace \(subcommand)"), "\(name): \(help)")
            for word in command where word.hasPrefix("--") {
                let isKnown = help.contains("\(word) ") || help.contains("\(word)\n")
                #expect(isKnown, "\(name): tailrace \(subcommand) has no \(word)")
            }
        }
    }

    @Test("lets Prometheus scrape every process of Tailrace's that serves metrics, at its address")
    func prometheus() throws {
        let loaded = try Yams.load(yaml: try Project.text("config/prometheus.yml")) as? [String: Any]
        let jobs = try #require(loaded?["scrape_configs"] as? [[String: Any]])
        let targets = jobs.flatMap { $0["static_configs"] as? [[String: Any]] ?? [] }
            .flatMap { $0["targets"] as? [String] ?? [] }
        var serving: Set<String> = []
        for (name, service) in services {
            let command = Self.words(service["command"] ?? "")
            guard let listen = Self.value(of: "--listen", in: command) else { continue }
            #expect(listen.hasPrefix("0.0.0.0:"), "\(name) listens on \(listen): not reachable from other containers")
            serving.insert(name + ":" + listen.split(separator: ":")[1])
        }
        #expect(Set(targets) == serving)
        for rules in loaded?["rule_files"] as? [String] ?? [] { #expect(Project.exists("config/\(rules)")) }
    }

    private static func words(_ command: Any) -> [String] {
        if let list = command as? [Any] { return list.map { "\($0)" } }
        return "\(command)".split(whereSeparator: \.isWhitespace).map(String.init)
    }

    private static func value(of option: String, in command: [String]) -> String? {
        guard let index = command.firstIndex(of: option), index + 1 < command.count else { return nil }
        return command[index + 1]
    }
}
