import TraceModel

/// One running copy of a service.
struct Instance: Sendable {
    var service: ServiceID
    var resource: Resource
    /// One per `Library`, in the order of its raw values.
    var scopes: [InstrumentationScope]
    var clientID: AttributeValue
    /// How far its clock is ahead, in nanoseconds.
    var skew: Int64
    /// Where its exports lie between those of others, as a share of the batch delay.
    var exportPhase: Double
}

extension Instance {
    /// All instances of all services; those of one service lie next to each other.
    static func all(_ configuration: DemoTrafficConfiguration) -> [Instance] {
        var random = RandomSource(seed: configuration.seed, stream: 0x1257_A9CE)
        var instances: [Instance] = []
        for service in ServiceID.allCases {
            for number in 0..<service.instanceCount {
                var instance = Instance(service, number: number, random: &random)
                let skew = Self.skew(&random)
                if configuration.clockSkew { instance.skew = skew }
                instances.append(instance)
            }
        }
        // Whatever the seed, one clock is visibly off: this is the case that viewers have to cope with.
        let worst = random.index(below: instances.count)
        if configuration.clockSkew {
            instances[worst].skew = Int64(random.double(in: 0.2...0.8) * 1e9) * (random.chance(0.5) ? 1 : -1)
        }
        return instances
    }

    /// Two thirds of the clocks agree within half a millisecond, the others are off by 1 to a few hundred milliseconds.
    private static func skew(_ random: inout RandomSource) -> Int64 {
        let milliseconds =
            random.chance(0.67)
            ? random.double(in: -0.5...0.5)
            : random.logNormal(median: 15, sigma: 1.2) * (random.chance(0.5) ? 1 : -1)
        return Int64(milliseconds * 1e6)
    }

    private init(_ service: ServiceID, number: Int, random: inout RandomSource) {
        let language = service.language
        // The last of three runs the next release already, so that versions can be compared.
        let version = number == 2 ? service.version + "-rc.1" : service.version
        var attributes: [Attribute] = []
        func set(_ key: String, _ value: String) { attributes.append(Attribute(key, .string(value))) }
        set("service.name", service.name)
        set("service.version", version)
        set("service.namespace", "shop")
        set("service.instance.id", Self.uuid(&random))
        set("deployment.environment.name", "production")
        set("telemetry.sdk.name", "opentelemetry")
        set("telemetry.sdk.language", language.sdk.language)
        set("telemetry.sdk.version", language.sdk.version)
        if service == .storefront {
            let platforms = ["Windows", "Android", "macOS"]
            attributes.append(Attribute("browser.mobile", .bool(number == 1)))
            set("browser.platform", platforms[number % 3])
            set("browser.language", ["en-GB", "de-DE", "fr-FR"][number % 3])
        } else {
            Self.addHost(service, number: number, random: &random, set: set)
        }
        if let runtime = language.runtime {
            set("process.runtime.name", runtime.name)
            set("process.runtime.version", runtime.version)
        }
        self.init(
            service: service, resource: Resource(attributes: attributes),
            scopes: Library.allCases.map { language.scope($0, service: service.name, version: version) },
            clientID: .string("\(service.name)-\(number)"), skew: 0, exportPhase: random.unit())
    }

    private static func addHost(
        _ service: ServiceID, number: Int, random: inout RandomSource, set: (String, String) -> Void
    ) {
        let pod = "\(service.name)-\(Self.letters(9, &random))-\(Self.letters(5, &random))"
        let node = "ip-10-0-\(1 + (service.rawValue + number) % 3)-\(20 + service.rawValue % 7).eu-central-1.internal"
        set("k8s.cluster.name", "shop-prod")
        set("k8s.namespace.name", "shop")
        set("k8s.deployment.name", service.name)
        set("k8s.pod.name", pod)
        set("k8s.pod.uid", Self.uuid(&random))
        set("k8s.container.name", service.name)
        set("k8s.node.name", node)
        set("host.name", pod)
        set("host.arch", number == 1 ? "arm64" : "amd64")
        set("os.type", "linux")
        set("cloud.provider", "aws")
        set("cloud.region", "eu-central-1")
        set("cloud.availability_zone", "eu-central-1" + ["a", "b", "c"][(service.rawValue + number) % 3])
    }

    /// The letters Kubernetes uses in generated names.
    private static func letters(_ count: Int, _ random: inout RandomSource) -> String {
        let alphabet = Array("bcdfghjklmnpqrstvwxz2456789")
        return String((0..<count).map { _ in alphabet[random.index(below: alphabet.count)] })
    }

    private static func uuid(_ random: inout RandomSource) -> String {
        let digits = Array(TraceID(high: random.next(), low: random.next()).hex)
        func part(_ range: Range<Int>) -> String { String(digits[range]) }
        return "\(part(0..<8))-\(part(8..<12))-4\(part(13..<16))-a\(part(17..<20))-\(part(20..<32))"
    }
}
