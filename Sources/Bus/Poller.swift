internal import CZeroMQ
internal import Daemon

#if canImport(Glibc)
  internal import Glibc
#endif

/// Waits for bus sockets and plain descriptors together: the heart of a worker's one loop.
///
/// The corresponding C function is `poll`. `zmq_poll` would ask each socket twice for each wait, at two system calls
/// each; here a socket is asked only where something was done with it since it was last found empty. A place that is
/// ready may turn out to have nothing.
public final class Poller {
  private var items: [pollfd] = []
  private var sockets: [BusSocket?] = []

  /// An empty poller.
  public init() {}

  /// Forgets everything that is waited for.
  public func removeAll() {
    items.removeAll(keepingCapacity: true)
    sockets.removeAll(keepingCapacity: true)
  }

  /// Waits for subscriptions to a publisher.
  @discardableResult public func add(_ publisher: Publisher) -> Int { add(socket: publisher.socket) }

  /// Waits for messages of a subscriber.
  @discardableResult public func add(_ subscriber: Subscriber) -> Int { add(socket: subscriber.socket) }

  private func add(socket: BusSocket) -> Int {
    items.append(pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0))
    sockets.append(socket)
    return items.count - 1
  }

  /// Waits for a descriptor.
  ///
  /// - Parameters:
  ///   - descriptor: what is waited for.
  ///   - writable: whether room for writing is waited for as well.
  /// - Returns: the place by which `isReady` is asked.
  @discardableResult public func add(descriptor: Int32, writable: Bool = false) -> Int {
    items.append(pollfd(fd: descriptor, events: 0, revents: 0))
    sockets.append(nil)
    setWritable(writable, at: items.count - 1)
    return items.count - 1
  }

  /// Sets whether room for writing is waited for at a descriptor's place.
  public func setWritable(_ writable: Bool, at place: Int) {
    items[place].events = Int16(POLLIN) | (writable ? Int16(POLLOUT) : 0)
  }

  /// Waits until something is ready, or the time is over.
  ///
  /// - Parameter timeoutMilliseconds: the longest wait; negative for no limit.
  /// - Returns: how many places are ready; 0 also after a signal.
  @discardableResult public func wait(timeoutMilliseconds: Int) -> Int {
    let now = SystemClock.monotonicNanoseconds
    var timeout = Int32(clamping: timeoutMilliseconds)
    for case let socket? in sockets {
      if socket.hasInput(now) { timeout = 0 }
      if let due = socket.askDue(now), timeout < 0 || due < Int64(timeout) * 1_000_000 {
        timeout = Int32(clamping: (due + 999_999) / 1_000_000)
      }
    }
    let ready = poll(&items, nfds_t(items.count), timeout)
    if ready < 0 {
      for index in items.indices { items[index].revents = 0 }
    }
    var count = 0
    for index in items.indices {
      if let socket = sockets[index] {
        if items[index].revents != 0 { socket.mayHaveInput = true }
        if socket.mayHaveInput { items[index].revents = Int16(POLLIN) }
      }
      if items[index].revents != 0 { count += 1 }
    }
    return count
  }

  /// Whether a place was ready at the last wait: readable, writable where asked, or broken.
  public func isReady(_ place: Int) -> Bool { items[place].revents != 0 }
}
