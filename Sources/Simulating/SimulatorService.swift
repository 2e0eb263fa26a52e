package import Bus
public import Daemon
internal import Market
internal import Web

#if canImport(Glibc)
  internal import Glibc
#endif

/// The simulator's process: the venues' protocols on one port, and on the bus what was planted.
///
/// One thread, one poll loop: HTTP, WebSockets, and the passing of time, once a millisecond.
public final class SimulatorService {
  private struct Peer {
    let socket: WebSocketPeer
    let isBinance: Bool
    /// Frames that go out at the end of the turn.
    var pending: [UInt8] = []
  }

  private let simulator: Simulator
  private let options: SimulatorOptions
  private var server: HTTPServer!
  private let poller = Poller()
  private var peers: [Int: Peer] = [:]
  private var dirty: [Int] = []
  private var notices: [PlantNotice] = []
  private let publisher: Publisher?
  private var topics: [Strategy: TopicHandle] = [:]
  private var healthTopic: TopicHandle?
  private var lastProgress = 0
  private var nextPing = SystemClock.monotonicNanoseconds + pingNanoseconds
  private var nextHealth = SystemClock.monotonicNanoseconds
  package private(set) var counters = Counters()
  private static let pingNanoseconds: Int64 = 20_000_000_000

  /// What has happened since the start.
  package struct Counters: Sendable {
    package var requests: Int64 = 0
    package var frames: Int64 = 0
    package var bytes: Int64 = 0
    package var plants: Int64 = 0
    package var slowPeers: Int64 = 0
  }

  /// A simulator that listens.
  /// - Parameters:
  ///   - options: the world.
  ///   - host: the address to listen at.
  ///   - port: the port; 0 for one that is free.
  ///   - publisher: where plants are told; nil for nowhere.
  /// - Throws: `SystemError` where the port cannot be bound or the recording cannot be read.
  package init(options: SimulatorOptions, host: String, port: UInt16, publisher: Publisher? = nil) throws {
    self.options = options
    self.publisher = publisher
    simulator = try Simulator(options: options, now: SystemClock.now)
    if let publisher {
      for strategy in [Strategy.binary, .negRisk] {
        topics[strategy] = publisher.topic(Topic.planted + strategy.rawValue)
      }
      healthTopic = publisher.topic(Topic.health + publisher.name)
    }
    server = try HTTPServer(listen: .tcp(host: host, port: port)) { [unowned self] in reply(to: $0) }
  }

  /// The port that it listens at.
  package var port: UInt16 { server.port }

  /// Runs the process: listens, writes `RUN/simulator.address`, serves until told to stop, and takes the file away.
  /// - Throws: `ConfigurationError`, `SystemError` or `BusError` where it cannot start.
  public static func run(context: WorkerContext) throws {
    let settings = context.settings
    var options = SimulatorOptions(settings: settings)
    var arguments = context.arguments[...]
    while let argument = arguments.popFirst() {
      guard argument == "--load", let path = arguments.popFirst() else {
        throw ConfigurationError(file: "command line", problem: "unknown argument \(argument)")
      }
      options.load = path
    }
    let listen = settings.text("simulator", "listen")
    let parts = listen.split(separator: ":")
    guard parts.count == 2, let port = UInt16(parts[1]) else {
      throw ConfigurationError(file: settings.path, problem: "simulator.listen: expected host:port, found \(listen)")
    }
    let host = String(parts[0])
    let publisher = try Publisher(
      name: context.name, runDirectory: context.runDirectory,
      highWaterMark: settings.integer("bus", "high_water_mark_messages"))
    let service = try SimulatorService(options: options, host: host, port: port, publisher: publisher)
    let address = "\(host):\(service.port)\n"
    let path = context.runDirectory + "/simulator.address"
    try writeFileAtomically(Array(address.utf8), to: path)
    Log.info(
      "simulator listens",
      [
        "address": String(address.dropLast()), "markets": "\(service.simulator.world.listing.count)",
        "seed": "\(options.seed)", "load": options.load,
      ])
    context.notifyReady(status: "listening at \(address.dropLast())")
    while !context.takeStop() {
      service.turn(timeoutMilliseconds: 1, stopDescriptor: context.stopDescriptor)
      service.tellHealth(context)
    }
    context.readiness.stopping()
    // Only ours: another simulator may have taken over.
    if let written = try? readFile(path, sizeMax: 1024), written == Array(address.utf8) { unlink(path) }
    service.stop()
  }

