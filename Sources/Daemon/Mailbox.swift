internal import CLinux
internal import Synchronization

/// Hands results of other threads to a poll loop, which waits for `descriptor` and takes them in order.
public final class Mailbox<Letter: Sendable>: Sendable {
  private let letters = Mutex<[Letter]>([])
  /// Becomes readable when something has been posted.
  ///
  /// The corresponding C function is `eventfd`.
  public let descriptor: Int32

  /// An empty mailbox.
  ///
  /// - Throws: `SystemError` where the process has no descriptor left.
  public init() throws(SystemError) {
    descriptor = try systemCall("eventfd") { eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC)) }
  }

  deinit { close(descriptor) }

  /// Posts a letter; from any thread.
  public func post(_ letter: Letter) {
    letters.withLock { $0.append(letter) }
    var one: UInt64 = 1
    _ = write(descriptor, &one, 8)
  }

  /// Takes everything that has been posted.
  ///
  /// - Returns: the letters, oldest first.
  public func take() -> [Letter] {
    var count: UInt64 = 0
    _ = read(descriptor, &count, 8)
    return letters.withLock { waiting in
      defer { waiting = [] }
      return waiting
    }
  }
}
