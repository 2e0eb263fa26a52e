internal import CLinux
internal import Daemon

#if canImport(Glibc)
  internal import Glibc
#endif

/// A control group for one process and its descendants, below the supervisor's own.
///
/// The corresponding files are those of cgroup v2, or of the memory controller of v1.
final class ControlGroup {
  private enum Kind { case first, second }

  private let path: String
  private let kind: Kind
  private var kills = 0

  /// Makes the group, or finds it as an earlier supervisor made it.
  /// - Throws: `SystemError` where none can be had.
  init(runDirectory: String, name: String, memoryMax: Int) throws(SystemError) {
    guard let (parent, kind) = Self.parent() else { throw SystemError("cgroup", code: EOPNOTSUPP) }
    self.kind = kind
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in runDirectory.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    let family = "\(parent)/bulkhead-\(String(hash, radix: 16))"
    path = "\(family)/\(name)"
    if kind == .second { Self.enable(parent) }
    try Self.make(family)
    if kind == .second { Self.enable(family) }
    try Self.make(path)
    kills = countKills()
    guard memoryMax > 0 else { return }
    try Self.write(
      "\(memoryMax)", to: path + (kind == .first ? "/memory.limit_in_bytes" : "/memory.max"))
    if kind == .second { try? Self.write("0", to: path + "/memory.swap.max") }
  }

  /// What a process writes to in order to be in the group.
  /// - Throws: `SystemError`.
  func openMembers() throws(SystemError) -> Int32 {
    let file = path + "/cgroup.procs"
    return try systemCall("open \(file)") { bh_open(file, O_WRONLY | O_CLOEXEC, 0) }
  }

  /// Whether the kernel has ended a member for lack of memory since the last time that somebody asked.
  func takeKills() -> Bool {
    let count = countKills()
    defer { kills = count }
    return count > kills
  }

  /// Removes the group, where nobody is in it any more.
  func remove() {
    rmdir(path)
    rmdir(FilePaths.directory(of: path))
  }

  private func countKills() -> Int {
    Self.counter("oom_kill", in: path + (kind == .first ? "/memory.oom_control" : "/memory.events")) ?? 0
  }

  /// How many processes the kernel has ended on this machine for lack of memory; nil where it does not tell.
  static func killsOfMachine() -> Int? { counter("oom_kill", in: "/proc/vmstat") }

  private static func counter(_ name: String, in file: String) -> Int? {
    let key = Array((name + " ").utf8)
    let line = (try? readFile(file, sizeMax: 1 << 20))?.split(separator: 0x0A).first { $0.starts(with: key) }
    return line.flatMap { Int(String(decoding: $0.dropFirst(key.count), as: UTF8.self)) }
  }

  /// The group that this process is in, where it may make others.
  private static func parent() -> (String, Kind)? {
    let text = String(decoding: (try? readFile("/proc/self/cgroup", sizeMax: 1 << 16)) ?? [], as: UTF8.self)
    let lines = text.split(separator: "\n").map {
      $0.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
    }
    if let own = lines.first(where: { $0.count == 3 && $0[1].split(separator: ",").contains("memory") }) {
      // Where the name space hides our own, the root of what is seen is it.
      for path in ["/sys/fs/cgroup/memory\(own[2])", "/sys/fs/cgroup/memory"]
      where access(path + "/memory.limit_in_bytes", F_OK) == 0 && access(path, W_OK) == 0 {
        return (path.hasSuffix("/") ? String(path.dropLast()) : path, .first)
      }
      return nil
    }
    guard let own = lines.first(where: { $0.count == 3 && $0[0] == "0" }) else { return nil }
    for path in ["/sys/fs/cgroup\(own[2])", "/sys/fs/cgroup"]
    where access(path + "/cgroup.subtree_control", W_OK) == 0 && counterFile(path, "cgroup.controllers", "memory") {
      return (path.hasSuffix("/") ? String(path.dropLast()) : path, .second)
    }
    return nil
  }

  private static func counterFile(_ path: String, _ file: String, _ word: String) -> Bool {
    let text = String(decoding: (try? readFile("\(path)/\(file)", sizeMax: 4096)) ?? [], as: UTF8.self)
    return text.split(whereSeparator: \.isWhitespace).contains { $0 == word }
  }

  /// Gives groups below this one the memory controller; what that came to shows when a limit is written.
  private static func enable(_ path: String) {
    guard !counterFile(path, "cgroup.subtree_control", "memory") else { return }
    try? write("+memory", to: path + "/cgroup.subtree_control")
  }

  private static func make(_ path: String) throws(SystemError) {
    if mkdir(path, 0o755) != 0, errno != EEXIST { throw SystemError.last("mkdir \(path)") }
  }

  private static func write(_ text: String, to file: String) throws(SystemError) {
    let descriptor = try systemCall("open \(file)") { bh_open(file, O_WRONLY | O_CLOEXEC, 0) }
    defer { close(descriptor) }
    guard Glibc.write(descriptor, text, text.utf8.count) == text.utf8.count else {
      throw SystemError.last("write \(text) to \(file)")
    }
  }
}
