internal import CLinux
internal import Daemon

#if canImport(Glibc)
  internal import Glibc
#endif

/// The pipe of one stream, which outlives the processes that write to it and, where it has a name, the supervisor.
///
/// Who opens it opens both ends: a writer finds a reader at all times, so that it gets no SIGPIPE, and a reader finds
/// no end. What is written while nobody reads waits in it.
final class StreamPipe: Sendable {
  /// Not blocking; closed on exec.
  let descriptor: Int32
  /// nil where it has no name.
  let path: String?
  private let writing: Int32?
  let identity: FileIdentity

  /// Opens the pipe of that name, and makes it where it is not there.
  ///
  /// Where the file system has none, the pipe has no name: it ends with the supervisor.
  /// - Parameters:
  ///   - path: its name.
  ///   - owner: who opens `/dev/stdout` in the process that writes to it.
  /// - Throws: `SystemError` where there is no pipe at all.
  init(path: String, owner: UserIdentity?) throws(SystemError) {
    do throws(SystemError) {
      descriptor = try Self.open(path)
      self.path = path
      writing = nil
    } catch {
      Log.warning("a stream without a name ends with the supervisor", ["error": "\(error)"])
      var ends: [Int32] = [-1, -1]
      try systemCall("pipe2") { bh_pipe_for_reading(&ends) }
      descriptor = ends[0]
      self.path = nil
      writing = ends[1]
    }
    identity = FileIdentity(of: descriptor)
    if let owner, geteuid() == 0 { fchown(descriptor, owner.uid, owner.gid) }
  }

  deinit {
    close(descriptor)
    if let writing { close(writing) }
  }

  /// Opens it once more, blocking, for a process: what that one sets on its descriptor does not reach the next.
  /// - Throws: `SystemError`.
  func openForProcess() throws(SystemError) -> Int32 {
    if let path {
      let opened = bh_open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0)
      if opened >= 0 {
        if FileIdentity(of: opened) == identity { return opened }
        close(opened)
      }
    }
    // Somebody took the name away; the pipe is still there.
    let opened = bh_open("/proc/self/fd/\(descriptor)", O_RDWR | O_CLOEXEC, 0)
    if opened >= 0 { return opened }
    guard let writing else { throw SystemError.last("open a stream") }
    return try systemCall("fcntl F_DUPFD_CLOEXEC") { bh_fcntl(writing, F_DUPFD_CLOEXEC, 3) }
  }

  /// Takes its name away.
  func unlink() { if let path { _ = Glibc.unlink(path) } }

  private static func open(_ path: String) throws(SystemError) -> Int32 {
    var status = stat()
    if lstat(path, &status) == 0, status.st_mode & S_IFMT != S_IFIFO || status.st_mode & 0o022 != 0 {
      _ = Glibc.unlink(path)
    }
    if mkfifo(path, 0o600) != 0, errno != EEXIST { throw SystemError.last("mkfifo \(path)") }
    let flags = O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW
    let opened = try systemCall("open \(path)") { bh_open(path, flags, 0) }
    guard fstat(opened, &status) == 0, status.st_mode & S_IFMT == S_IFIFO else {
      close(opened)
      throw SystemError("open \(path)", code: EEXIST)
    }
    return opened
  }
}
