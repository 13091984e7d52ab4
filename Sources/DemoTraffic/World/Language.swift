import TraceModel

/// The kind of library that makes a span; each language has its own instrumentation for it.
enum Library: UInt8, CaseIterable, Sendable {
    case httpServer, httpClient, rpc, sql, redis, search, kafka, own
}

/// The languages of the shop's services, with their SDKs, runtimes and ways to report an exception.
enum Language: Sendable {
    case webjs, go, dotnet, java, nodejs, python, ruby, rust, cpp, swift

    /// `telemetry.sdk.language`, and the SDK's version.
    var sdk: (language: String, version: String) {
        switch self {
        case .webjs: ("webjs", "2.1.0")
        case .go: ("go", "1.38.0")
        case .dotnet: ("dotnet", "1.13.1")
        case .java: ("java", "1.54.1")
        case .nodejs: ("nodejs", "2.1.0")
        case .python: ("python", "1.37.0")
        case .ruby: ("ruby", "1.10.0")
        case .rust: ("rust", "0.31.0")
        case .cpp: ("cpp", "1.23.0")
        case .swift: ("swift", "1.0.0")
        }
    }

    /// `process.runtime.name` and `.version`; nil where programs have no runtime of their own.
    var runtime: (name: String, version: String)? {
        switch self {
        case .webjs, .rust, .cpp, .swift: nil
        case .go: ("go", "go1.25.1")
        case .dotnet: (".NET", "9.0.9")
        case .java: ("OpenJDK Runtime Environment", "21.0.8+9-LTS")
        case .nodejs: ("nodejs", "22.19.0")
        case .python: ("cpython", "3.13.7")
        case .ruby: ("ruby", "3.4.6")
        }
    }

    /// The instrumentation library that makes such spans in this language.
    func scope(_ library: Library, service: String, version: String) -> InstrumentationScope {
        func scope(_ name: String, _ version: String) -> InstrumentationScope {
            InstrumentationScope(name: name, version: version)
        }
        let goContrib = "go.opentelemetry.io/contrib/instrumentation/"
        return switch (self, library) {
        case (.webjs, .httpClient): scope("@opentelemetry/instrumentation-fetch", "0.205.0")
        case (.webjs, _): scope("@opentelemetry/instrumentation-user-interaction", "0.50.0")
        case (.go, .httpServer), (.go, .httpClient): scope(goContrib + "net/http/otelhttp", "0.63.0")
        case (.go, .rpc): scope(goContrib + "google.golang.org/grpc/otelgrpc", "0.63.0")
        case (.go, .sql): scope("github.com/XSAM/otelsql", "0.40.0")
        case (.go, .redis): scope("github.com/redis/go-redis/extra/redisotel", "9.14.0")
        case (.go, .kafka): scope("github.com/twmb/franz-go/plugin/kotel", "1.6.0")
        case (.dotnet, .httpServer): scope("Microsoft.AspNetCore", "9.0.9")
        case (.dotnet, .httpClient): scope("System.Net.Http", "9.0.9")
        case (.dotnet, .rpc): scope("OpenTelemetry.Instrumentation.GrpcNetClient", "1.12.0-beta.1")
        case (.dotnet, .sql): scope("Npgsql", "9.0.3")
        case (.dotnet, .redis): scope("OpenTelemetry.Instrumentation.StackExchangeRedis", "1.12.0-beta.1")
        case (.dotnet, .kafka): scope("OpenTelemetry.Instrumentation.ConfluentKafka", "0.1.0-alpha.3")
        case (.java, .httpServer): scope("io.opentelemetry.tomcat-10.0", "2.20.1-alpha")
        case (.java, .httpClient): scope("io.opentelemetry.java-http-client", "2.20.1-alpha")
        case (.java, .rpc): scope("io.opentelemetry.grpc-1.6", "2.20.1-alpha")
        case (.java, .sql): scope("io.opentelemetry.jdbc", "2.20.1-alpha")
        case (.java, .redis): scope("io.opentelemetry.lettuce-5.1", "2.20.1-alpha")
        case (.java, .search): scope("io.opentelemetry.elasticsearch-api-client-7.16", "2.20.1-alpha")
        case (.java, .kafka): scope("io.opentelemetry.kafka-clients-0.11", "2.20.1-alpha")
        case (.nodejs, .httpServer), (.nodejs, .httpClient): scope("@opentelemetry/instrumentation-http", "0.205.0")
        case (.nodejs, .rpc): scope("@opentelemetry/instrumentation-grpc", "0.205.0")
        case (.nodejs, .sql): scope("@opentelemetry/instrumentation-pg", "0.58.0")
        case (.nodejs, .redis): scope("@opentelemetry/instrumentation-redis", "0.54.0")
        case (.nodejs, .kafka): scope("@opentelemetry/instrumentation-kafkajs", "0.14.0")
        case (.python, .httpServer): scope("opentelemetry.instrumentation.fastapi", "0.58b0")
        case (.python, .httpClient): scope("opentelemetry.instrumentation.requests", "0.58b0")
        case (.python, .rpc): scope("opentelemetry.instrumentation.grpc", "0.58b0")
        case (.python, .sql): scope("opentelemetry.instrumentation.psycopg2", "0.58b0")
        case (.python, .redis): scope("opentelemetry.instrumentation.redis", "0.58b0")
        case (.python, .kafka): scope("opentelemetry.instrumentation.confluent_kafka", "0.58b0")
        case (.ruby, .httpClient): scope("OpenTelemetry::Instrumentation::Net::HTTP", "0.25.0")
        case (.ruby, .kafka): scope("OpenTelemetry::Instrumentation::Rdkafka", "0.8.0")
        case (.rust, .rpc): scope("tonic-tracing-opentelemetry", "0.28.1")
        case (.rust, .sql): scope("sqlx-tracing", "0.2.0")
        case (.cpp, .rpc): scope("currency-grpc", "1.23.0")
        case (.swift, .rpc): scope("GRPCOTelTracingInterceptors", "2.0.0")
        case (.swift, .sql): scope("PostgresNIO", "1.26.2")
        case (.swift, .redis): scope("valkey-swift", "0.3.0")
        case (.swift, .kafka): scope("swift-kafka-client", "1.0.0-alpha.9")
        default: scope("shop." + service, version)
        }
    }

