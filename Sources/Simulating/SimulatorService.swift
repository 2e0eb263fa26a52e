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
  struct Peer {
    let socket: WebSocketPeer
    let venue: Venue
    /// What it asked for when it connected.
    let target: String
    /// Frames that go out at the end of the turn.
    var pending: [UInt8] = []
    /// Frames that a fault holds back, and when they are due by the monotonic clock.
    var delayed: [(due: Int64, frame: [UInt8])] = []
    /// Frames that go out after so many others.
    var held: [(left: Int64, frame: [UInt8])] = []
    /// Whether nothing is said to it any more, and nothing heard.
    var isMute = false
  }

  let simulator: Simulator
  let options: SimulatorOptions
  private var server: HTTPServer!
  private let poller = Poller()
  var peers: [Int: Peer] = [:]
  var dirty: [Int] = []
  private var notices: [PlantNotice] = []
  /// What goes wrong on purpose.
  var board: FaultBoard
  private var faultFiles: FaultFiles?
  /// Answers and handshakes that a fault holds back, and when they are due by the monotonic clock.
  private var late: [(due: Int64, end: () -> Void)] = []
  private let publisher: Publisher?
  private var topics: [Strategy: TopicHandle] = [:]
  private var healthTopic: TopicHandle?
  private var lastProgress = 0
  private var pairsVersion = 0
  /// Whether some frame waits for its delay to be over.
  var hasDelayed = false
  var nextPing = SystemClock.monotonicNanoseconds + pingNanoseconds
  var pingCount = 0
  private var nextHealth = SystemClock.monotonicNanoseconds
  package internal(set) var counters = Counters()
  static let pingNanoseconds: Int64 = 10_000_000_000

  /// What has happened since the start.
  package struct Counters: Sendable {
    package var requests: Int64 = 0
    package var frames: Int64 = 0
    package var bytes: Int64 = 0
    package var plants: Int64 = 0
    package var decoys: Int64 = 0
    package var slowPeers: Int64 = 0
  }

  /// A simulator that listens.
  /// - Parameters:
  ///   - options: the world.
  ///   - host: the address to listen at.
  ///   - port: the port; 0 for one that is free.
  ///   - publisher: where plants are told; nil for nowhere.
  ///   - runDirectory: where faults of endpoints are told; nil refuses these.
  /// - Throws: `SystemError` where the port cannot be bound or the recording cannot be read.
  package init(
    options: SimulatorOptions, host: String, port: UInt16, publisher: Publisher? = nil, runDirectory: String? = nil
  ) throws {
    self.options = options
    self.publisher = publisher
    board = FaultBoard(seed: options.seed)
    simulator = try Simulator(options: options, now: SystemClock.now)
    if let publisher {
      for strategy in Strategy.allCases {
        topics[strategy] = publisher.topic(Topic.planted + strategy.rawValue)
      }
      healthTopic = publisher.topic(Topic.health + publisher.name)
    }
    server = try HTTPServer(listen: .tcp(host: host, port: port)) { [unowned self] in reply(to: $0) }
    faultFiles = runDirectory.map { FaultFiles(runDirectory: $0, port: server.port) }
  }

  /// The port that it listens at.
  package var port: UInt16 { server.port }

  /// Runs the process: listens, writes `RUN/simulator.address` and `RUN/simulator.pairs.json`, serves until told to
  /// stop, and takes the files away.
  /// - Throws: `ConfigurationError`, `SystemError` or `BusError` where it cannot start.
  public static func run(context: WorkerContext) throws {
    let settings = context.settings
    var options = try SimulatorOptions(settings: settings)
    var arguments = context.arguments[...]
    while let argument = arguments.popFirst() {
      guard argument == "--load", let path = arguments.popFirst() else {
        throw ConfigurationError(file: "command line", problem: "unknown argument \(argument)")
      }
      options.load = path
    }
    let keyFile = settings.text("simulator", "kalshi_public_key_file")
    if !keyFile.isEmpty {
      do throws(SystemError) {
        options.kalshiPublicKey = String(decoding: try readFile(keyFile, sizeMax: 65_536), as: UTF8.self)
      } catch {
        throw ConfigurationError(file: settings.path, problem: "simulator.kalshi_public_key_file: \(error)")
      }
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
    let service = try SimulatorService(
      options: options, host: host, port: port, publisher: publisher, runDirectory: context.runDirectory)
    let address = "\(host):\(service.port)\n"
    let path = context.runDirectory + "/simulator.address"
    try service.writePairs(to: context.runDirectory)
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
      if service.simulator.pairsVersion != service.pairsVersion { try service.writePairs(to: context.runDirectory) }
    }
    context.readiness.stopping()
    // Only ours: another simulator may have taken over.
    if let written = try? readFile(path, sizeMax: 1024), written == Array(address.utf8) {
      unlink(path)
      unlink(SimulatorService.pairsPath(context.runDirectory))
    }
    service.stop()
  }

  private static func pairsPath(_ runDirectory: String) -> String { runDirectory + "/simulator.pairs.json" }

  /// Tells which markets of its venues are the same, in the form in which people approve pairs.
  private func writePairs(to runDirectory: String) throws(SystemError) {
    pairsVersion = simulator.pairsVersion
    try writeFileAtomically(simulator.pairs(at: SystemClock.now), to: SimulatorService.pairsPath(runDirectory))
  }

  /// Ends all connections.
  package func stop() {
    for peer in peers.values {
      peer.socket.close(code: WebSocketCloseCode.goingAway)
      peer.socket.disconnect()
    }
    server.stop()
    faultFiles = nil
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
    passFaults()
    sendPending()
    tellPlants()
    tellProgress()
    pingClients()
  }

  /// Whether a subscriber has so much to take that a recording at full speed waits for it.
  private var isBackedUp: Bool { peers.values.contains { $0.socket.queuedBytes > 1 << 20 } }

  /// Appends everything that the simulator wants to say to what its peers get at the end of the turn.
  func collect() {
    notices += simulator.drain { session, text, isLifeSign in tell(text, to: session, isLifeSign: isLifeSign) }
    for closing in simulator.takeClosings() {
      peers[closing.session]?.socket.close(code: WebSocketCloseCode.policy, reason: closing.reason)
    }
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

  func drop(_ session: Int, reason: String) {
    guard let peer = peers.removeValue(forKey: session) else { return }
    if peer.socket.queuedBytes > 0 { counters.slowPeers += 1 }
    Log.info("peer is gone", ["session": "\(session)", "reason": reason])
    simulator.close(session)
    board.forget(session: session)
    peer.socket.disconnect()
  }

  // MARK: Requests

  private func reply(to request: HTTPServerRequest) -> HTTPServerReply {
    counters.requests += 1
    let first = request.path.split(separator: "/", maxSplits: 1).first.map(String.init) ?? ""
    if first == "faults" { return .response(setFaults(request)) }
    let venue = Venue(rawValue: first)
    var fate = RequestFate()
    if let venue, !board.isQuiet {
      fate = board.request(venue, target: request.target, isHandshake: request.wantsWebSocket)
      // Nobody completes it: the client waits until it gives up.
      if fate.isSilent { return .deferred(HTTPDeferral()) }
      if let kind = fate.kind {
        let answer = FaultAnswers.answer(kind, fate.value, venue, SystemClock.now, target: request.target)
        return late(answer, fate)
      }
    }
    if request.wantsWebSocket {
      guard let channel = simulator.channel(of: request) else { return .response(.text("not found\n", status: 404)) }
      if let refusal = simulator.refusal(request, channel, at: SystemClock.now) { return .response(refusal) }
      guard fate.delayMilliseconds > 0 else {
        return .webSocket { [unowned self] socket in accept(socket, channel, target: request.target) }
      }
      // Sound: the server calls it in `process`, on the thread of this loop, and ends with it.
      nonisolated(unsafe) unowned let service = self
      return later(fate) { deferral in
        deferral.complete { socket in service.accept(socket, channel, target: request.target) }
      }
    }
    var response = simulator.answer(request, at: SystemClock.now)
    collect()
    if !fate.changes.isEmpty {
      response.body = FaultRewriter.apply(fate.changes, to: response.body, now: SystemClock.now)
    }
    return late(response, fate)
  }

  private func late(_ response: HTTPServerResponse, _ fate: RequestFate) -> HTTPServerReply {
    guard fate.delayMilliseconds > 0 else { return .response(response) }
    return later(fate) { $0.complete(response) }
  }

  private func later(_ fate: RequestFate, _ end: @escaping (HTTPDeferral) -> Void) -> HTTPServerReply {
    let deferral = HTTPDeferral()
    late.append((SystemClock.monotonicNanoseconds + fate.delayMilliseconds * 1_000_000, { end(deferral) }))
    return .deferred(deferral)
  }

  private func setFaults(_ request: HTTPServerRequest) -> HTTPServerResponse {
    guard request.path == "/faults" else { return .text("not found\n", status: 404) }
    collect()
    switch FaultRoutes.take(request, &board, at: SystemClock.now) {
    case .answer(let response): return response
    case .ended(let faults):
      tellEnded(faults)
      return .json("{\"cleared\":\(faults.count)}")
    case .began(let fault):
      if let problem = begin(fault) {
        _ = board.clear(id: fault.id)
        return FaultRoutes.refusal(problem)
      }
      return FaultRoutes.answer(fault, board)
    }
  }

  /// What a new fault does at once.
  /// - Returns: why it cannot be had; nil where it can.
  private func begin(_ fault: Fault) -> String? {
    Log.info("fault", ["id": "\(fault.id)", "venue": fault.venue?.rawValue ?? "all", "kind": fault.kind.rawValue])
    if fault.kind.isOfEndpoint {
      guard let faultFiles else { return "\(fault.kind.rawValue) needs a run directory" }
      do throws(SystemError) {
        try faultFiles.update(board)
      } catch {
        return "\(error)"
      }
    }
    guard fault.kind == .disconnect || fault.kind == .halfOpen else { return nil }
    let struck = peers.filter { fault.concerns($1.venue) && fault.concerns(target: $1.target) }.keys
      .filter { _ in board.strikes(share: fault.share) }
    for session in struck {
      if fault.kind == .halfOpen { peers[session]?.isMute = true } else { drop(session, reason: "fault") }
    }
    board.strike(fault.id, streams: struck.count, isOver: fault.kind == .disconnect)
    return nil
  }

  private func tellEnded(_ faults: [Fault]) {
    for fault in faults { Log.info("fault is over", ["id": "\(fault.id)", "kind": fault.kind.rawValue]) }
    guard faults.contains(where: \.kind.isOfEndpoint) else { return }
    do throws(SystemError) {
      try faultFiles?.update(board)
    } catch {
      Log.warning("fault files", ["error": "\(error)"])
    }
  }

  /// Sends what a fault held back until now, and ends faults whose time is over.
  private func passFaults() {
    guard !board.isQuiet || !late.isEmpty else { return sendDelayed(SystemClock.monotonicNanoseconds) }
    let now = SystemClock.monotonicNanoseconds
    let ended = board.expire(at: SystemClock.now)
    if !ended.isEmpty { tellEnded(ended) }
    for entry in late where entry.due <= now { entry.end() }
    late.removeAll { $0.due <= now }
    sendDelayed(now)
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
        if plant.isDecoy { counters.decoys += 1 } else { counters.plants += 1 }
      }
      guard let publisher, let topic = topics[plant.kind.strategy] else { continue }
      let message = describe(plant, startedAt: plant.startedAt ?? now, endedAt: notice.isEnd ? now : nil)
      publisher.publish(topic) { message.encode($0) }
    }
    notices.removeAll(keepingCapacity: true)
  }

  private func describe(_ plant: Plant, startedAt: Timestamp, endedAt: Timestamp?) -> PlantedArbitrage {
    let market = simulator.world.markets[plant.market]
    var markets = plant.kind.strategy == .negRisk ? [] : [market.conditionID]
    if let ticker = plant.ticker { markets.append(ticker) }
    let isOneToken = plant.kind.strategy == .latency || plant.kind.strategy == .spike
    return PlantedArbitrage(
      id: plant.id, kind: plant.kind, eventID: "\(simulator.world.events[plant.event].id)", marketIDs: markets,
      token: isOneToken ? plant.outcome.map { market.tokens[$0] } ?? "" : "", isDecoy: plant.isDecoy,
      startedAt: startedAt, endedAt: endedAt, profitPerSet: plant.profit)
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
        "decoys": counters.decoys,
        "slow_peers": counters.slowPeers, "sessions": Int64(peers.count),
      ])
    publisher.publish(healthTopic) { message.encode($0) }
  }
}
