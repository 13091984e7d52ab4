// swift-tools-version: 6.1
import PackageDescription

// One list of settings for every target; each has its reason.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),  // data races are compile errors
    // https://github.com/swiftlang/swift-evolution/blob/main/proposals/0335-existential-any.md
    .enableUpcomingFeature("ExistentialAny"),  // a dynamic call is visible where it is written
    // https://github.com/swiftlang/swift-evolution/blob/main/proposals/0444-member-import-visibility.md
    .enableUpcomingFeature("MemberImportVisibility"),  // no module leaks its imports to its users
    // Deliberate bugs that tests switch on (docs/simulation.md). Release builds have none of it.
    .define("TAILRACE_MUTATIONS", .when(configuration: .debug)),
]

let package = Package(
    name: "tailrace",
    products: [
        // Stages of one's own need the stage protocols and the span views besides the umbrella.
        .library(name: "Tailrace", targets: ["Tailrace", "Pipeline", "OTLP", "TraceModel"]),
        .executable(name: "tailrace", targets: ["TailraceCLI"]),
        // Runs the tests of pipeline files, also for programs with stages of their own.
        .library(name: "PipelineTesting", targets: ["PipelineTesting"]),
        // For Benchmarks/, a package of its own, which cannot see `package` declarations.
        .library(name: "BenchmarkWorkloads", targets: ["BenchmarkWorkloads"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-http2", from: "1.46.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        // Tests only: the scanner is held against the library on the same bytes.
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
    ],
    targets: [
        // System libraries (Debian -dev packages; `make deps` installs them).
        .systemLibrary(name: "CLibrdkafka", pkgConfig: "rdkafka", providers: [.apt(["librdkafka-dev"])]),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .systemLibrary(name: "CXXHash", pkgConfig: "libxxhash", providers: [.apt(["libxxhash-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),

        // The core: no HTTP, no Kafka, no YAML below Pipeline.
        .target(name: "TraceModel"),
        .target(name: "OTLP", dependencies: ["TraceModel", "CZstd", "CZlib"]),
        .target(name: "Kafka", dependencies: ["CLibrdkafka"]),
        .target(name: "Spelling"),
        .target(
            name: "Pipeline",
            dependencies: ["TraceModel", "OTLP", "Spelling", .product(name: "Yams", package: "Yams")]),
        .target(name: "Patterns"),
        .target(name: "TraceQL", dependencies: ["TraceModel", "OTLP", "Patterns", "Spelling"]),
        .target(
            name: "Sampling",
            dependencies: ["TraceModel", "OTLP", "Pipeline", "Patterns", "Spelling", "TraceQL", "CXXHash"]),
        .target(
            name: "Scrubbing",
            dependencies: ["TraceModel", "OTLP", "Pipeline", "Patterns", .product(name: "Yams", package: "Yams")]),
        .target(name: "Storage", dependencies: ["TraceModel", "OTLP", "Pipeline", "CZstd", "CXXHash"]),
        .target(name: "Query", dependencies: ["TraceModel", "OTLP", "Pipeline", "Storage", "Estimation"]),
        .target(name: "DemoTraffic", dependencies: ["TraceModel", "OTLP"]),
        // Estimates with error bars from sampled traces: arithmetic only, for queries, the command line and the workbench.
        .target(name: "Estimation"),
        // Jaeger's remote sampling: the calculation and its messages.
        .target(name: "RemoteSampling", dependencies: ["OTLP"]),
        // Unary gRPC calls over HTTP/2, for protocols that have no HTTP form.
        .target(
            name: "UnaryGRPC",
            dependencies: [
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP2", package: "swift-nio-http2"),
                .product(name: "NIOHPACK", package: "swift-nio-http2"),
            ]),
        .target(name: "Workbench", dependencies: ["TraceModel", "OTLP", "Pipeline", "Sampling", "Estimation"]),
        // What two pipelines keep of the same recorded spans, side by side.
        .target(
            name: "Comparison",
            dependencies: ["TraceModel", "OTLP", "Pipeline", "Tailrace", "Query", "Workbench", "Estimation"]),
        // Foreign configuration files (OpenTelemetry Collector, Refinery) as pipeline files: texts only.
        .target(name: "Import", dependencies: ["Pipeline", "Sampling", "Scrubbing", "Patterns", "Spelling"]),
        .target(
            name: "Server",
            dependencies: [
                "Estimation",
                "TraceModel", "OTLP", "Query", "Storage", "Pipeline", "Spelling",
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
            ]),
        .target(
            name: "Tailrace",
            dependencies: [
                "TraceModel", "OTLP", "Kafka", "Pipeline", "Sampling", "Scrubbing", "Storage", "RemoteSampling",
                .product(name: "Yams", package: "Yams"),
                .product(name: "Logging", package: "swift-log"),
            ]),
        // The production plan and worker under virtual time, with records and sinks in memory: docs/testing-pipelines.md.
        .target(
            name: "PipelineTesting",
            dependencies: ["TraceModel", "OTLP", "Pipeline", "Storage", "Tailrace"]),
        .executableTarget(
            name: "TailraceCLI",
            dependencies: [
                "PipelineTesting", "Sampling", "Workbench", "Estimation", "Comparison", "Import", "RemoteSampling",
                "UnaryGRPC",
                "Tailrace", "TraceModel", "OTLP", "Kafka", "Pipeline", "Storage", "Query", "Server", "DemoTraffic",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ]),

        // The delivery protocol under a seeded scheduler with a simulated broker, disk and processes: docs/simulation.md.
        .target(name: "TraceSimulation", dependencies: ["TraceModel", "OTLP", "Pipeline", "Sampling", "Storage"]),
        // Not a product: `make soak` builds and runs it.
        .executableTarget(
            name: "TailraceSoak",
            dependencies: ["TraceSimulation", .product(name: "ArgumentParser", package: "swift-argument-parser")]),
        // What `make bench` measures; the measuring is in the package Benchmarks/.
        .target(
            name: "BenchmarkWorkloads",
            dependencies: ["TraceModel", "OTLP", "Pipeline", "Storage", "Tailrace", "DemoTraffic"],
            path: "Benchmarks/Workloads"),
        // Not a product: benchmarks that are processes of their own.
        .executableTarget(
            name: "StepBench",
            dependencies: [
                "TraceModel", "OTLP", "Kafka", "Pipeline", "Sampling", "Storage", "Tailrace", "TraceQL", "DemoTraffic",
                "BenchmarkWorkloads",
            ],
            path: "Benchmarks/StepBench"),

        .testTarget(
            name: "OTLPTests",
            dependencies: ["OTLP", "TraceModel", .product(name: "SwiftProtobuf", package: "swift-protobuf")]),
        .target(name: "BrokerTestSupport", dependencies: ["Kafka"], path: "Tests/BrokerTestSupport"),
        .testTarget(name: "KafkaTests", dependencies: ["Kafka", "BrokerTestSupport"]),
        .testTarget(
            name: "DeliveryTests",
            dependencies: [
                "TailraceCLI", "Kafka", "Pipeline", "Storage", "OTLP", "TraceModel", "BrokerTestSupport",
            ]),
        .testTarget(
            name: "CommandTests",
            dependencies: [
                "TailraceCLI", "Kafka", "Pipeline", "Storage", "OTLP", "TraceModel", "BrokerTestSupport",
            ]),
        .testTarget(
            name: "PipelineTests",
            dependencies: ["Pipeline", "Spelling", "OTLP", "TraceModel", "Sampling", "Storage", "Tailrace"]),
        .testTarget(name: "SamplingTests", dependencies: ["Sampling", "Pipeline", "TraceQL", "OTLP", "TraceModel"]),
        .testTarget(name: "PatternsTests", dependencies: ["Patterns"]),
        .testTarget(name: "TraceQLTests", dependencies: ["TraceQL", "OTLP", "TraceModel"]),
        .testTarget(
            name: "WorkbenchTests",
            dependencies: ["Workbench", "Estimation", "Sampling", "Pipeline", "OTLP", "TraceModel"]),
        .testTarget(
            name: "ImportTests", dependencies: ["Import", "Pipeline", "Sampling", "Tailrace", "OTLP", "TraceModel"]),
        .testTarget(name: "EstimationTests", dependencies: ["Estimation"]),
        .testTarget(
            name: "ComparisonTests",
            dependencies: ["Comparison", "Tailrace", "Kafka", "Pipeline", "OTLP", "TraceModel"]),
        .testTarget(
            name: "RemoteSamplingTests",
            dependencies: [
                "RemoteSampling", "UnaryGRPC", .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP2", package: "swift-nio-http2"),
                .product(name: "NIOHPACK", package: "swift-nio-http2"),
            ]),
        .testTarget(
            name: "ScrubbingTests",
            dependencies: ["Scrubbing", "Patterns", "OTLP", .product(name: "Yams", package: "Yams")]),
        .testTarget(
            name: "StorageTests",
            dependencies: ["Storage", "Pipeline", "OTLP", "TraceModel", "Sampling", "TraceSimulation"]),
        .testTarget(name: "SimulationTests", dependencies: ["TraceSimulation"]),
        .testTarget(
            name: "QueryTests", dependencies: ["TraceModel", "OTLP", "Pipeline", "Storage", "Query", "Estimation"]),
        .testTarget(
            name: "ServerTests",
            dependencies: [
                "TraceModel", "OTLP", "Pipeline", "Storage", "Query", "Server",
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdTesting", package: "hummingbird"),
            ]),
        .testTarget(
            name: "TailraceTests",
            dependencies: [
                "Tailrace", "Pipeline", "OTLP", "TraceModel", "RemoteSampling", "Sampling", "Kafka", "BrokerTestSupport",
            ]),
        .testTarget(
            name: "PipelineTestingTests",
            dependencies: ["PipelineTesting", "TailraceCLI", "Tailrace", "Pipeline", "OTLP", "TraceModel"]),
        .testTarget(name: "DemoTrafficTests", dependencies: ["DemoTraffic", "TraceModel"]),
        .testTarget(
            name: "ProjectTests",
            dependencies: [
                "Tailrace", "TailraceCLI", "Sampling", "Pipeline", "OTLP", "TraceModel", "Storage",
                .product(name: "Yams", package: "Yams"),
            ]),
    ]
)

for target in package.targets where target.type != .system {
    target.swiftSettings = settings
}
