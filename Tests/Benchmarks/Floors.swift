import Daemon
import Glibc

/// The programs that measure what the machine can do: compiled here, run in turns with ours.
final class Floors {
  /// Where the sources are, or nil where there are none.
  let directory: String?
  /// Where programs and data go.
  let build: String
  /// Why a figure has no ratio, by program.
  private(set) var reasons: [String] = []
  private var compiled: [String: String?] = [:]

  /// A program and what it is made of, relative to the sources' directory.
  private static let recipes: [String: (compiler: String, sources: [String], libraries: [String])] = [
    "zmqbench": ("gcc", ["limits/zmq/zmqbench.c"], ["-lzmq"]),
    "json_bench": (
      "g++", ["limits/json/json_bench.cpp", "limits/json/shim.cpp", "limits/json/hand.c"], ["-lsimdjson"]
    ),
    "book_bench": ("gcc", ["limits/book/book_bench.c"], []),
    "scan_bench": ("gcc", ["limits/scan/scan_bench.c"], []),
    "e2e": (
      "g++", ["limits/e2e/e2e.cpp", "limits/json/shim.cpp", "limits/json/hand.c"],
      ["-lsimdjson", "-lzmq", "-lpthread"]
    ),
    "floor": ("gcc", ["supervisors/floor.c"], []),
    "child": ("gcc-bare", ["supervisors/child.c"], []),
  ]

  init(build: String) throws(SystemError) {
    self.build = build
    try FilePaths.makeDirectories(build)
    let shared = FilePaths.absolute(Environment.current["BULKHEAD_SHARED"] ?? "../shared")
    if access(shared + "/limits", R_OK) == 0 {
      directory = shared
    } else {
      directory = nil
      reasons.append("no ratios: \(shared)/limits is not there (BULKHEAD_SHARED)")
    }
  }

  /// The path of a program, compiled at its first use; nil where it cannot be had.
  func program(_ name: String) -> String? {
    if let known = compiled[name] { return known }
    let path = compile(name)
    compiled[name] = .some(path)
    return path
  }

  private func compile(_ name: String) -> String? {
    guard let directory, let recipe = Floors.recipes[name] else { return nil }
    let sources = recipe.sources.map { "\(directory)/\($0)" }
    let path = "\(build)/\(name)"
    if let made = modified(path), sources.allSatisfy({ (modified($0) ?? .max) < made }) { return path }
    let flags =
      recipe.compiler == "gcc-bare"
      ? ["-O2", "-static", "-nostdlib", "-fno-stack-protector", "-fno-tree-loop-distribute-patterns"]
      : ["-O3", "-march=native", "-D_GNU_SOURCE"]
    // C sources among C++ ones are compiled on their own: they are no C++.
    var inputs: [String] = []
    for source in sources {
      let compiler = source.hasSuffix(".cpp") ? "g++" : "gcc"
      if sources.count == 1 {
        inputs.append(source)
        continue
      }
      let object = "\(build)/\(name)-\(inputs.count).o"
      let standard = compiler == "g++" ? ["-std=c++17"] : []
      guard run(["/usr/bin/env", compiler] + flags + standard + ["-c", source, "-o", object]) else { return nil }
      inputs.append(object)
    }
    let linker = recipe.compiler == "gcc-bare" ? "gcc" : recipe.compiler
    guard run(["/usr/bin/env", linker] + flags + inputs + ["-o", path] + recipe.libraries) else { return nil }
    return path
  }

  private func modified(_ path: String) -> Int? {
    var status = stat()
    return stat(path, &status) == 0 ? status.st_mtim.tv_sec : nil
  }

  private func run(_ command: [String]) -> Bool {
    guard let child = try? Child(command) else { return false }
    let (text, isGood) = child.finish(seconds: 120)
    if !isGood { reasons.append("no ratio: \(command.joined(separator: " ")): \(text.prefix(300))") }
    return isGood
  }

  /// Runs a program and reads its results.
  /// - Returns: figures by name; nil where the program is missing or failed.
  func results(_ name: String, _ arguments: [String], seconds: Double = 60) -> [String: Double]? {
    guard let path = program(name), let child = try? Child([path] + arguments) else { return nil }
    let (text, isGood) = child.finish(seconds: seconds)
    guard isGood else {
      reasons.append("no ratio: \(name) \(arguments.joined(separator: " ")) failed: \(text.prefix(300))")
      return nil
    }
    return Floors.parse(text)
  }

  /// Lines of the form `R<tab>figure<tab>value<tab>unit`.
  static func parse(_ text: String) -> [String: Double] {
    var results: [String: Double] = [:]
    for line in text.split(separator: "\n") {
      let parts = line.split(separator: "\t")
      if parts.count == 4, parts[0] == "R", let value = Double(parts[2]) { results[String(parts[1])] = value }
    }
    return results
  }
}
