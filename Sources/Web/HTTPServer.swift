internal import CLinux
internal import CMicroHTTPD
public import Daemon
internal import Glibc

/// Limits of a server.
public struct HTTPServerOptions: Sendable {
  /// The most HTTP connections at once; more wait in the backlog.
  ///
  /// Where there are so many, those that have waited longest without saying anything are ended. WebSockets do not
  /// count: their owner does.
  public var connectionsMax: Int
  /// After this long without a byte a connection is closed; a deferred request waits as long as it must.
  public var idleTimeoutSeconds: Int
  /// A new connection's first request must be whole after this long; 0: whenever.
  public var requestTimeoutSeconds: Int
  /// A client must have taken its answer after this long, streams excepted; 0: whenever.
  public var answerTimeoutSeconds: Int
  /// What request bodies and answers may hold in memory together, in bytes; what does not fit is answered 503.
  public var heldBytesMax: Int
  /// The longest request body; a longer one is answered 413.
  public var bodyBytesMax: Int
  /// Memory for the header of one request; a longer one is answered 431.
  public var headerBytesMax: Int
  /// How many connections may wait to be accepted.
  public var backlog: Int
  /// Limits of each WebSocket.
  public var webSocket: WebSocketLimits

  /// Limits; the defaults suit a control interface.
  public init(
    connectionsMax: Int = 1000, idleTimeoutSeconds: Int = 60, requestTimeoutSeconds: Int = 60,
    answerTimeoutSeconds: Int = 600, heldBytesMax: Int = 1 << 30, bodyBytesMax: Int = 8 << 20,
    headerBytesMax: Int = 32 << 10, backlog: Int = 511, webSocket: WebSocketLimits = WebSocketLimits()
  ) {
    self.connectionsMax = connectionsMax
    self.idleTimeoutSeconds = idleTimeoutSeconds
    self.requestTimeoutSeconds = requestTimeoutSeconds
    self.answerTimeoutSeconds = answerTimeoutSeconds
    self.heldBytesMax = heldBytesMax
    self.bodyBytesMax = bodyBytesMax
    self.headerBytesMax = headerBytesMax
    self.backlog = backlog
    self.webSocket = webSocket
  }
}

/// An HTTP server without a thread: it runs in the poll loop of its owner.
///
/// Poll `descriptor` for reading, at most `timeoutMilliseconds` long, and call `process()` after every poll. It
/// belongs to one thread; only `HTTPDeferral.complete` may come from others.
///
/// The corresponding C library is libmicrohttpd, with `MHD_USE_EPOLL` and no thread.
public final class HTTPServer {
  /// Answers requests, on the thread that calls `process()`.
  public typealias Handler = (HTTPServerRequest) -> HTTPServerReply
  /// Looks at a request before its body is taken in; its answer, where there is one, is all that the client gets.
  public typealias Screen = (HTTPServerRequest) -> HTTPServerResponse?

  /// Where the server listens; for a unix socket it is removed by `stop()`.
  public let address: ListenAddress
  /// The TCP port; 0 for a unix socket.
  public let port: UInt16
  /// Becomes readable when there is something to process; the server's own: never close it.
  public private(set) var descriptor: Int32 = -1

  let options: HTTPServerOptions
  let handler: Handler
  let screen: Screen?
  /// Requests that wait for their deferral, by the identity of their exchange.
  var parked: [ObjectIdentifier: HTTPDeferral] = [:]
  /// Told by whoever resumes a connection.
  let wakeUp: WakeUp
  /// Whether the library has something left that it does not announce.
  var needsAnotherRun = false
  /// Open connections, by the library's handle.
  var connections: [OpaquePointer: ServerConnection] = [:]
  /// Those that are watched for the client's end, by socket.
  var hangUps: [Int32: OpaquePointer] = [:]
  var streams: [ObjectIdentifier: StreamLink] = [:]
  /// When somebody's time may be over, in nanoseconds of the monotonic clock.
  var nextCheck: Int64?
  var heldBytes = 0
  /// How many connections were ended because there were too many.
  public internal(set) var evictedCount = 0
  private var daemon: OpaquePointer?
  private var isProcessing = false

