import Foundation
import Synchronization
import Web

/// Answers calls from a script, on a thread of its own.
final class FakeSupervisor: Sendable {
  private let isOver = Mutex(false)
  let calls = Mutex<[XMLRPCCall]>([])

  init(path: String, answer: @escaping @Sendable (XMLRPCCall) -> XMLRPCResponse) throws {
    let ready = DispatchSemaphore(value: 0)
    Thread.detachNewThread { [weak self] in
      let server = try? HTTPServer(listen: .unix(path: path, mode: 0o700)) { request in
        guard let call = try? XMLRPC.readCall(request.body) else { return .response(.text("", status: 400)) }
        self?.calls.withLock { $0.append(call) }
        return .response(HTTPServerResponse(headers: ["Content-Type": "text/xml"], body: XMLRPC.write(answer(call))))
      }
      ready.signal()
      while let server, self?.isOver.withLock({ $0 }) == false {
        var item = pollfd(fd: server.descriptor, events: Int16(POLLIN), revents: 0)
        poll(&item, 1, 20)
        server.process()
      }
      server?.stop()
    }
    ready.wait()
  }

  func stop() { isOver.withLock { $0 = true } }
}
