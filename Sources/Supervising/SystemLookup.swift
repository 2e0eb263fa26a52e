internal import CLinux
internal import Daemon

#if canImport(Glibc)
  internal import Glibc
#endif

/// What the configuration asks the machine: users, programs, the host's name.
enum SystemLookup {
  /// A user by name or number.
  ///
  /// The corresponding C functions are `getpwnam`, `getpwuid` and `getgrouplist`.
  static func user(_ text: String) -> UserIdentity? {
    let found = UInt32(text).map { getpwuid($0) } ?? getpwnam(text)
    guard let entry = found?.pointee, let name = entry.pw_name, let home = entry.pw_dir else { return nil }
    var count: Int32 = 256
    var groups = [gid_t](repeating: 0, count: Int(count))
    if getgrouplist(name, entry.pw_gid, &groups, &count) < 0 { count = 0 }
    return UserIdentity(
      uid: entry.pw_uid, gid: entry.pw_gid, groups: Array(groups.prefix(Int(max(0, count)))),
      name: String(cString: name), home: String(cString: home))
  }

  /// A group's number by its name or number.
  ///
  /// The corresponding C functions are `getgrnam` and `getgrgid`.
  static func group(_ text: String) -> UInt32? {
    (UInt32(text).map { getgrgid($0) } ?? getgrnam(text))?.pointee.gr_gid
  }

  /// A path with the home of a user in place of a `~` or `~user` at its beginning.
  static func atHome(_ path: String) -> String {
    guard path.hasPrefix("~") else { return path }
    let name = path.dropFirst().prefix { $0 != "/" }
    let rest = path.dropFirst(1 + name.count)
    let home =
      name.isEmpty
      ? getenv("HOME").map { String(cString: $0) } ?? user(String(geteuid()))?.home : user(String(name))?.home
    guard let home else { return path }
    return (home.hasSuffix("/") ? String(home.dropLast()) : home) + rest
  }

  /// The path of a program: as it stands where it holds a slash, else looked up in `PATH`.
  static func program(_ name: String, searchPath: String) throws(ExecutableProblem) -> String {
    if name.contains("/") {
      try check(name)
      return name
    }
    var problem = ExecutableProblem(kind: .notFound, path: name)
    for directory in searchPath.split(separator: ":") {
      let path = "\(directory)/\(name)"
      do throws(ExecutableProblem) {
        try check(path)
        return path
      } catch {
        if error.kind != .notFound, problem.kind == .notFound { problem = error }
      }
    }
    throw problem
  }

  private static func check(_ path: String) throws(ExecutableProblem) {
    var status = stat()
    guard stat(path, &status) == 0 else { throw ExecutableProblem(kind: .notFound, path: path) }
    if status.st_mode & S_IFMT == S_IFDIR { throw ExecutableProblem(kind: .directory, path: path) }
    if status.st_mode & 0o111 == 0 { throw ExecutableProblem(kind: .notExecutable, path: path) }
    if access(path, X_OK) != 0 { throw ExecutableProblem(kind: .notPermitted, path: path) }
  }

  /// The name of this host.
  ///
  /// The corresponding C function is `gethostname`.
  static var hostName: String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
      guard let base = buffer.baseAddress, gethostname(base, buffer.count - 1) == 0 else { return "localhost" }
      base[255] = 0
      return String(cString: base)
    }
  }

  /// Makes this process run as a user, for good.
  ///
  /// The corresponding C functions are `setgroups`, `setgid` and `setuid`.
  static func become(_ user: UserIdentity) throws(SystemError) {
    try systemCall("setgroups") { setgroups(user.groups.count, user.groups) }
    try systemCall("setgid") { setgid(user.gid) }
    try systemCall("setuid") { setuid(user.uid) }
  }

  /// Whether somebody listens on a unix socket.
  ///
  /// The corresponding C function is `connect`.
  static func isListening(_ path: String) -> Bool {
    guard let (target, length) = Readiness.socketAddress(path) else { return false }
    var address = target
    let descriptor = socket(AF_UNIX, bh_socket_stream_flags(), 0)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    return withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, length) == 0 }
    }
  }
}
