internal import CLinux
internal import Daemon

#if canImport(Glibc)
  internal import Glibc
#endif

/// Descriptors that are waited for together, each with what to do when it can be read.
///
/// The loop has a descriptor itself, so that it can be waited for within another one. The corresponding C functions
/// are `epoll_ctl` and `epoll_wait`.
final class EventLoop {
  /// A registration; never used again once it is removed, so that a late event finds nobody.
  struct Token: Hashable {
    fileprivate let number: UInt64
    fileprivate let descriptor: Int32
  }

  /// Becomes readable when there is something to process.
  let descriptor: Int32
  private var handlers: [UInt64: () -> Void] = [:]
  private var next: UInt64 = 0
  private var events = [epoll_event](repeating: epoll_event(), count: 64)

  init() throws(SystemError) {
    descriptor = try systemCall("epoll_create1") { bh_epoll() }
  }

  deinit { close(descriptor) }

  func add(_ descriptor: Int32, _ handler: @escaping () -> Void) throws(SystemError) -> Token {
    next += 1
    var event = epoll_event()
    event.events = UInt32(bh_epoll_in())
    event.data.u64 = next
    try systemCall("epoll_ctl") { epoll_ctl(self.descriptor, EPOLL_CTL_ADD, descriptor, &event) }
    handlers[next] = handler
    return Token(number: next, descriptor: descriptor)
  }

  /// Forgets a descriptor; call it before the descriptor is closed.
  func remove(_ token: Token) {
    guard handlers.removeValue(forKey: token.number) != nil else { return }
    var event = epoll_event()
    epoll_ctl(descriptor, EPOLL_CTL_DEL, token.descriptor, &event)
  }

  /// Calls the handlers of all descriptors that can be read now.
  /// - Parameter timeoutMilliseconds: how long it waits for the first; negative for no limit.
  /// - Throws: `SystemError`.
  func process(timeoutMilliseconds: Int32) throws(SystemError) {
    let count = try systemCall("epoll_wait") {
      epoll_wait(descriptor, &events, Int32(events.count), timeoutMilliseconds)
    }
    for index in 0..<Int(count) { handlers[events[index].data.u64]?() }
  }
}