  /// A server that listens; connections are accepted by `process()`.
  /// - Parameters:
  ///   - address: where to listen.
  ///   - options: its limits.
  ///   - screen: may refuse a request by its header.
  ///   - handler: answers each request.
  /// - Throws: `SystemError`.
  public init(
    listen address: ListenAddress, options: HTTPServerOptions = HTTPServerOptions(), screen: Screen? = nil,
    handler: @escaping Handler
  ) throws(SystemError) {
    self.address = address
    self.options = options
    self.screen = screen
    self.handler = handler
    wakeUp = try WakeUp()
    let listenDescriptor = try ListeningSocket.open(address, backlog: Int32(clamping: options.backlog))
    port = ListeningSocket.port(of: listenDescriptor)
    let context = Unmanaged.passUnretained(self).toOpaque()
    errno = 0
    daemon = bh_mhd_start(
      listenDescriptor, ServerExchange.onAccess, context, ServerExchange.onURI, nil, ServerExchange.onCompleted,
      HTTPServer.onConnection, context, UInt32(clamping: options.connectionsMax),
      UInt32(clamping: options.idleTimeoutSeconds),
      options.headerBytesMax)
    guard let daemon else {
      let code = errno
      close(listenDescriptor)
      throw SystemError("MHD_start_daemon", code: code)
    }
    do throws(SystemError) {
      descriptor = try systemCall("epoll_create1") { epoll_create1(Int32(EPOLL_CLOEXEC)) }
      // The library has no wake-up of its own where its loop is the caller's.
      for source in [bh_mhd_epoll_descriptor(daemon), wakeUp.descriptor] {
        var event = epoll_event(events: EPOLLIN.rawValue, data: epoll_data_t(fd: source))
        try systemCall("epoll_ctl") { epoll_ctl(descriptor, EPOLL_CTL_ADD, source, &event) }
      }
    } catch {
      stop()
      throw error
    }
  }

  deinit { stop() }

  /// How long the owner may poll, in milliseconds; −1 where only `descriptor` matters.
  ///
  /// The corresponding C function is `MHD_get_timeout`.
  public var timeoutMilliseconds: Int32 {
    if needsAnotherRun { return 0 }
    var timeout: UInt64 = 0
    guard let daemon else { return -1 }
    var result = MHD_get_timeout(daemon, &timeout) == .YES ? Int32(clamping: timeout) : -1
    if let nextCheck {
      let wait = Int32(clamping: max(0, nextCheck - SystemClock.monotonicNanoseconds) / 1_000_000 + 1)
      result = result < 0 ? wait : min(result, wait)
    }
    return result
  }

  /// How many HTTP connections are open.
  public var connectionCount: Int { daemon.map { Int(bh_mhd_connection_count($0)) } ?? 0 }

  /// Accepts, reads, calls the handler and writes, as far as it goes without waiting.
  ///
  /// The corresponding C function is `MHD_run`.
  public func process() {
    guard let daemon else { return }
    precondition(!isProcessing, "process within a handler")
    isProcessing = true
    defer { isProcessing = false }
    // Before the run: a connection that is resumed later wakes the owner once more.
    wakeUp.clear()
    takeHangUps()
    for _ in 0..<3 {
      needsAnotherRun = false
      let wasFull = isFull
      _ = MHD_run(daemon)
      keepOrder()
      // Only at the start of a run does the library see that it may accept again.
      if wasFull, !isFull { needsAnotherRun = true }
      guard needsAnotherRun else { return }
    }
  }

  var isFull: Bool { connections.count >= options.connectionsMax }

  /// Stops listening, answers what is deferred with 503, closes all connections; WebSockets stay with their owners.
  ///
  /// Traps within a handler. The corresponding C function is `MHD_stop_daemon`.
  public func stop() {
    guard let daemon else { return }
    precondition(!isProcessing, "stop within a handler")
    // The library must not be stopped while a connection is suspended.
    for deferral in parked.values { deferral.complete(.text("shutting down\n", status: 503)) }
    for stream in streams.values { stream.close() }
    repeat { _ = MHD_run(daemon) } while !parked.isEmpty
    self.daemon = nil
    MHD_stop_daemon(daemon)
    if descriptor >= 0 { close(descriptor) }
    descriptor = -1
    if case .unix(let path, _) = address { unlink(path) }
  }
}

/// Wakes a poll loop from any thread.
///
/// Sound to share: an eventfd is made to be, and is closed when the last who holds it is gone.
final class WakeUp: Sendable {
  let descriptor: Int32

  init() throws(SystemError) {
    descriptor = try systemCall("eventfd") { eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK)) }
  }

  deinit { close(descriptor) }

  func signal() { eventfd_write(descriptor, 1) }

  func clear() {
    var count: eventfd_t = 0
    eventfd_read(descriptor, &count)
  }
}
