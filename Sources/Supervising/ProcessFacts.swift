internal import CLinux
internal import Daemon

#if canImport(Glibc)
  internal import Glibc
#endif

/// What the kernel says of a process, its child or not.
///
/// The corresponding file is `/proc/PID/stat`.
struct ProcessFacts {
  let pid: Int32
  let parent: Int32
  let group: Int32
  let session: Int32
  /// Whether it has ended, and nobody has reaped it.
  let isZombie: Bool
  /// When it began, in ticks since the machine's start: together with the pid and the boot it is never used again.
  let startTicks: UInt64
  /// The status of `waitpid` where it has ended and the kernel shows it to us; else 0.
  let exitStatus: Int32

  /// Looks a process up; nil where there is none.
  init?(pid: Int32) {
    guard pid > 0, let bytes = try? readFile("/proc/\(pid)/stat", sizeMax: 4096),
      // The name stands in parentheses, and may hold any byte.
      let end = bytes.lastIndex(of: UInt8(ascii: ")"))
    else { return nil }
    let fields = bytes[(end + 1)...].split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) }
    guard fields.count > 19, let parent = Int32(fields[1]), let group = Int32(fields[2]),
      let session = Int32(fields[3]), let startTicks = UInt64(fields[19])
    else { return nil }
    self.pid = pid
    self.parent = parent
    self.group = group
    self.session = session
    self.startTicks = startTicks
    isZombie = fields[0] == "Z" || fields[0] == "X"
    exitStatus = fields.count > 49 ? Int32(fields[49].prefix { $0 != "\n" }) ?? 0 : 0
  }

  /// The pids of all processes.
  static func allPids() -> [Int32] {
    guard let directory = opendir("/proc") else { return [] }
    defer { closedir(directory) }
    var result: [Int32] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if let pid = Int32(name) { result.append(pid) }
    }
    return result
  }

  /// What a process was started with under a name in its environment; nil where it has none, or is not ours to see.
  static func variable(_ name: String, of pid: Int32) -> String? {
    let head = Array("\(name)=".utf8)
    guard let bytes = try? readFile("/proc/\(pid)/environ", sizeMax: 4 << 20) else { return nil }
    for entry in bytes.split(separator: 0) where entry.starts(with: head) {
      return String(decoding: entry.dropFirst(head.count), as: UTF8.self)
    }
    return nil
  }

  /// The arguments of a process, the program first.
  static func arguments(of pid: Int32) -> [String] {
    guard let bytes = try? readFile("/proc/\(pid)/cmdline", sizeMax: 1 << 20) else { return [] }
    return bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
  }

  /// What tells this start of the machine from all others.
  static let bootID: String = {
    let bytes = (try? readFile("/proc/sys/kernel/random/boot_id", sizeMax: 256)) ?? []
    return String(decoding: bytes, as: UTF8.self).filter { !$0.isWhitespace }
  }()
}
