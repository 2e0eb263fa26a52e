// swift-tools-version: 6.2
import PackageDescription

// Floors: a target may import only what stands on a floor below it. Every build passes
// `--explicit-target-dependency-import-check error`, so a forbidden import does not compile.

/// Warnings are errors where nobody is there to read them: in CI and in `scripts/test`.
let strict = Context.environment["BULKHEAD_STRICT"] == "1"

let swift: [SwiftSetting] =
  [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
  ] + (strict ? [.treatAllWarnings(as: .error)] : [])

/// Workers carry the standard library in themselves: they start three times faster and need no Swift on the host.
///
/// Symbols of libraries are bound when they start, not when they are first called, which is when it counts.
let selfContained: [LinkerSetting] = [.unsafeFlags(["-static-stdlib", "-Xlinker", "-z", "-Xlinker", "now"])]

/// simdjson's On-Demand parser picks its instruction set when it is compiled; without this it is the scalar one.
#if arch(x86_64)
  let vectorised: [CXXSetting] = [.unsafeFlags(["-march=x86-64-v3"])]
#else
  let vectorised: [CXXSetting] = []
#endif

func room(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: swift)
}

/// A room of the hot path: objects that belong to one poll loop, each access to which would otherwise be checked
/// against others at run time, which is half of a scan's cost.
///
/// The compiler's own checks remain.
func hotRoom(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(
    name: name, dependencies: dependencies,
    swiftSettings: swift + [.unsafeFlags(["-enforce-exclusivity=unchecked"])])
}

func worker(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .executableTarget(name: name, dependencies: dependencies, swiftSettings: swift, linkerSettings: selfContained)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(name: name, dependencies: dependencies + ["TestSupport"], swiftSettings: swift)
}

let libraries: [Target] = [
  // Floor 0: C libraries of the system.
  .systemLibrary(name: "CZeroMQ"),
  .systemLibrary(name: "CCurl"),
  .systemLibrary(name: "CWSlay"),
  .systemLibrary(name: "CMicroHTTPD"),
  .systemLibrary(name: "CSQLite"),
  .systemLibrary(name: "CBotan", pkgConfig: "botan-2", providers: [.apt(["libbotan-2-dev"])]),
  .systemLibrary(name: "CExpat"),
  .systemLibrary(name: "CZlib"),
  .target(name: "CLinux", cSettings: [.define("_GNU_SOURCE")]),
  .target(
    name: "CSimdJSON", cxxSettings: vectorised, linkerSettings: [.linkedLibrary("simdjson")]),

  // Floor 1
  hotRoom("Market", ["CLinux"]),
  room("Daemon", ["CLinux", "Market"]),

  // Floor 2
  hotRoom("Bus", ["CZeroMQ", "CLinux", "Market", "Daemon"]),
  room("Web", ["CCurl", "CWSlay", "CMicroHTTPD", "CExpat", "CSimdJSON", "CLinux", "CBotan", "Market", "Daemon"]),
  room("Resilience", ["Market", "Daemon"]),
  room("Store", ["CSQLite", "Market", "Daemon"]),

  // Floor 3
  room("Venues", ["CSimdJSON", "CBotan", "Web", "Resilience", "Market", "Daemon"]),
  room("Matching", ["Web", "Market", "Daemon"]),

  // Floor 4
  hotRoom("Ingesting", ["CLinux", "Venues", "Web", "Bus", "Store", "Resilience", "Market", "Daemon"]),
  hotRoom("Scanning", ["CLinux", "Matching", "Venues", "Web", "Bus", "Market", "Daemon"]),
  room("Executing", ["Venues", "Web", "Bus", "Store", "Market", "Daemon"]),
  room("Settling", ["Venues", "Web", "Bus", "Store", "Market", "Daemon"]),
  room("Supervising", ["CLinux", "Web", "Bus", "Market", "Daemon"]),
  room("Simulating", ["CBotan", "CZlib", "Web", "Bus", "Market", "Daemon"]),
  room("Presenting", ["CLinux", "Matching", "Venues", "Web", "Bus", "Store", "Market", "Daemon"]),
]

let executables: [Target] = [
  // Floor 5
  worker("supervisor", ["Supervising", "Daemon"]),
  worker("ingestor", ["Ingesting", "Daemon"]),
  worker("scanner", ["Scanning", "Daemon"]),
  worker("executor", ["Executing", "Daemon"]),
  worker("settler", ["Settling", "Daemon"]),
  worker("simulator", ["Simulating", "Daemon"]),
  worker("dashboard", ["Presenting", "Daemon"]),
  worker("bulkhead", ["Presenting", "Daemon"]),
]

let checks: [Target] = [
  .target(
    name: "TestSupport", dependencies: ["Market", "Daemon"], path: "Tests/TestSupport", swiftSettings: swift),
  .target(name: "Allocations", path: "Tests/Allocations"),
  .target(name: "ManualTime", dependencies: ["Resilience"], path: "Tests/ManualTime", swiftSettings: swift),
  .executableTarget(
    name: "Benchmarks",
    dependencies: [
      "Allocations", "ManualTime", "CBotan", "CLinux", "CZeroMQ", "Ingesting", "Resilience", "Matching", "Venues",
      "Web", "Bus", "Scanning", "Market", "Daemon",
    ],
    path: "Tests/Benchmarks", swiftSettings: swift + [.unsafeFlags(["-enforce-exclusivity=unchecked"])],
    linkerSettings: selfContained),
  tests("MarketTests", ["Market"]),
  tests("DaemonTests", ["Daemon"]),
  tests("BusTests", ["Bus", "Market", "Daemon"]),
  tests("WebTests", ["Web", "Market", "Daemon"]),
  tests("ResilienceTests", ["Resilience", "ManualTime", "Market"]),
  tests("StoreTests", ["Store", "Market", "Daemon"]),
  tests("VenuesTests", ["Venues", "CBotan", "CSimdJSON", "Web", "Market", "Daemon"]),
  tests("MatchingTests", ["Matching", "Market", "Daemon"]),
  tests(
    "IngestingTests",
    ["Ingesting", "ManualTime", "Resilience", "Venues", "Web", "Bus", "Store", "Market", "Daemon"]),
  tests("ScanningTests", ["Scanning", "Web", "Bus", "Market", "Daemon"]),
  tests("ExecutingTests", ["Executing", "Store", "Bus", "Market", "Daemon"]),
  tests("SettlingTests", ["Settling", "Store", "Venues", "Web", "Bus", "Market", "Daemon"]),
  tests("SupervisingTests", ["Supervising", "Web", "Bus", "Market", "Daemon"]),
  tests("SimulatingTests", ["Simulating", "Web", "Bus", "Market", "Daemon"]),
  tests("PresentingTests", ["Presenting", "Matching", "Web", "Bus", "Store", "Market", "Daemon"]),
  tests("SystemTests", ["Bus", "Venues", "Web", "Store", "Market", "Daemon"]),
]

/// `BULKHEAD_TESTS=WebTests,BusTests` builds these tests alone, and no benchmarks: a full build takes minutes.
let chosen = Context.environment["BULKHEAD_TESTS"].map { $0.split(separator: ",").map(String.init) }
let wanted = checks.filter { target in
  guard let chosen, target.type != .regular else { return true }
  return chosen.contains(target.name)
}

let package = Package(
  name: "bulkhead",
  targets: libraries + executables + wanted,
  swiftLanguageModes: [.v6],
  cLanguageStandard: .gnu11,
  cxxLanguageStandard: .cxx17
)
