import Foundation
import Glibc

/// The stock supervisord, run on a configuration; it and its children end with this object.
final class StockSupervisor {
  static let program = "/usr/bin/supervisord"
  let pid: Int32
  private var hasEnded = false

  /// Starts one in the foreground.
  /// - Parameters:
  ///   - path: the configuration.
  ///   - environment: what it gets.
  /// - Throws: `Timeout` where it cannot be run.
  init(path: String, environment: [String: String] = [:]) throws {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for descriptor: Int32 in 0...2 { posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0) }
    // The threads of tests may block signals, which whoever they spawn would then, too.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP))
    let variables = environment.merging(["PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"]) { own, _ in own }
    let words: [String] = [StockReader.python, "-W", "ignore", Self.program, "-n", "-c", path]
    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    var pairs: [UnsafeMutablePointer<CChar>?] = variables.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { (arguments + pairs).forEach { free($0) } }
    var child: Int32 = 0
    guard posix_spawn(&child, StockReader.python, &actions, &attributes, &arguments, &pairs) == 0 else {
      throw Timeout(description: "cannot run \(Self.program)")
    }
    pid = child
  }

  deinit { end() }

  /// The pids of its children.
  var children: [Int32] {
    let text = (try? String(contentsOfFile: "/proc/\(pid)/task/\(pid)/children", encoding: .utf8)) ?? ""
    return text.split(separator: " ").compactMap { Int32($0) }
  }

  /// Asks it to end, and kills what does not.
  func end() {
    guard !hasEnded else { return }
    hasEnded = true
    var known = children
    kill(pid, SIGTERM)
    let limit = Date().addingTimeInterval(60)
    var status: Int32 = 0
    while waitpid(pid, &status, WNOHANG) == 0 {
      known += children.filter { !known.contains($0) }
      if Date() > limit {
        for child in known { kill(-child, SIGKILL) }
        kill(pid, SIGKILL)
        waitpid(pid, &status, 0)
        break
      }
      usleep(20_000)
    }
  }
}