    /// How an error of this kind is called where it is thrown.
    func exceptionType(_ fault: Fault) -> String {
        switch self {
        case .webjs: fault == .timeout ? "TimeoutError" : "TypeError"
        case .go:
            switch fault {
            case .timeout: "context.deadlineExceededError"
            case .unavailable: "*net.OpError"
            case .deadlock: "*pgconn.PgError"
            default: "*errors.errorString"
            }
        case .dotnet:
            switch fault {
            case .timeout: "System.TimeoutException"
            case .unavailable: "System.Net.Sockets.SocketException"
            case .deadlock: "Npgsql.PostgresException"
            case .internalError: "System.NullReferenceException"
            default: "Shop.DomainException"
            }
        case .java:
            switch fault {
            case .timeout: "java.net.SocketTimeoutException"
            case .unavailable: "java.net.ConnectException"
            case .deadlock: "org.postgresql.util.PSQLException"
            case .internalError: "java.lang.IllegalStateException"
            default: "shop.domain.RequestRejectedException"
            }
        case .nodejs:
            switch fault {
            case .timeout: "TimeoutError"
            case .declined: "CardDeclinedError"
            case .internalError: "TypeError"
            default: "Error"
            }
        case .python:
            switch fault {
            case .timeout: "TimeoutError"
            case .unavailable: "ConnectionRefusedError"
            case .deadlock: "psycopg2.errors.DeadlockDetected"
            case .internalError: "KeyError"
            default: "shop.errors.RequestRejected"
            }
        case .ruby:
            fault == .timeout ? "Net::ReadTimeout" : fault == .unavailable ? "Errno::ECONNREFUSED" : "RuntimeError"
        case .rust: fault == .deadlock || fault == .timeout ? "sqlx::Error" : "shop_inventory::Error"
        case .cpp: fault == .timeout ? "absl::DeadlineExceededError" : "std::runtime_error"
        case .swift: fault == .timeout ? "PSQLError" : fault == .unauthorized ? "AuthenticationError" : "HTTPError"
        }
    }

    /// One line of a stack trace in this language's own form.
    func frame(function: String, service: String, line: Int) -> String {
        switch self {
        case .webjs: "    at \(function) (https://shop.example.com/assets/app.4f1c.js:1:\(line * 37))"
        case .go: "\(service).(*server).\(function)\n\t/src/\(service)/server.go:\(line) +0x1d4"
        case .dotnet: "   at Shop.\(service).Service.\(function)() in /src/\(service)/Service.cs:line \(line)"
        case .java: "\tat shop.\(service).Service.\(function)(Service.java:\(line))"
        case .nodejs: "    at async \(function) (/app/dist/\(service).js:\(line):17)"
        case .python: "  File \"/app/\(service)/service.py\", line \(line), in \(function)"
        case .ruby: "/app/lib/\(service).rb:\(line):in `\(function)'"
        case .rust: "   at \(service)::service::\(function) (src/service.rs:\(line))"
        case .cpp: "#\(line % 9) \(service)::Service::\(function) at service.cc:\(line)"
        case .swift: "\(function) at /src/Sources/\(service)/Service.swift:\(line)"
        }
    }
}