  /// Ends all connections.
  package func stop() {
    for peer in peers.values {
      peer.socket.close(code: WebSocketCloseCode.goingAway)
      peer.socket.disconnect()
    }
    server.stop()
  }

  // MARK: One turn

  /// Waits for something to do, lets time pass, and sends what comes of it.
  /// - Parameters:
  ///   - timeoutMilliseconds: how long it may wait.
  ///   - stopDescriptor: ends the wait as well; negative for none.
  package func turn(timeoutMilliseconds: Int, stopDescriptor: Int32 = -1) {
    poller.removeAll()
    if stopDescriptor >= 0 { poller.add(descriptor: stopDescriptor) }
    let serverPlace = poller.add(descriptor: server.descriptor)
    let subscriptionPlace = publisher.map { poller.add($0) }
    let places = peers.map { session, peer in
      (session, poller.add(descriptor: peer.socket.descriptor, writable: peer.socket.wantsWrite))
    }
    poller.wait(timeoutMilliseconds: simulator.wantsToRun && !isBackedUp ? 0 : timeoutMilliseconds)
    simulator.isHeld = isBackedUp
    simulator.advance(to: SystemClock.now)
    collect()
    if let subscriptionPlace, poller.isReady(subscriptionPlace), let publisher {
      publisher.processSubscriptions { publisher.endSnapshot($0) }
    }
    for (session, place) in places where poller.isReady(place) { read(session) }
    if poller.isReady(serverPlace) || server.timeoutMilliseconds == 0 { server.process() }
    sendPending()
    tellPlants()
    tellProgress()
    pingBinance()
  }

  /// Whether a subscriber has so much to take that a recording at full speed waits for it.
  private var isBackedUp: Bool { peers.values.contains { $0.socket.queuedBytes > 1 << 20 } }

  /// Appends everything that the simulator wants to say to what its peers get at the end of the turn.
  private func collect() {
    notices += simulator.drain { session, text, _ in
      guard peers[session] != nil else { return }
      append(text, to: session)
    }
    for closing in simulator.takeClosings() {
      peers[closing.session]?.socket.close(code: WebSocketCloseCode.policy, reason: closing.reason)
    }
  }

  private func append(_ text: UnsafeRawBufferPointer, to session: Int) {
    guard let index = peers.index(forKey: session) else { return }
    if peers.values[index].pending.isEmpty { dirty.append(session) }
    WebSocketPeer.appendServerFrame(text, opcode: .text, to: &peers.values[index].pending)
    counters.frames += 1
    counters.bytes += Int64(text.count)
  }

  private func sendPending() {
    for session in dirty {
      guard let index = peers.index(forKey: session) else { continue }
      let socket = peers.values[index].socket
      do {
        try peers.values[index].pending.withUnsafeBytes { try socket.send(preframed: $0) }
        peers.values[index].pending.removeAll(keepingCapacity: true)
      } catch {
        drop(session, reason: "\(error)")
        continue
      }
      if socket.queuedBytes > options.queuedBytesMax { drop(session, reason: "too slow") }
    }
    dirty.removeAll(keepingCapacity: true)
  }

  private func drop(_ session: Int, reason: String) {
    guard let peer = peers.removeValue(forKey: session) else { return }
    if peer.socket.queuedBytes > 0 { counters.slowPeers += 1 }
    Log.info("peer is gone", ["session": "\(session)", "reason": reason])
    simulator.close(session)
    peer.socket.disconnect()
  }

  // MARK: Peers and requests

  private func reply(to request: HTTPServerRequest) -> HTTPServerReply {
    counters.requests += 1
    if request.wantsWebSocket {
      guard let channel = simulator.channel(of: request) else { return .response(.text("not found\n", status: 404)) }
      return .webSocket { [unowned self] socket in accept(socket, channel) }
    }
    let response = simulator.answer(request, at: SystemClock.now)
    collect()
    return .response(response)
  }

