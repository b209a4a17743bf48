// swift-tools-version: 6.2
// The benchmarks: a package of their own, so that neither users nor `swift test` build them, and so that
// they see the log as a user's package does: public API, compiled in another package.
import PackageDescription

let package = Package(
    name: "benchmarks",
    dependencies: [.package(name: "streamjobs", path: "..")],
    targets: [
        .target(
            name: "CFloors",
            // The floors are what this very processor can do.
            cSettings: [.unsafeFlags(["-O3", "-march=native"])],
            linkerSettings: [.linkedLibrary("isal"), .linkedLibrary("lmdb")]),
        // The harness, logs to measure on, and the records that all suites use.
        .target(
            name: "BenchmarkSupport",
            dependencies: ["CFloors", .product(name: "StreamJobsLog", package: "streamjobs")]),
        .executableTarget(
            name: "LogBenchmarks",
            dependencies: [
                "BenchmarkSupport", "CFloors",
                .product(name: "StreamJobsLog", package: "streamjobs"),
            ]),
        .executableTarget(
            name: "JobBenchmarks",
            dependencies: [
                "BenchmarkSupport", "CFloors", .product(name: "StreamJobs", package: "streamjobs"),
            ]),
    ],
    swiftLanguageModes: [.v6]
)
