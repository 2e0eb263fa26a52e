internal import CLinux
internal import Daemon

#if canImport(Glibc)
  internal import Glibc
#endif

/// Threads that only move bytes.
enum PumpThread {
  private final class Start {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }

  /// Starts a detached thread with a small stack that takes no signals.
  ///
  /// The corresponding C function is `pthread_create`.
  /// - Throws: `SystemError` where the system has no thread to give.
  static func start(_ body: @escaping @Sendable () -> Void) throws(SystemError) {
    var all = sigset_t()
    var before = sigset_t()
    sigfillset(&all)
    // A new thread inherits the mask of the one that makes it.
    pthread_sigmask(SIG_SETMASK, &all, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setstacksize(&attributes, 256 << 10)
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    let start = Unmanaged.passRetained(Start(body))
    var thread = pthread_t()
    let code = pthread_create(
      &thread, &attributes,
      { context in
        guard let context else { return nil }
        Unmanaged<Start>.fromOpaque(context).takeRetainedValue().body()
        return nil
      }, start.toOpaque())
    guard code == 0 else {
      start.release()
      throw SystemError("pthread_create", code: code)
    }
  }
}

/// Something that another thread finishes.
final class Completion: Sendable {
  private let descriptor: Int32

  init() throws(SystemError) {
    descriptor = try systemCall("eventfd") { eventfd(0, Int32(EFD_CLOEXEC)) }
  }

  deinit { close(descriptor) }

  func finish() {
    var one: UInt64 = 1
    _ = write(descriptor, &one, 8)
  }

  /// Waits for it.
  /// - Returns: whether it was finished in time.
  func wait(milliseconds: Int32) -> Bool {
    var item = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    let limit = SystemClock.monotonicNanoseconds + Int64(milliseconds) * 1_000_000
    while true {
      let left = max(0, (limit - SystemClock.monotonicNanoseconds + 999_999) / 1_000_000)
      let count = poll(&item, 1, Int32(clamping: left))
      if count >= 0 || errno != EINTR { return count > 0 }
    }
  }
}
