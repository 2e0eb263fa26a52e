internal import CLinux
internal import Glibc

/// Runs a blocking call on a thread of its own, so that none of the cooperative pool's few is held.
enum OwnThread {
  private final class Start {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }

  /// Starts a detached thread.
  ///
  /// Signals stay with the threads that were there before: all are blocked in the new one, `SIGPIPE` too.
  /// - Returns: whether the system had a thread to give.
  ///
  /// The corresponding C function is `pthread_create`.
  static func start(_ body: @escaping @Sendable () -> Void) -> Bool {
    var all = sigset_t()
    var before = sigset_t()
    sigfillset(&all)
    // A new thread inherits the mask of the one that makes it.
    pthread_sigmask(SIG_SETMASK, &all, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    let start = Unmanaged.passRetained(Start(body))
    var thread = pthread_t()
    let code = pthread_create(
      &thread, nil,
      { context in
        guard let context else { return nil }
        Unmanaged<Start>.fromOpaque(context).takeRetainedValue().body()
        return nil
      }, start.toOpaque())
    guard code == 0 else {
      start.release()
      return false
    }
    pthread_detach(thread)
    return true
  }
}
