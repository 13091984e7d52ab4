internal import Pipeline

/// Connection settings of the Collector's Kafka components as librdkafka's options.
///
/// https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md
struct KafkaClientSettings {
    /// Keys of the component that are looked at here.
    static let keys: Set<String> = ["tls", "auth", "client_id"]

    private(set) var entries: [DraftEntry] = []
    /// What could not be carried over, as sentences.
    private(set) var problems: [String] = []

    init(_ component: CollectorConfiguration.Component) {
        let settings = component.settings
        let hasTLS = readTLS(settings["tls"] ?? settings["auth"]?["tls"])
        let hasSASL = readAuthentication(settings["auth"])
        switch (hasTLS, hasSASL) {
        case (true, true): put("security.protocol", .text("SASL_SSL"), first: true)
        case (true, false): put("security.protocol", .text("SSL"), first: true)
        case (false, true): put("security.protocol", .text("SASL_PLAINTEXT"), first: true)
        case (false, false): break
        }
        copy(settings["client_id"], "client.id")
        copy(settings["rack_id"], "client.rack")
        copy(settings["min_fetch_size"], "fetch.min.bytes")
        copy(settings["max_fetch_size"], "fetch.max.bytes")
        copy(settings["max_partition_fetch_size"], "max.partition.fetch.bytes")
        if let wait = settings["max_fetch_wait"]?.scalar, let milliseconds = Units.duration(wait) {
            put("fetch.wait.max.ms", .text(String(milliseconds)))
        }
    }

    private mutating func put(_ key: String, _ value: DraftValue, first: Bool = false) {
        entries.insert(DraftEntry(key, value), at: first ? 0 : entries.count)
    }

    private mutating func copy(_ value: ConfigValue?, _ key: String) {
        guard let value, let text = value.scalar, !text.isEmpty else { return }
        put(key, CollectorValue.draft(value))
    }

    /// - Returns: whether the connection is encrypted.
    private mutating func readTLS(_ tls: ConfigValue?) -> Bool {
        guard let tls, CollectorValue.boolean(tls["insecure"]) != true else { return false }
        for (key, option) in [
            ("ca_file", "ssl.ca.location"), ("cert_file", "ssl.certificate.location"), ("key_file", "ssl.key.location"),
            ("ca_pem", "ssl.ca.pem"), ("cert_pem", "ssl.certificate.pem"), ("key_pem", "ssl.key.pem"),
        ] {
            copy(tls[key], option)
        }
        if CollectorValue.boolean(tls["insecure_skip_verify"]) == true {
            put("enable.ssl.certificate.verification", .scalar("false", isQuoted: true))
        }
        let known: Set = [
            "insecure", "ca_file", "cert_file", "key_file", "ca_pem", "cert_pem", "key_pem", "insecure_skip_verify",
            "reload_interval", "include_system_ca_certs_pool",
        ]
        for entry in tls.entries where !known.contains(entry.key) {
            problems.append("tls::\(entry.key) was left out: set what librdkafka has for it under options")
        }
        return true
    }

    /// - Returns: whether the client logs in.
    private mutating func readAuthentication(_ auth: ConfigValue?) -> Bool {
        guard let auth else { return false }
        if let plain = auth["plain_text"] {
            put("sasl.mechanism", .text("PLAIN"))
            copy(plain["username"], "sasl.username")
            copy(plain["password"], "sasl.password")
            return true
        }
        if let sasl = auth["sasl"] {
            let mechanism = sasl["mechanism"]?.scalar ?? "PLAIN"
            if mechanism.hasPrefix("AWS_MSK") || mechanism == "OAUTHBEARER" {
                problems.append(
                    "auth::sasl::mechanism \(mechanism) needs tokens that the Collector fetches: use SCRAM or TLS "
                        + "certificates, or librdkafka's sasl.oauthbearer options")
                return true
            }
            put("sasl.mechanism", .text(mechanism))
            copy(sasl["username"], "sasl.username")
            copy(sasl["password"], "sasl.password")
            return true
        }
        if let kerberos = auth["kerberos"] {
            put("sasl.mechanism", .text("GSSAPI"))
            copy(kerberos["service_name"], "sasl.kerberos.service.name")
            copy(kerberos["keytab_file"] ?? kerberos["keytab_path"], "sasl.kerberos.keytab")
            if let user = kerberos["username"]?.scalar {
                let realm = kerberos["realm"]?.scalar.map { "@\($0)" } ?? ""
                put("sasl.kerberos.principal", .text(user + realm))
            }
            if CollectorValue.boolean(kerberos["use_keytab"]) != true {
                problems.append("auth::kerberos: librdkafka logs in with a keytab, not with a password")
            }
            return true
        }
        return false
    }
}
