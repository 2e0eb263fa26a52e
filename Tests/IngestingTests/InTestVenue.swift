import Daemon
import Foundation
import Synchronization
import Web

/// A venue on a real socket: HTTP answers by a function, and WebSockets that a test drives.
///
/// `@unchecked Sendable`: the server and the peers belong to the venue's own thread, which runs what a test posts;
/// everything else is behind a lock.
final class InTestVenue: @unchecked Sendable {
  private struct Shared {
    var requests: [String] = []
    var texts: [String] = []
    var opened: [String] = []
    var openStreams = 0
    var refusesStreams = false
    var heldPath: String?
    var isStopped = false
  }

  private let shared = Mutex(Shared())
  private let mailbox: Mailbox<@Sendable (InTestVenue) -> Void>
  private let answer: @Sendable (HTTPServerRequest) -> HTTPServerResponse
  private let reply: @Sendable (String) -> [String]
  private let isSilent: @Sendable (HTTPServerRequest) -> Bool
  private let ended = DispatchSemaphore(value: 0)
  private var server: HTTPServer?
  private var peers: [WebSocketPeer] = []
  private var held: [(request: HTTPServerRequest, deferral: HTTPDeferral)] = []
  /// The port that the system chose.
  private(set) var port: UInt16 = 0

  /// - Parameters:
  ///   - answer: the HTTP part.
  ///   - reply: what goes back for each text of a stream.
  ///   - isSilent: which requests are never answered.
  /// - Throws: `SystemError`.
  init(
    answer: @escaping @Sendable (HTTPServerRequest) -> HTTPServerResponse,
    reply: @escaping @Sendable (String) -> [String],
    isSilent: @escaping @Sendable (HTTPServerRequest) -> Bool = { _ in false }
  ) throws {
    self.isSilent = isSilent
    self.answer = answer
    self.reply = reply
    mailbox = try Mailbox()
    let server = try HTTPServer(listen: .tcp(host: "127.0.0.1", port: 0)) { [unowned self] in handle($0) }
    self.server = server
    port = server.port
    Thread { [self] in run() }.start()
  }

  /// What was asked for by HTTP: `GET /path`.
  var requests: [String] { shared.withLock { $0.requests } }
  /// What came over streams.
  var texts: [String] { shared.withLock { $0.texts } }
  /// The targets of the streams that were opened.
  var opened: [String] { shared.withLock { $0.opened } }
  var openStreams: Int { shared.withLock { $0.openStreams } }
  var refusesStreams: Bool {
    get { shared.withLock { $0.refusesStreams } }
    set { shared.withLock { $0.refusesStreams = newValue } }
  }

  /// From here on requests of this path wait for their answers; nil answers them all.
  func hold(_ path: String?) {
    shared.withLock { $0.heldPath = path }
    guard path == nil else { return }
    mailbox.post { venue in
      for one in venue.held { one.deferral.complete(venue.answer(one.request)) }
      venue.held = []
    }
  }

  func send(_ text: String) {
    mailbox.post { venue in for peer in venue.peers where !peer.isClosed { try? peer.send(text: text) } }
  }

  /// Hangs up on all streams without a word.
  func dropStreams() {
    mailbox.post { venue in for peer in venue.peers { peer.disconnect() } }
  }

  func stop() {
    shared.withLock { $0.isStopped = true }
    mailbox.post { _ in }
    ended.wait()
  }

  private func handle(_ request: HTTPServerRequest) -> HTTPServerReply {
    guard request.wantsWebSocket else {
      shared.withLock { $0.requests.append("\(request.method) \(request.path)") }
      guard request.path != shared.withLock({ $0.heldPath }) else {
        held.append((request, HTTPDeferral()))
        return .deferred(held[held.count - 1].deferral)
      }
      return isSilent(request) ? .deferred(HTTPDeferral()) : .response(answer(request))
    }
    guard !refusesStreams else { return .response(.text("later", status: 503)) }
    let target = request.target
    return .webSocket { [unowned self] peer in
      peers.append(peer)
      shared.withLock { $0.opened.append(target) }
      receive(peer)
    }
  }

  private func receive(_ peer: WebSocketPeer) {
    guard !peer.isClosed else { return }
    try? peer.receive { message in
      guard message.kind == .text else { return }
      let text = message.text
      shared.withLock { $0.texts.append(text) }
      for answer in reply(text) { try? peer.send(text: answer) }
    }
    if peer.wantsWrite { try? peer.flush() }
  }

  private func run() {
    while !shared.withLock({ $0.isStopped }) {
      var items = [server?.descriptor ?? -1, mailbox.descriptor].map {
        pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
      }
      items += peers.map {
        pollfd(fd: $0.descriptor, events: Int16($0.wantsWrite ? POLLIN | POLLOUT : POLLIN), revents: 0)
      }
      _ = poll(&items, nfds_t(items.count), 20)
      server?.process()
      for letter in mailbox.take() { letter(self) }
      for peer in peers { receive(peer) }
      peers.removeAll(where: \.isClosed)
      let open = peers.count
      shared.withLock { $0.openStreams = open }
    }
    for peer in peers { peer.disconnect() }
    server?.stop()
    ended.signal()
  }
}

/// A worker's built executable, stopped when the value goes away.
final class Worker {
  private let process = Process()
  private let logPath: String

  /// What it has logged, and those before it in the same directory.
  var log: String { (try? String(contentsOfFile: logPath, encoding: .utf8)) ?? "" }

  init(
    _ name: String, _ arguments: [String], configuration: String, directory: String, environment: [String: String] = [:]
  ) throws {
    let folder = ProcessInfo.processInfo.environment["BULKHEAD_BIN"] ?? ".build/release"
    let file = directory + "/supervisor.conf"
    try configuration.write(toFile: file, atomically: true, encoding: .utf8)
    process.executableURL = URL(fileURLWithPath: folder + "/" + name)
    process.arguments = arguments
    process.environment = ["BULKHEAD_CONF": file, "BULKHEAD_NAME": name, "PATH": "/usr/bin:/bin"]
      .merging(environment) { $1 }
    logPath = directory + "/" + name + ".log"
    if !FileManager.default.fileExists(atPath: logPath) {
      _ = FileManager.default.createFile(atPath: logPath, contents: nil)
    }
    let errors = try FileHandle(forWritingTo: URL(fileURLWithPath: logPath))
    errors.seekToEndOfFile()
    process.standardError = errors
    process.standardOutput = FileHandle(forWritingAtPath: "/dev/null")
    try process.run()
  }

  var isRunning: Bool { process.isRunning }

  /// Tells it to stop, and waits until it has.
  func stop() -> Int32 {
    if process.isRunning { process.terminate() }
    process.waitUntilExit()
    return process.terminationStatus
  }

  deinit { if process.isRunning { _ = stop() } }
}

/// Turns `step` until `isDone`, for 30 seconds at most.
func eventually(_ step: () -> Void = {}, _ isDone: () -> Bool) -> Bool {
  let deadline = SystemClock.monotonicNanoseconds + 30_000_000_000
  while SystemClock.monotonicNanoseconds < deadline {
    step()
    if isDone() { return true }
    poll(nil, 0, 5)
  }
  return false
}
