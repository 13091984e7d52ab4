// swift-tools-version: 6.1
import PackageDescription

// A package of its own: libFuzzer brings its own `main`, which the main package must not link.
let package = Package(
    name: "Fuzz",
    dependencies: [.package(name: "tailrace", path: "..")],
    targets: [
        .executableTarget(
            name: "FuzzOTLP", dependencies: [.product(name: "Tailrace", package: "tailrace")],
            swiftSettings: [.swiftLanguageMode(.v6), .unsafeFlags(["-parse-as-library"])])
    ]
)
