internal import CLinux
internal import Daemon
internal import Web

#if canImport(Glibc)
  internal import Glibc
#endif

/// The control interface on its sockets: HTTP with XML-RPC at `/RPC2`, and logs that are followed.
final class ControlServer {
  private let interface: ControlInterface
  private let tails: LogTails
  private var servers: [HTTPServer] = []

  /// Listens on every socket of the configuration.
  /// - Throws: `SystemError` where one cannot be bound.
  init(supervisor: Supervisor) throws {
    interface = ControlInterface(supervisor: supervisor)
    tails = LogTails(supervisor: supervisor)
    let endpoints = supervisor.configuration.controlEndpoints
    let options = Self.options(
      processes: supervisor.configuration.processes.count, servers: endpoints.count)
    for endpoint in endpoints {
      // The run directory is locked, so its socket is ours; any other may belong to a supervisor that lives.
      if endpoint.isOptional, let path = endpoint.path, SystemLookup.isListening(path) {
        Log.warning("control socket belongs to another supervisor", ["path": path])
        continue
      }
      let guardian = endpoint.credentials.map { ControlGuard($0, place: endpoint.url) }
      let server = try HTTPServer(listen: endpoint.address, options: options, screen: guardian?.refusal) {
        [interface, tails] request in Self.answer(request, interface, tails)
      }
      if let path = endpoint.path, let owner = endpoint.owner {
        try systemCall("chown \(path)") { lchown(path, owner.uid, owner.gid) }
      }
      Log.info("control interface", ["at": endpoint.url(port: server.port)])
      servers.append(server)
      try supervisor.watch(server.descriptor) { server.process() }
    }
  }

  /// Limits by the descriptors that this process may have: what spawning needs is left free.
  static func options(processes: Int, servers: Int) -> HTTPServerOptions {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    let reserved = 64 + 12 * processes
    let share = (Int(clamping: limit.rlim_cur) - reserved) / max(1, servers)
    return HTTPServerOptions(
      connectionsMax: min(1000, max(16, share)), idleTimeoutSeconds: 6000, requestTimeoutSeconds: 30,
      answerTimeoutSeconds: 60, heldBytesMax: 32 << 20, bodyBytesMax: XMLRPC.bytesMax, headerBytesMax: 16 << 10)
  }

  /// How long the loop may wait, in milliseconds; −1 without limit.
  var timeoutMilliseconds: Int32 {
    var result: Int32 = -1
    for server in servers {
      let timeout = server.timeoutMilliseconds
      if timeout >= 0 { result = result < 0 ? timeout : min(result, timeout) }
    }
    return result
  }

  /// Those who are connected.
  var connectionCount: Int { servers.reduce(0) { $0 + $1.connectionCount } }

  func process() { for server in servers { server.process() } }

  func stop() {
    process()
    for server in servers { server.stop() }
    servers = []
  }

  private static func answer(
    _ request: HTTPServerRequest, _ interface: ControlInterface, _ tails: LogTails
  ) -> HTTPServerReply {
    if request.path.hasPrefix("/RPC2") { return call(request, interface) }
    for prefix in ["/mainlogtail", "/logtail"] where request.path.hasPrefix(prefix) {
      guard request.method == "GET" else { return .response(.text("GET expected\n", status: 400)) }
      return tails.reply(path: request.path)
    }
    return .response(.text("not found\n", status: 404))
  }

  private static func call(_ request: HTTPServerRequest, _ interface: ControlInterface) -> HTTPServerReply {
    guard request.method == "POST" else { return .response(.text("POST expected\n", status: 400)) }
    let call: XMLRPCCall
    do throws(XMLRPCError) {
      call = try XMLRPC.readCall(request.body)
    } catch {
      return .response(.text("\(error)\n", status: 400))
    }
    let deferral = HTTPDeferral()
    interface.call(call.method, call.parameters) { result in deferral.complete(response(result)) }
    return .deferred(deferral)
  }

  private static func response(_ result: Result<ControlAnswer, ControlFault>) -> HTTPServerResponse {
    let body =
      switch result {
      case .success(let answer): XMLRPC.write(responseOf: answer.xml)
      case .failure(let fault): XMLRPC.write(.fault(code: Int64(fault.code.rawValue), text: fault.text))
      }
    return HTTPServerResponse(headers: ["Content-Type": "text/xml"], body: body)
  }
}

/// Lets nobody pass without the password, counts those who try, and tells of them now and then.
final class ControlGuard {
  private static let quietNanoseconds: Int64 = 10_000_000_000
  private let credentials: HTTPCredentials
  private let place: String
  private var refused = 0
  private var quietUntil: Int64 = 0

  init(_ credentials: HTTPCredentials, place: String) {
    self.credentials = credentials
    self.place = place
  }

  func refusal(_ request: HTTPServerRequest) -> HTTPServerResponse? {
    if credentials.areCarried(by: request.headers) { return nil }
    // A client that does not know yet that there is a password tries nothing.
    guard request.headers["Authorization"] != nil else { return HTTPCredentials.refusal }
    refused += 1
    let now = SystemClock.monotonicNanoseconds
    if now >= quietUntil {
      quietUntil = now + Self.quietNanoseconds
      Log.warning("wrong password for the control interface", ["at": place, "refused": "\(refused)"])
    }
    return HTTPCredentials.refusal
  }
}
