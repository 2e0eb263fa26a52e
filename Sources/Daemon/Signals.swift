internal import CLinux
#if canImport(Glibc)
  internal import Glibc
#endif

/// Signals as a descriptor that a poll loop can wait for.
public enum Signals {
  /// Blocks signals in this thread and those that it starts, and opens a descriptor that becomes readable when one of
  /// them arrives.
  ///
  /// Call it before the first thread is started. The corresponding C functions are `pthread_sigmask` and `signalfd`.
  /// - Parameter signals: their numbers.
  /// - Returns: a non-blocking descriptor, closed on exec.
  /// - Throws: `SystemError`.
  public static func open(_ signals: [Int32]) throws(SystemError) -> Int32 {
    var set = sigset_t()
    sigemptyset(&set)
    for signal in signals { sigaddset(&set, signal) }
    let code = pthread_sigmask(SIG_BLOCK, &set, nil)
    guard code == 0 else { throw SystemError("pthread_sigmask", code: code) }
    return try systemCall("signalfd") { signalfd(-1, &set, bh_signalfd_flags()) }
  }

  /// Takes one signal that has arrived.
  /// - Parameter descriptor: from `open`.
  /// - Returns: its number, or nil where none is waiting.
  /// - Throws: `SystemError`.
  public static func read(_ descriptor: Int32) throws(SystemError) -> Int32? {
    var information = signalfd_siginfo()
    let size = MemoryLayout<signalfd_siginfo>.size
    let count = Glibc.read(descriptor, &information, size)
    if count == size { return Int32(bitPattern: information.ssi_signo) }
    if count < 0, errno == EAGAIN || errno == EINTR { return nil }
    throw SystemError.last("read signalfd")
  }

  /// Ignores a signal for the life of the process, such as SIGPIPE.
  ///
  /// The corresponding C function is `signal`.
  public static func ignore(_ number: Int32) { _ = signal(number, SIG_IGN) }
}
