internal import CLinux
internal import CZeroMQ
internal import Daemon

#if canImport(Glibc)
  internal import Glibc
#endif

/// Waits for bus sockets and plain descriptors together: the heart of a worker's one loop.
///
/// The corresponding C functions are `poll`, and `epoll_wait` once a set has stayed the same for a while: it costs the same
/// however many streams are waited for. `zmq_poll` would ask each socket twice for each wait, at two system calls
/// each; here a socket is asked only where something was done with it since it was last found empty. A place that is
/// ready may turn out to have nothing.
public final class Poller {
  private var items: [pollfd] = []
  private var sockets: [(place: Int, socket: BusSocket)] = []
  /// The places that the last wait found ready.
  public private(set) var readyPlaces: [Int] = []
  /// The set in the kernel, while it is the one that is wanted; −1 otherwise.
  private var steady: Int32 = -1
  private var events: [epoll_event] = []
  /// How often this very set was waited for by `poll`; below 0 once the kernel was asked to hold it.
  private var repeatCount = 0
  private static let repeatsUntilSteady = 16

  /// An empty poller.
  public init() {}

  deinit { if steady >= 0 { close(steady) } }

  /// Forgets everything that is waited for.
  ///
  /// To be called, and the set built again, whenever one of its descriptors was closed.
  public func removeAll() {
    items.removeAll(keepingCapacity: true)
    sockets.removeAll(keepingCapacity: true)
    readyPlaces.removeAll(keepingCapacity: true)
    setChanged()
  }

  /// Waits for subscriptions to a publisher.
  @discardableResult public func add(_ publisher: Publisher) -> Int { add(socket: publisher.socket) }

  /// Waits for messages of a subscriber.
  @discardableResult public func add(_ subscriber: Subscriber) -> Int { add(socket: subscriber.socket) }

  private func add(socket: BusSocket) -> Int {
    let place = add(descriptor: socket.descriptor)
    sockets.append((place, socket))
    return place
  }

  /// Waits for a descriptor.
  ///
  /// - Parameters:
  ///   - descriptor: what is waited for.
  ///   - writable: whether room for writing is waited for as well.
  /// - Returns: the place by which `isReady` is asked.
  @discardableResult public func add(descriptor: Int32, writable: Bool = false) -> Int {
    items.append(pollfd(fd: descriptor, events: Poller.events(writable), revents: 0))
    setChanged()
    return items.count - 1
  }

  private static func events(_ writable: Bool) -> Int16 { Int16(POLLIN) | (writable ? Int16(POLLOUT) : 0) }

  /// Sets whether room for writing is waited for at a descriptor's place.
  public func setWritable(_ writable: Bool, at place: Int) {
    guard items[place].events != Poller.events(writable) else { return }
    items[place].events = Poller.events(writable)
    setChanged()
  }

  private func setChanged() {
    repeatCount = 0
    guard steady >= 0 else { return }
    close(steady)
    steady = -1
  }

  /// Waits until something is ready, or the time is over.
  ///
  /// - Parameter timeoutMilliseconds: the longest wait; negative for no limit.
  /// - Returns: how many places are ready; 0 also after a signal.
  @discardableResult public func wait(timeoutMilliseconds: Int) -> Int {
    let now = SystemClock.monotonicNanoseconds
    var timeout = Int32(clamping: timeoutMilliseconds)
    for (_, socket) in sockets {
      if socket.hasInput(now) { timeout = 0 }
      if let due = socket.askDue(now), timeout < 0 || due < Int64(timeout) * 1_000_000 {
        timeout = Int32(clamping: (due + 999_999) / 1_000_000)
      }
    }
    for place in readyPlaces { items[place].revents = 0 }
    readyPlaces.removeAll(keepingCapacity: true)
    if repeatCount == Poller.repeatsUntilSteady { makeSteady() }
    if steady >= 0 { waitSteadily(timeout) } else { waitOnce(timeout) }
    for (place, socket) in sockets {
      if items[place].revents != 0 {
        socket.mayHaveInput = true
      } else if socket.mayHaveInput {
        items[place].revents = Int16(POLLIN)
        readyPlaces.append(place)
      }
    }
    return readyPlaces.count
  }

  private func waitOnce(_ timeout: Int32) {
    if repeatCount >= 0 { repeatCount += 1 }
    guard poll(&items, nfds_t(items.count), timeout) > 0 else {
      for index in items.indices { items[index].revents = 0 }
      return
    }
    for index in items.indices where items[index].revents != 0 { readyPlaces.append(index) }
  }

  private func waitSteadily(_ timeout: Int32) {
    let count = epoll_wait(steady, &events, Int32(events.count), timeout)
    for index in 0..<max(0, Int(count)) {
      let place = Int(events[index].data.u64)
      items[place].revents = Int16(POLLIN)
      readyPlaces.append(place)
    }
  }

  /// Hands the set to the kernel; one that it does not take goes on by `poll`.
  private func makeSteady() {
    repeatCount = -1
    let descriptor = bh_epoll()
    guard descriptor >= 0 else { return }
    for (place, item) in items.enumerated() {
      var event = epoll_event()
      // The bits of POLLIN and POLLOUT are those of EPOLLIN and EPOLLOUT: epoll_ctl(2).
      event.events = UInt32(UInt16(bitPattern: item.events))
      event.data.u64 = UInt64(place)
      guard epoll_ctl(descriptor, EPOLL_CTL_ADD, item.fd, &event) == 0 else {
        close(descriptor)
        return
      }
    }
    steady = descriptor
    if events.isEmpty { events = [epoll_event](repeating: epoll_event(), count: 64) }
  }

  /// Whether a place was ready at the last wait: readable, writable where asked, or broken.
  public func isReady(_ place: Int) -> Bool { items[place].revents != 0 }
}
