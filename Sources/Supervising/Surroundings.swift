internal import CLinux
#if canImport(Glibc)
  internal import Glibc
#endif
internal import Daemon

/// What a configuration asks of the machine that it is read on.
public struct Surroundings: Sendable {
  /// The name of the host.
  public var hostName: String
  /// A user by name or number.
  public var user: @Sendable (String) -> UserIdentity?
  /// A group's number by its name or number.
  public var group: @Sendable (String) -> UInt32?
  /// Whether there is such a directory.
  public var isDirectory: @Sendable (String) -> Bool
  /// The path of a program by its name and `PATH`.
  public var program: @Sendable (String, String) throws(ExecutableProblem) -> String

  /// Where programs are looked for when nobody says.
  static let searchPath = "/usr/local/bin:/usr/bin:/bin"

  /// The machine.
  public static var machine: Surroundings {
    Surroundings(
      hostName: SystemLookup.hostName, user: { SystemLookup.user($0) }, group: { SystemLookup.group($0) },
      isDirectory: { path in
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
      },
      program: { (name: String, path: String) throws(ExecutableProblem) -> String in
        try SystemLookup.program(name, searchPath: path)
      })
  }

  /// No machine at all: everything is there, and nothing is looked at.
  public static let imagined = Surroundings(
    hostName: "localhost",
    user: { UserIdentity(uid: 1, gid: 1, groups: [], name: $0, home: "/") }, group: { _ in 1 },
    isDirectory: { _ in true },
    program: { (name: String, _: String) throws(ExecutableProblem) -> String in
      name.contains("/") ? name : "/bin/" + name
    })
}
