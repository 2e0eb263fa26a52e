internal import CLinux
internal import Daemon
internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#endif

/// Why something does not reach a process's standard input.
enum InputFailure: Error {
  /// The process does not read, or has closed it.
  case closed
  /// More waits than is kept.
  case full
  case failed(SystemError)
}

/// The way to the standard input of a process.
///
/// What the pipe does not take at once waits here; the pump writes it as soon as the process reads.
final class InputChannel: Sendable {
  /// The most that waits beside what is in the pipe, in bytes.
  static let waitingMax = 1 << 20

  private struct State {
    var descriptor: Int32 = -1
    /// The writing end of a pipe without a name.
    var nameless: Int32 = -1
    /// Whether what bears the name was found to be a pipe.
    var isChecked = false
    var waiting: [UInt8] = []
  }

  private let path: String
  private let state = Mutex(State())

  init(path: String) { self.path = path }

  deinit {
    state.withLock { state in
      if state.descriptor >= 0 { close(state.descriptor) }
      if state.nameless >= 0 { close(state.nameless) }
    }
  }

  /// Makes the pipe's name where it is not there, and opens it for a process.
  ///
  /// The supervisor keeps no end of it: what a process has not read when it ends is not read by the next. Where the file
  /// system has no pipes, it is one without a name, and ends with the supervisor.
  /// - Throws: `SystemError`.
  func openForProcess(owner: UserIdentity?) throws(SystemError) -> Int32 {
    let flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW
    var opened = bh_open(path, flags, 0)
    if opened < 0 {
      guard mkfifo(path, 0o600) == 0 || errno == EEXIST else { return try openNameless() }
      opened = try systemCall("open \(path)") { bh_open(path, flags, 0) }
    }
    if state.withLock({ $0.isChecked }) { return opened }
    var status = stat()
    guard fstat(opened, &status) == 0, status.st_mode & S_IFMT == S_IFIFO else {
      close(opened)
      throw SystemError("open \(path)", code: EEXIST)
    }
    if let owner, geteuid() == 0, status.st_uid != owner.uid { fchown(opened, owner.uid, owner.gid) }
    state.withLock { $0.isChecked = true }
    return opened
  }

  private func openNameless() throws(SystemError) -> Int32 {
    var ends: [Int32] = [-1, -1]
    try systemCall("pipe2") { bh_pipe_for_writing(&ends) }
    state.withLock { state in
      if state.nameless >= 0 { close(state.nameless) }
      state.nameless = ends[1]
    }
    return ends[0]
  }

  /// Sends bytes, after those that wait.
  /// - Returns: a descriptor to wait for until it can be written, where something waits from now on.
  /// - Throws: `InputFailure`; nothing has been sent then.
  func send(_ bytes: [UInt8]) throws(InputFailure) -> Int32? {
    try state.withLock { state throws(InputFailure) in
      guard state.waiting.isEmpty else {
        guard state.waiting.count + bytes.count <= Self.waitingMax else { throw .full }
        state.waiting += bytes
        return nil
      }
      guard bytes.count <= Self.waitingMax else { throw .full }
      state.descriptor =
        state.nameless >= 0
        ? bh_fcntl(state.nameless, F_DUPFD_CLOEXEC, 3)
        : bh_open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW, 0)
      guard state.descriptor >= 0 else {
        if errno == ENXIO || errno == ENOENT { throw .closed }
        throw .failed(SystemError.last("open \(path)"))
      }
      let descriptor = state.descriptor
      state.waiting = bytes
      guard Self.flush(&state) else { throw .closed }
      return state.waiting.isEmpty ? nil : descriptor
    }
  }

  /// Sends what waits, as far as the process takes it.
  /// - Returns: whether something still waits.
  func flush() -> Bool {
    state.withLock { state in
      _ = Self.flush(&state)
      return !state.waiting.isEmpty
    }
  }

  /// Forgets what waits: the process for which it was is gone.
  func clear() {
    state.withLock { state in
      state.waiting = []
      _ = Self.flush(&state)
    }
  }

  func unlink() { _ = Glibc.unlink(path) }

  /// - Returns: whether somebody reads.
  private static func flush(_ state: inout State) -> Bool {
    var sent = 0
    var isOpen = true
    while sent < state.waiting.count {
      let count = state.waiting.withUnsafeBytes { bytes in
        write(state.descriptor, bytes.baseAddress.map { $0 + sent }, bytes.count - sent)
      }
      if count < 0 {
        if errno == EINTR { continue }
        if errno != EAGAIN {
          isOpen = false
          sent = state.waiting.count
        }
        break
      }
      sent += count
    }
    state.waiting.removeFirst(sent)
    if state.waiting.isEmpty, state.descriptor >= 0 {
      close(state.descriptor)
      state.descriptor = -1
    }
    return isOpen
  }
}
