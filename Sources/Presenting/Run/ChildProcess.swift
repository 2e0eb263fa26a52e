internal import CLinux
internal import Daemon

#if canImport(Glibc)
  internal import Glibc
#endif

/// A process held by its descriptor, so that its number never comes to mean another one.
final class ProcessHandle {
  let pid: Int32
  let descriptor: Int32

  /// The process of this number; nil where there is none.
  init?(pid: Int32) {
    let opened = bh_pidfd_open(pid)
    guard opened >= 0 else { return nil }
    self.pid = pid
    descriptor = opened
  }

  deinit { close(descriptor) }

  /// Whether it has ended, waiting for that for a while.
  func hasEnded(withinMilliseconds limit: Int32 = 0) -> Bool {
    var item = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&item, 1, limit) > 0
  }

  func send(_ signal: Int32) { _ = bh_pidfd_send_signal(descriptor, signal) }
}

/// The supervisor, started by this process, or the one that took the place of it.
struct ChildProcess {
  let handle: ProcessHandle
  /// The process group of all supervisors of this run.
  let group: Int32

  /// Starts a program in a process group of its own, so that a Ctrl-C at the terminal reaches it only through us.
  ///
  /// The corresponding C function is `posix_spawn`.
  /// - Parameters:
  ///   - program: the executable.
  ///   - arguments: without the program itself.
  ///   - environment: its variables.
  ///   - log: where its output goes; begun anew.
  /// - Throws: `SystemError`.
  init(_ program: String, _ arguments: [String], environment: [String: String], log: String) throws(SystemError) {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    var defaults = sigset_t()
    sigemptyset(&defaults)
    sigaddset(&defaults, SIGPIPE)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &defaults)
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP))
    var pid: pid_t = 0
    let argv = CStringArray([program] + arguments)
    let envp = CStringArray(environment.map { "\($0.key)=\($0.value)" })
    let code = withExtendedLifetime((argv, envp)) {
      posix_spawn(&pid, program, &actions, &attributes, argv.pointer, envp.pointer)
    }
    guard code == 0 else { throw SystemError("start \(program)", code: code) }
    guard let handle = ProcessHandle(pid: pid) else { throw SystemError.last("pidfd_open") }
    self.handle = handle
    group = pid
  }

  /// A process that came to this one because its parent died.
  private init(handle: ProcessHandle, group: Int32) {
    self.handle = handle
    self.group = group
  }

  /// Whoever stands in for this one, where it died by a signal; waits a little for it.
  /// - Parameter pidFile: where a supervisor writes its pid.
  /// - Returns: nil where this one ended by itself, or nobody takes over.
  func successor(pidFile: String) -> ChildProcess? {
    var status: Int32 = 0
    guard bh_peek_exit(handle.pid, &status) == handle.pid, status & 0x7F != 0 else { return nil }
    let limit = SystemClock.monotonicNanoseconds + 5_000_000_000
    while SystemClock.monotonicNanoseconds < limit {
      let text = String(decoding: (try? readFile(pidFile, sizeMax: 64)) ?? [], as: UTF8.self)
      if let pid = Int32(text.prefix { $0 != "\n" }), pid != handle.pid, getpgid(pid) == group,
        let next = ProcessHandle(pid: pid), !next.hasEnded()
      {
        waitpid(handle.pid, nil, 0)
        return ChildProcess(handle: next, group: group)
      }
      var pause = timespec(tv_sec: 0, tv_nsec: 10_000_000)
      nanosleep(&pause, nil)
    }
    return nil
  }

  /// Ends all supervisors of this run, those who wait to take over among them.
  func killGroup() { kill(-group, SIGKILL) }

  /// Takes the ends of the processes that a dead supervisor left to us, but not its successor's.
  func reapOthers() {
    for pid in ownChildren() where pid != handle.pid {
      waitpid(pid, nil, WNOHANG)
    }
  }

  /// Takes its end: the code, or 128 and the number of the signal that ended it; nil while it runs.
  func reap() -> Int32? {
    guard handle.hasEnded() else { return nil }
    var status: Int32 = 0
    guard waitpid(handle.pid, &status, 0) == handle.pid else { return 0 }
    return status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F)
  }
}
