internal import CMicroHTTPD
public import Daemon
internal import Glibc
internal import Synchronization

/// Limits of a server.
public struct HTTPServerOptions: Sendable {
  /// The most HTTP connections at once; more wait in the backlog.
  ///
  /// WebSockets do not count: their owner does.
  public var connectionsMax: Int
  /// After this long without a byte a connection is closed; a deferred request waits as long as it must.
  public var idleTimeoutSeconds: Int
  /// The longest request body; a longer one is answered 413.
  public var bodyBytesMax: Int
  /// Memory for the header of one request; a longer one is answered 431.
  public var headerBytesMax: Int
  /// How many connections may wait to be accepted.
  public var backlog: Int

  /// Limits; the defaults suit a control interface.
  public init(
    connectionsMax: Int = 1000, idleTimeoutSeconds: Int = 60, bodyBytesMax: Int = 8 << 20,
    headerBytesMax: Int = 32 << 10, backlog: Int = 511
  ) {
    self.connectionsMax = connectionsMax
    self.idleTimeoutSeconds = idleTimeoutSeconds
    self.bodyBytesMax = bodyBytesMax
    self.headerBytesMax = headerBytesMax
    self.backlog = backlog
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

  /// Where the server listens; for a unix socket it is removed by `stop()`.
  public let address: ListenAddress
  /// The TCP port; 0 for a unix socket.
  public let port: UInt16
  /// Becomes readable when there is something to process; the server's own: never close it.
  public private(set) var descriptor: Int32 = -1

  let options: HTTPServerOptions
  let handler: Handler
  /// Requests that wait for their deferral, by the identity of their exchange.
  var parked: [ObjectIdentifier: HTTPDeferral] = [:]
  /// How many of them other threads have resumed, and the library has not come to yet.
  let resumptions = Resumptions()
  private var daemon: OpaquePointer?
  private var listenDescriptor: Int32

  /// A server that listens; connections are accepted by `process()`.
  /// - Parameters:
  ///   - address: where to listen.
  ///   - options: its limits.
  ///   - handler: answers each request.
  /// - Throws: `SystemError`.
  public init(
    listen address: ListenAddress, options: HTTPServerOptions = HTTPServerOptions(), handler: @escaping Handler
  ) throws(SystemError) {
    self.address = address
    self.options = options
    self.handler = handler
    listenDescriptor = try ListeningSocket.open(address, backlog: Int32(clamping: options.backlog))
    port = ListeningSocket.port(of: listenDescriptor)
    let context = Unmanaged.passUnretained(self).toOpaque()
    errno = 0
    daemon = bh_mhd_start(
      listenDescriptor, ServerExchange.onAccess, context, ServerExchange.onURI, nil, ServerExchange.onCompleted,
      context, UInt32(clamping: options.connectionsMax), UInt32(clamping: options.idleTimeoutSeconds),
      options.headerBytesMax)
    guard let daemon else {
      let code = errno
      close(listenDescriptor)
      throw SystemError("MHD_start_daemon", code: code)
    }
    descriptor = bh_mhd_epoll_descriptor(daemon)
  }

  deinit { stop() }

  /// How long the owner may poll, in milliseconds; −1 where only `descriptor` matters.
  ///
  /// The corresponding C function is `MHD_get_timeout`.
  public var timeoutMilliseconds: Int32 {
    // Always, because the library may have swallowed the wake-up: see `process()`.
    if resumptions.count > 0 { return 1 }
    var timeout: UInt64 = 0
    guard let daemon, MHD_get_timeout(daemon, &timeout) == .YES else { return -1 }
    return Int32(clamping: timeout)
  }

  /// How many HTTP connections are open.
  public var connectionCount: Int { daemon.map { Int(bh_mhd_connection_count($0)) } ?? 0 }

  /// Accepts, reads, calls the handler and writes, as far as it goes without waiting.
  ///
  /// The corresponding C function is `MHD_run`.
  public func process() {
    guard let daemon else { return }
    _ = MHD_run(daemon)
    // The library looks for resumed connections before it empties the pipe that announces them. One that is resumed
    // in between is seen in the next run only, for which nothing would wake the owner.
    if resumptions.count > 0 { _ = MHD_run(daemon) }
  }

  /// Stops listening, answers what is deferred with 503, closes all connections; WebSockets stay with their owners.
  ///
  /// The corresponding C function is `MHD_stop_daemon`.
  public func stop() {
    guard let daemon else { return }
    // The library must not be stopped while a connection is suspended.
    for deferral in parked.values { deferral.complete(.text("shutting down\n", status: 503)) }
    while !parked.isEmpty { _ = MHD_run(daemon) }
    self.daemon = nil
    descriptor = -1
    MHD_stop_daemon(daemon)
    if case .unix(let path, _) = address { unlink(path) }
  }
}

/// Counts connections that are resumed and not yet back.
final class Resumptions: Sendable {
  private let pending = Atomic(0)

  var count: Int { pending.load(ordering: .acquiring) }
  func begin() { pending.add(1, ordering: .acquiringAndReleasing) }
  func end() { pending.subtract(1, ordering: .acquiringAndReleasing) }
}
