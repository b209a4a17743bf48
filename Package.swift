// swift-tools-version: 6.2
// The package in one picture: docs/ARCHITECTURE.md, "Floors". Nothing imports upwards.
import PackageDescription

/// Warnings are errors where CI is set only: the next compiler's warnings must not break newcomers.
let warnings: [SwiftSetting] =
    Context.environment["CI"] == nil ? [] : [.treatAllWarnings(as: .error)]

let settings: [SwiftSetting] =
    [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
        .enableUpcomingFeature("InferIsolatedConformances"),
    ] + warnings

let package = Package(
    name: "streamjobs",
    products: [
        .library(name: "StreamJobs", targets: ["StreamJobs"]),
        .library(name: "StreamJobsCLI", targets: ["StreamJobsCLI"]),
        .library(name: "StreamJobsLog", targets: ["StreamJobsLog"]),
        .library(name: "StreamJobsTesting", targets: ["StreamJobsTesting"]),
        .executable(name: "jobrunner", targets: ["jobrunner"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    ],
    targets: [
        .systemLibrary(
            name: "CStreamJobsLMDB", path: "Sources/CLibraries/LMDB", pkgConfig: "lmdb",
            providers: [.apt(["liblmdb-dev"])]),
        .systemLibrary(
            name: "CStreamJobsISAL", path: "Sources/CLibraries/ISAL", pkgConfig: "libisal",
            providers: [.apt(["libisal-dev"])]),
        .systemLibrary(
            name: "CStreamJobsZlib", path: "Sources/CLibraries/Zlib", pkgConfig: "zlib",
            providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(
            name: "CStreamJobsSnappy", path: "Sources/CLibraries/Snappy", pkgConfig: "snappy",
            providers: [.apt(["libsnappy-dev"])]),
        .systemLibrary(
            name: "CStreamJobsLZ4", path: "Sources/CLibraries/LZ4", pkgConfig: "liblz4",
            providers: [.apt(["liblz4-dev"])]),
        .systemLibrary(
            name: "CStreamJobsZstd", path: "Sources/CLibraries/Zstd", pkgConfig: "libzstd",
            providers: [.apt(["libzstd-dev"])]),

        .systemLibrary(name: "CStreamJobsLinux", path: "Sources/CLibraries/Linux"),

        .target(
            name: "StreamJobsChecksum", dependencies: ["CStreamJobsISAL"],
            path: "Sources/Checksum", swiftSettings: settings),
        .target(
            name: "StreamJobsCompression",
            dependencies: [
                "CStreamJobsLZ4", "CStreamJobsSnappy", "CStreamJobsZlib", "CStreamJobsZstd",
            ],
            path: "Sources/Compression", swiftSettings: settings),
        .target(
            name: "StreamJobsLog",
            dependencies: ["CStreamJobsLinux", "StreamJobsChecksum", "StreamJobsCompression"],
            path: "Sources/Log", swiftSettings: settings),
        .target(
            name: "LocalState",
            dependencies: ["CStreamJobsLMDB", "CStreamJobsLinux", "StreamJobsChecksum"],
            swiftSettings: settings),
        .target(
            name: "StreamJobs",
            dependencies: [
                "CStreamJobsLinux", "LocalState", "StreamJobsChecksum", "StreamJobsLog",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "HeapModule", package: "swift-collections"),
            ],
            swiftSettings: settings),
        .target(
            name: "StreamJobsTesting",
            dependencies: ["LocalState", "StreamJobs", "StreamJobsCompression", "StreamJobsLog"],
            swiftSettings: settings),
        .target(
            name: "StreamJobsCLI",
            dependencies: [
                "CStreamJobsZlib", "LocalState", "StreamJobs", "StreamJobsLog",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings),
        .target(
            name: "FlightJobs", dependencies: ["StreamJobs"], path: "jobs/flights",
            exclude: ["data"], swiftSettings: settings),
        .executableTarget(
            name: "jobrunner", dependencies: ["FlightJobs", "StreamJobs", "StreamJobsCLI"],
            swiftSettings: settings),

        .executableTarget(
            name: "log-crasher", dependencies: ["StreamJobsLog"], path: "Tests/LogCrasher",
            swiftSettings: settings),
        .target(
            name: "LogFuzzTargets",
            dependencies: ["StreamJobsChecksum", "StreamJobsCompression", "StreamJobsLog"],
            path: "Tests/LogFuzzTargets", swiftSettings: settings),
        .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: settings),
        .target(
            name: "JobTestSupport", dependencies: ["StreamJobs", "StreamJobsLog"],
            path: "Tests/JobTestSupport", swiftSettings: settings),
        .testTarget(
            name: "CompressionTests", dependencies: ["StreamJobsCompression", "TestSupport"],
            swiftSettings: settings),
        .testTarget(
            name: "LogTests",
            dependencies: [
                "LogFuzzTargets", "StreamJobsChecksum", "StreamJobsCompression", "StreamJobsLog",
                "TestSupport",
            ],
            exclude: ["Corpora", "Golden/data-1", "Golden/kafka-1"], swiftSettings: settings),
        .testTarget(
            name: "LocalStateTests", dependencies: ["LocalState", "TestSupport"],
            swiftSettings: settings),
        .testTarget(
            name: "StreamJobsTests",
            dependencies: [
                "JobTestSupport", "LocalState", "StreamJobs", "StreamJobsLog",
                "StreamJobsTesting", "TestSupport",
            ],
            swiftSettings: settings),
        .testTarget(
            name: "StreamJobsCLITests",
            dependencies: [
                "jobrunner", "JobTestSupport", "LocalState", "StreamJobs", "StreamJobsCLI",
                "StreamJobsLog", "TestSupport",
            ],
            swiftSettings: settings),
        .testTarget(
            name: "FlightJobsTests",
            dependencies: ["FlightJobs", "StreamJobs", "StreamJobsTesting"],
            swiftSettings: settings),
    ],
    swiftLanguageModes: [.v6]
)

// It needs libFuzzer, so that it links in scripts/fuzz's own build only.
if Context.environment["STREAMJOBS_FUZZER"] != nil {
    package.targets.append(
        .executableTarget(
            name: "log-fuzzer", dependencies: ["LogFuzzTargets"], path: "Tests/LogFuzzer",
            swiftSettings: settings + [.unsafeFlags(["-parse-as-library"])],
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer"])]))
}