  private func accept(_ socket: WebSocketPeer, _ channel: Simulator.Channel) {
    let (session, reaction) = simulator.open(channel)
    peers[session] = Peer(socket: socket, isBinance: simulator.venue(of: session) == .binance)
    react(reaction, to: session, socket)
    read(session)
  }

  private func read(_ session: Int) {
    guard let socket = peers[session]?.socket else { return }
    do {
      if socket.wantsWrite { try socket.flush() }
      repeat {
        try socket.receive { message in
          if message.kind == .text { hear(message.bytes, from: session, socket) }
        }
      } while socket.hasBufferedInput
      if socket.isClosed { drop(session, reason: "closed") }
    } catch {
      drop(session, reason: "\(error)")
    }
  }

  private func hear(_ text: UnsafeRawBufferPointer, from session: Int, _ socket: WebSocketPeer) {
    collect()
    react(simulator.receive(text, from: session), to: session, socket)
  }

  private func react(_ reaction: Simulator.Reaction, to session: Int, _ socket: WebSocketPeer) {
    switch reaction {
    case .reply(let bytes): bytes.withUnsafeBytes { append($0, to: session) }
    case .replies(let texts): for text in texts { text.withUnsafeBytes { append($0, to: session) } }
    case .nothing: break
    case .close(let code, let reason): socket.close(code: code, reason: reason)
    }
  }

  /// Binance pings its clients; who has not answered for a minute is left.
  private func pingBinance() {
    let now = SystemClock.monotonicNanoseconds
    guard now >= nextPing else { return }
    nextPing = now + SimulatorService.pingNanoseconds
    let payload = Array("\(SystemClock.now.milliseconds)".utf8)
    for (session, peer) in peers where peer.isBinance {
      if now - peer.socket.lastReceivedMonotonicNanoseconds > 60_000_000_000 {
        drop(session, reason: "no pong")
      } else if (try? peer.socket.ping(payload)) == nil {
        drop(session, reason: "gone")
      }
    }
  }

  /// Says once that the recording has begun, and once that it is over.
  private func tellProgress() {
    guard let progress = simulator.progress, progress.played != lastProgress else { return }
    if lastProgress == 0 { Log.info("recording plays", ["rows": "\(progress.rows)", "speed": "\(options.speed)"]) }
    lastProgress = progress.played
    if progress.played == progress.rows { Log.info("recording is over", ["rows": "\(progress.rows)"]) }
  }

  // MARK: The bus

  /// Publishes plants whose frames are with the sockets now.
  private func tellPlants() {
    guard !notices.isEmpty else { return }
    let now = SystemClock.now
    for notice in notices {
      let plant = notice.plant
      if !notice.isEnd {
        simulator.world.plants.confirm(id: plant.id, at: now)
        counters.plants += 1
      }
      guard let publisher, let topic = topics[plant.kind.strategy] else { continue }
      let message = PlantedArbitrage(
        id: plant.id, strategy: plant.kind.strategy, eventID: "\(simulator.world.events[plant.event].id)",
        marketID: plant.kind.isBinary ? simulator.world.markets[plant.market].conditionID : "",
        isSell: plant.kind.isSell, startedAt: plant.startedAt ?? now, endedAt: notice.isEnd ? now : nil,
        profitPerSet: plant.profit)
      publisher.publish(topic) { message.encode($0) }
    }
    notices.removeAll(keepingCapacity: true)
  }

  private func tellHealth(_ context: WorkerContext) {
    let now = SystemClock.monotonicNanoseconds
    guard now >= nextHealth else { return }
    nextHealth = now + 1_000_000_000
    context.readiness.watchdog()
    guard let publisher, let healthTopic else { return }
    let message = HealthMessage(
      name: context.name,
      counters: [
        "requests": counters.requests, "frames": counters.frames, "bytes": counters.bytes, "plants": counters.plants,
        "slow_peers": counters.slowPeers, "sessions": Int64(peers.count),
      ])
    publisher.publish(healthTopic) { message.encode($0) }
  }
}
