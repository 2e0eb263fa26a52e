import CLinux
import Daemon
import Glibc

/// A process that this one started, and that does not outlive it.
///
/// It is started through this executable, which asks the kernel for the death of its parent's thread to be its own,
/// and then becomes the program that is wanted. Start children from the main thread only.
final class Child {
  let pid: pid_t
  /// What it writes to its standard output and its standard error; −1 where that is thrown away.
  let output: Int32
  private var isReaped = false
  private var status: Int32 = 0
  private var buffered: [UInt8] = []

  /// The word that makes this executable a starter of others.
  static let trampoline = "--die-with-parent"

  /// Becomes another program; returns only where that fails.
  static func become(_ arguments: [String]) -> Never {
    _ = bh_prctl(PR_SET_PDEATHSIG, UInt(SIGKILL))
    var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
    execv(arguments[0], &pointers)
    perror(arguments[0])
    exit(127)
  }

  /// Starts a program.
  /// - Parameters:
  ///   - arguments: the program's path, then its arguments.
  ///   - environment: variables in addition to ours.
  ///   - captures: whether `takeLines` and `finish` can read what it writes.
  /// - Throws: `SystemError`.
  init(_ arguments: [String], environment: [String: String] = [:], captures: Bool = true) throws(SystemError) {
    var pipe: [Int32] = [-1, -1]
    if captures { try systemCall("pipe") { Glibc.pipe(&pipe) } }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    if captures {
      posix_spawn_file_actions_adddup2(&actions, pipe[1], 1)
      posix_spawn_file_actions_adddup2(&actions, pipe[1], 2)
      posix_spawn_file_actions_addclose(&actions, pipe[0])
      posix_spawn_file_actions_addclose(&actions, pipe[1])
    } else {
      posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
      posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
    }
    defer { posix_spawn_file_actions_destroy(&actions) }
    let variables = Environment.current.merging(environment) { $1 }.map { "\($0.key)=\($0.value)" }
    let words = ["/proc/self/exe", Child.trampoline] + arguments
    var argumentPointers = words.map { strdup($0) } + [nil]
    var variablePointers = variables.map { strdup($0) } + [nil]
    defer { for pointer in argumentPointers + variablePointers { free(pointer) } }
    var started: pid_t = 0
    let code = posix_spawn(&started, "/proc/self/exe", &actions, nil, &argumentPointers, &variablePointers)
    if captures { close(pipe[1]) }
    guard code == 0 else { throw SystemError("posix_spawn \(arguments[0])", code: code) }
    pid = started
    output = pipe[0]
    if output >= 0 { _ = bh_fcntl(output, F_SETFL, O_NONBLOCK) }
  }

  deinit {
    kill()
    if output >= 0 { close(output) }
  }

  /// Whether it has ended.
  func hasEnded() -> Bool {
    if !isReaped, waitpid(pid, &status, WNOHANG) == pid { isReaped = true }
    return isReaped
  }

  /// Ends it at once, and everything that it started and left behind.
  func kill() {
    guard !isReaped else { return }
    Glibc.kill(pid, SIGKILL)
    waitpid(pid, &status, 0)
    isReaped = true
  }

  /// Asks it to end, and ends it where it does not within some seconds.
  func stop(seconds: Double = 5) {
    guard !isReaped else { return }
    Glibc.kill(pid, SIGTERM)
    let descriptor = bh_pidfd_open(pid)
    if descriptor >= 0 {
      var item = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      poll(&item, 1, Int32(seconds * 1000))
      close(descriptor)
    }
    if !hasEnded() { kill() }
  }

  /// The lines that it has written since the last call; never blocks.
  func takeLines() -> [String] {
    drain()
    guard let last = buffered.lastIndex(of: 0x0A) else { return [] }
    let whole = buffered[..<last]
    let lines = whole.split(separator: 0x0A, omittingEmptySubsequences: false)
    buffered.removeFirst(last + 1)
    return lines.map { String(decoding: $0, as: UTF8.self) }
  }

  private func drain() {
    guard output >= 0 else { return }
    var part = [UInt8](repeating: 0, count: 65536)
    while true {
      let count = read(output, &part, part.count)
      if count > 0 { buffered.append(contentsOf: part[..<count]) }
      if count == 0 || count < 0 && errno != EINTR { return }
    }
  }

  /// Waits for its end.
  /// - Returns: all that it wrote, and whether it ended well in time.
  func finish(seconds: Double) -> (text: String, isGood: Bool) {
    let end = SystemClock.monotonicNanoseconds + Int64(seconds * 1e9)
    while SystemClock.monotonicNanoseconds < end {
      var item = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
      poll(&item, output >= 0 ? 1 : 0, 20)
      drain()
      if hasEnded() { break }
    }
    drain()
    let isGood = hasEnded() && status == 0
    kill()
    return (String(decoding: buffered, as: UTF8.self), isGood)
  }

  /// Ends all processes whose parent we have become: what our children left behind.
  static func killOrphans() {
    for _ in 0..<100 {
      let left = children(of: getpid())
      if left.isEmpty { return }
      for pid in left { Glibc.kill(pid, SIGKILL) }
      for pid in left { waitpid(pid, nil, 0) }
    }
  }

  /// The direct children of a process.
  static func children(of parent: pid_t) -> [pid_t] {
    var found: [pid_t] = []
    for name in directoryEntries("/proc") {
      guard let pid = pid_t(name), let bytes = try? readFile("/proc/\(pid)/stat", sizeMax: 4096) else { continue }
      let text = String(decoding: bytes, as: UTF8.self)
      guard let bracket = text.lastIndex(of: ")") else { continue }
      let fields = text[text.index(after: bracket)...].split(separator: " ")
      if fields.count > 1, pid_t(fields[1]) == parent { found.append(pid) }
    }
    return found
  }
}
