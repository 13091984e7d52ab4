// swift-tools-version: 6.1
import PackageDescription

// A package of its own: whoever uses Tailrace as a library does not fetch the benchmark package.
let package = Package(
    name: "Benchmarks",
    dependencies: [
        .package(name: "tailrace", path: ".."),
        // Without its traits: they interpose malloc and reference counting with packages of their own.
        .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.1", traits: []),
    ],
    targets: [
        .executableTarget(
            name: "HotPathBenchmarks",
            dependencies: [
                .product(name: "Benchmark", package: "benchmark"),
                .product(name: "BenchmarkWorkloads", package: "tailrace"),
            ],
            path: "HotPathBenchmarks",
            swiftSettings: [.swiftLanguageMode(.v6)],
            plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")])
    ]
)
