internal import Daemon
internal import Web

/// The control interface on its unix sockets: HTTP with XML-RPC at `/RPC2`.
final class ControlServer {
  private let interface: ControlInterface
  private var servers: [HTTPServer] = []

  /// Listens on every socket of the configuration.
  /// - Throws: `SystemError` where one cannot be bound.
  init(supervisor: Supervisor) throws {
    interface = ControlInterface(supervisor: supervisor)
    for path in supervisor.configuration.controlSockets {
      // The run directory is locked, so its socket is ours; any other may belong to a supervisor that lives.
      if path != supervisor.configuration.controlSockets[0], SystemLookup.isListening(path) {
        Log.warning("control socket belongs to another supervisor", ["path": path])
        continue
      }
      let server = try HTTPServer(listen: .unix(path: path, mode: UInt32(supervisor.configuration.controlMode))) {
        [interface] request in Self.answer(request, interface)
      }
      servers.append(server)
      try supervisor.watch(server.descriptor) { server.process() }
    }
  }

  /// How long the loop may wait, in milliseconds; −1 without limit.
  var timeoutMilliseconds: Int32 {
    servers.map(\.timeoutMilliseconds).filter { $0 >= 0 }.min() ?? -1
  }

  func process() { for server in servers { server.process() } }

  func stop() {
    process()
    for server in servers { server.stop() }
    servers = []
  }

  private static func answer(_ request: HTTPServerRequest, _ interface: ControlInterface) -> HTTPServerReply {
    guard request.path == "/RPC2" || request.path == "/RPC2/" else {
      return .response(.text("not found\n", status: 404))
    }
    guard request.method == "POST" else { return .response(.text("POST expected\n", status: 405)) }
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

  private static func response(_ result: Result<XMLRPCValue, ControlFault>) -> HTTPServerResponse {
    let answer: XMLRPCResponse =
      switch result {
      case .success(let value): .value(value)
      case .failure(let fault): .fault(code: Int64(fault.code.rawValue), text: fault.text)
      }
    return HTTPServerResponse(headers: ["Content-Type": "text/xml"], body: XMLRPC.write(answer))
  }
}
