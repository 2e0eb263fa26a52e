internal import CZeroMQ

/// Waits for bus sockets and plain descriptors together: the heart of a worker's one loop.
///
/// The corresponding C function is `zmq_poll`.
public final class Poller {
  private var items: [zmq_pollitem_t] = []

  /// An empty poller.
  public init() {}

  /// Forgets everything that is waited for.
  public func removeAll() { items.removeAll(keepingCapacity: true) }

  /// Waits for subscriptions to a publisher.
  @discardableResult public func add(_ publisher: Publisher) -> Int { add(socket: publisher.socket) }

  /// Waits for messages of a subscriber.
  @discardableResult public func add(_ subscriber: Subscriber) -> Int { add(socket: subscriber.socket) }

  private func add(socket: BusSocket) -> Int {
    items.append(zmq_pollitem_t(socket: socket.handle, fd: 0, events: Int16(ZMQ_POLLIN), revents: 0))
    return items.count - 1
  }

  /// Waits for a descriptor.
  ///
  /// - Parameters:
  ///   - descriptor: what is waited for.
  ///   - writable: whether room for writing is waited for as well.
  /// - Returns: the place by which `isReady` is asked.
  @discardableResult public func add(descriptor: Int32, writable: Bool = false) -> Int {
    let events = Int16(ZMQ_POLLIN) | (writable ? Int16(ZMQ_POLLOUT) : 0)
    items.append(zmq_pollitem_t(socket: nil, fd: descriptor, events: events, revents: 0))
    return items.count - 1
  }

  /// Sets whether room for writing is waited for at a descriptor's place.
  public func setWritable(_ writable: Bool, at place: Int) {
    items[place].events = Int16(ZMQ_POLLIN) | (writable ? Int16(ZMQ_POLLOUT) : 0)
  }

  /// Waits until something is ready, or the time is over.
  ///
  /// - Parameter timeoutMilliseconds: the longest wait; negative for no limit.
  /// - Returns: how many places are ready; 0 also after a signal.
  @discardableResult public func wait(timeoutMilliseconds: Int) -> Int {
    let ready = zmq_poll(&items, Int32(items.count), timeoutMilliseconds)
    if ready < 0 {
      for index in items.indices { items[index].revents = 0 }
      return 0
    }
    return Int(ready)
  }

  /// Whether a place was ready at the last wait: readable, writable where asked, or broken.
  public func isReady(_ place: Int) -> Bool { items[place].revents != 0 }
}
